//! Software cards: what is at the other end of their cables.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{bail, ensure};
use gannet_sim::SimDevice;
use gannet_sim::peer::capture::{Capture, CaptureOptions, CaptureStatus};
use gannet_sim::peer::echo::Echo;
use gannet_sim::peer::generator::{Generator, GeneratorOptions, Rate, Stream};
use gannet_sim::peer::impair::{ImpairOptions, Impaired};
use gannet_sim::peer::link::{self, LinkEnd};
use gannet_sim::peer::sink::Sink;
use gannet_sim::peer::tap::{Tap, TapOptions};
use gannet_sim::peer::wire::Wire;
use gannet_sim::peer::{Peer, PeerStats};
use gannet_sim::x82599::{self, Nic, NicOptions, Probe};

use crate::port_name::{PeerName, PortName, Software};

/// Frames that an echo or a link holds.
const CABLE_FRAMES: NonZeroUsize = NonZeroUsize::new(1024).expect("not 0");

/// How long a link is down after a flap.
const FLAP_NS: u64 = 10_000_000;

/// Whether a peer is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It offers nothing.
    On,
    /// It offers what it has.
    Off,
}

/// What a program sees of a software port's cable.
pub struct Cable {
    /// The peer's counters, and its switch.
    pub stats: Arc<PeerStats>,
    /// What became of the capture files, if that is the peer.
    pub capture: Option<Arc<CaptureStatus>>,
    /// What went wrong inside the card.
    pub probe: Probe,
    /// The peer has only frames that a port has sent: it never begins, and never finishes.
    reflects: bool,
    /// Another program plugs the other end, when it likes.
    open_ended: bool,
    /// It loses, damages or doubles frames.
    impaired: bool,
}

impl Cable {
    /// Holds the peer back, or lets it go.
    pub fn hold(&self, hold: Hold) {
        self.stats.stop.store(hold == Hold::On, Ordering::Relaxed);
    }

    /// Whether another program has the other end: the link comes up when it comes, and may go down and come back.
    pub fn is_open_ended(&self) -> bool {
        self.open_ended
    }

    /// Whether it loses, damages or doubles frames: not all that the peer offers arrives, or more.
    pub fn is_impaired(&self) -> bool {
        self.impaired
    }

    /// Whether the peer has no more frames of its own, now or later.
    pub fn is_finished(&self) -> bool {
        self.reflects || self.stats.finished.load(Ordering::Acquire)
    }
}

/// Makes software cards, of which some know each other.
pub(super) struct Workshop {
    /// By port, the one whose frames arrive at its generator.
    expected: Vec<usize>,
    /// Ends of links that wait for their other port.
    links: Links,
}

type Links = HashMap<String, LinkEnd>;

impl Workshop {
    /// For the software cards among `names`.
    pub(super) fn new(names: &[PortName]) -> anyhow::Result<Workshop> {
        check_files(names)?;
        let expected = (0..names.len()).map(|index| expected_stream(index, names)).collect::<Result<_, _>>()?;
        Ok(Workshop { expected, links: HashMap::new() })
    }

    /// Makes the card of port `index`, with its cable.
    pub(super) fn make(&mut self, index: u16, card: &Software) -> anyhow::Result<(SimDevice, Nic, Cable)> {
        let expects = self.expected[usize::from(index)] as u16;
        let streams = Streams { sends: Stream::new(index), expects: Stream::new(expects) };
        let (peer, stats, capture) = make_peer(streams, card, &mut self.links)?;
        let (device, nic) = x82599::new(NicOptions::default(), peer);
        let probe = nic.probe();
        let reflects = matches!(card.peer, PeerName::Echo | PeerName::Link(_));
        let open_ended = matches!(card.peer, PeerName::Wire(_));
        Ok((device, nic, Cable { stats, capture, probe, reflects, open_ended, impaired: card.impair.is_some() }))
    }

    /// All cards are made.
    ///
    /// # Errors
    /// A link with one end.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.links.keys().next() {
            Some(name) => bail!("link:{name} has one end only: give another port the same peer"),
            None => Ok(()),
        }
    }
}

