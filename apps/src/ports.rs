//! From names to ports: makes the software cards, plugs their cables, probes them all at once.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, bail};
use gannet::{Port, Probed};
use gannet_sim::SimDevice;
use gannet_sim::peer::capture::{Capture, CaptureOptions, CaptureStatus};
use gannet_sim::peer::echo::Echo;
use gannet_sim::peer::generator::{Generator, GeneratorOptions, Rate};
use gannet_sim::peer::impair::{ImpairOptions, Impaired};
use gannet_sim::peer::link::{self, LinkEnd};
use gannet_sim::peer::sink::Sink;
use gannet_sim::peer::tap::{Tap, TapOptions};
use gannet_sim::peer::{Peer, PeerStats};
use gannet_sim::x82599::{self, Nic, NicOptions, Probe};

use crate::port_name::{PeerName, PortName};

/// Frames that an echo or a link holds.
const CABLE_FRAMES: NonZeroUsize = NonZeroUsize::new(1024).expect("not 0");

/// How long a link is down after a flap.
const FLAP_NS: u64 = 10_000_000;

/// What a program sees of a software port's cable.
pub struct Cable {
    /// The peer's counters, and its switch.
    pub stats: Arc<PeerStats>,
    /// What became of the capture files, if that is the peer.
    pub capture: Option<Arc<CaptureStatus>>,
    /// What went wrong inside the card.
    pub probe: Probe,
}

/// Ports that have been probed, in the order of their names.
pub struct Opened {
    /// The ports.
    pub ports: Vec<Port<Probed>>,
    /// Their cables.
    pub cables: Vec<Cable>,
    /// The software cards, to be run.
    pub nics: Vec<Nic>,
}

/// Opens and probes ports.
///
/// # Errors
/// A peer that cannot be had, or a card that does not come up.
pub fn open(names: &[PortName]) -> anyhow::Result<Opened> {
    let mut links = HashMap::new();
    let (mut devices, mut cables, mut nics) = (Vec::new(), Vec::new(), Vec::new());
    for (index, name) in (0..).zip(names) {
        let (device, nic, cable) =
            make_card(index, name, &mut links).with_context(|| format!("port {index} ({name})"))?;
        devices.push(device);
        nics.push(nic);
        cables.push(cable);
    }
    if let Some(name) = links.keys().next() {
        bail!("link:{name} has one end only: give another port the same peer");
    }
    // Each reset takes 50 ms, so not one after the other.
    let ports: Vec<_> = thread::scope(|scope| {
        let probes: Vec<_> = devices.into_iter().map(|device| scope.spawn(|| Port::probe(device))).collect();
        probes.into_iter().map(|probe| probe.join().expect("probing does not panic")).collect()
    });
    let ports = ports.into_iter().zip(names).map(|(port, name)| port.with_context(|| format!("port {name}")));
    Ok(Opened { ports: ports.collect::<Result<_, _>>()?, cables, nics })
}

/// Ends of links that wait for their other port.
type Links = HashMap<String, LinkEnd>;

fn make_card(index: u16, name: &PortName, links: &mut Links) -> anyhow::Result<(SimDevice, Nic, Cable)> {
    let (peer, stats, capture) = make_peer(index, name, links)?;
    let (device, nic) = x82599::new(NicOptions::default(), peer);
    let probe = nic.probe();
    Ok((device, nic, Cable { stats, capture, probe }))
}

type MadePeer = (Box<dyn Peer>, Arc<PeerStats>, Option<Arc<CaptureStatus>>);

fn make_peer(index: u16, name: &PortName, links: &mut Links) -> anyhow::Result<MadePeer> {
    let mut status = None;
    let (peer, stats): (Box<dyn Peer>, _) = match name.peer.clone() {
        PeerName::Generator { size, rate, count, flows } => {
            // Port n sends stream n and expects that of its partner, n ^ 1.
            let options = GeneratorOptions {
                frame_length: size,
                rate: rate.map_or(Rate::OnDemand, Rate::PerSecond),
                count,
                flows,
                ..GeneratorOptions::new(index)
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
        PeerName::Echo => boxed(Echo::new(CABLE_FRAMES)),
        PeerName::Sink => boxed(Sink::new()),
    };
    let Some(impair) = name.impair else { return Ok((peer, stats, status)) };
    let (to_card, from_card) = (impair.faults, impair.faults);
    let options = ImpairOptions { to_card, from_card, down_ns: FLAP_NS, seed: impair.seed };
    let (peer, _) = Impaired::new(peer, &options)?;
    Ok((Box::new(peer), stats, status))
}

fn boxed<P: Peer + 'static>((peer, stats): (P, Arc<PeerStats>)) -> (Box<dyn Peer>, Arc<PeerStats>) {
    (Box::new(peer), stats)
}