/// Checks that no port records to a file that another one plays or records: recording erases it.
fn check_files(names: &[PortName]) -> anyhow::Result<()> {
    // A device or a pipe takes what any number of ports write. A file that is not there yet has a folder that is.
    let file = |path: &PathBuf| match path.canonicalize() {
        Ok(there) => there.is_file().then_some(there),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        }
    };
    let (mut played, mut recorded) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(PeerName::Capture { play, record, .. }) = name.peer() {
            played.push(play.as_ref().and_then(file));
            recorded.push(record.as_ref().and_then(file));
        }
    }
    for (port, path) in recorded.iter().enumerate() {
        let Some(path) = path else { continue };
        // What a port plays and records itself, its peer refuses.
        let others = |paths: &[Option<PathBuf>]| {
            paths.iter().enumerate().any(|(other, used)| other != port && used.as_ref() == Some(path))
        };
        ensure!(!others(&played), "{} is to be played and recorded at once: record to another file", path.display());
        ensure!(!others(&recorded), "{} is to be recorded by two ports: give each its own file", path.display());
    }
    Ok(())
}

/// The streams of a port's generator.
struct Streams {
    sends: Stream,
    expects: Stream,
}

/// The port whose stream arrives at the generator of port `index`, over all links and back from an echo.
///
/// # Errors
/// The generator there sends frames that this one does not know.
fn expected_stream(index: usize, names: &[PortName]) -> anyhow::Result<usize> {
    let Some(&PeerName::Generator { size, flows, .. }) = names[index].peer() else { return Ok(index ^ 1) };
    let mut sender = index;
    // A way that comes by each port once is long enough.
    for _ in names {
        let receiver = sender ^ 1;
        sender = match names.get(receiver).and_then(PortName::peer) {
            Some(PeerName::Echo) => receiver,
            Some(PeerName::Link(link)) => {
                let is_other_end = |&port: &usize| {
                    port != receiver && matches!(names[port].peer(), Some(PeerName::Link(name)) if name == link)
                };
                (0..names.len()).find(is_other_end).unwrap_or(receiver)
            }
            Some(&PeerName::Generator { size: its_size, flows: its_flows, .. }) => {
                ensure!(
                    (size, flows) == (its_size, its_flows),
                    "port {index} checks the frames of port {receiver} ({}): give both the same size and flows",
                    names[receiver]
                );
                return Ok(receiver);
            }
            _ => break,
        };
    }
    Ok(index ^ 1)
}

type MadePeer = (Box<dyn Peer>, Arc<PeerStats>, Option<Arc<CaptureStatus>>);

fn make_peer(streams: Streams, card: &Software, links: &mut Links) -> anyhow::Result<MadePeer> {
    let mut status = None;
    let (peer, stats): (Box<dyn Peer>, _) = match card.peer.clone() {
        PeerName::Generator { size, rate, count, flows } => {
            let options = GeneratorOptions {
                sends: streams.sends,
                expects: streams.expects,
                frame_length: size,
                rate: rate.map_or(Rate::OnDemand, Rate::PerSecond),
                count,
                flows,
            };
            boxed(Generator::new(&options)?)
        }
        PeerName::Capture { play: None, record: None, .. } => boxed(Sink::new()),
        PeerName::Capture { play, record, timing } => {
            let (capture, stats) = Capture::new(&CaptureOptions { play, record, timing })?;
            status = Some(capture.status());
            boxed((capture, stats))
        }
        PeerName::Tap { name, mtu } => boxed(Tap::new(&TapOptions { name, mtu })?),
        PeerName::Link(name) => {
            let end = links.remove(&name).unwrap_or_else(|| {
                let (one, other) = link::pair(CABLE_FRAMES);
                links.insert(name, other);
                one
            });
            let stats = end.stats();
            boxed((end, stats))
        }
        PeerName::Wire(place) => boxed(Wire::new(&place)?),
        PeerName::Echo => boxed(Echo::new(CABLE_FRAMES)),
        PeerName::Sink => boxed(Sink::new()),
    };
    let Some(impair) = card.impair else { return Ok((peer, stats, status)) };
    let (to_card, from_card) = (impair.faults, impair.faults);
    let options = ImpairOptions { to_card, from_card, down_ns: FLAP_NS, seed: impair.seed };
    let (peer, _) = Impaired::new(peer, &options)?;
    Ok((Box::new(peer), stats, status))
}

fn boxed<P: Peer + 'static>((peer, stats): (P, Arc<PeerStats>)) -> (Box<dyn Peer>, Arc<PeerStats>) {
    (Box::new(peer), stats)
}
