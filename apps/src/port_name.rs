//! Port names: `pci:0000:01:00.0`, `sim:ixgbe,peer=gen,size=128`. The same in every program.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use gannet_bus::sysfs::PciAddress;
use gannet_sim::peer::capture::Timing;
use gannet_sim::peer::impair::Faults;

/// The kinds of ports and what can be said of them, for `--help`.
pub const HELP: &str = "\
Port names:
  pci:ADDRESS      the card at this PCI address, bound to vfio-pci (see nicctl), as in pci:0000:01:00.0
  sim:ixgbe,peer=PEER[,KEY=VALUE...]   a software Intel 82599; PEER is the other end of its cable:
    gen            numbered 64-byte frames, checked at the generator where they end up
                   (size=64..15876, rate=FRAMES_PER_SECOND, count=FRAMES, flows=N)
    pcap:FILE      plays FILE (pcap or pcapng; timing=original keeps its gaps) and then ends
    pcap:          plays nothing
                   (both: record=FILE writes what the port sends, as pcapng or, by its name, pcap)
    tap:NAME       the TAP interface NAME of the host, made if it is not there (mtu=BYTES)
    link:NAME      the other port whose peer is link:NAME
    wire:PATH      the port of another program whose peer is wire:PATH, over a socket at PATH
    echo, sink     sends back, or swallows, what the port sends
  Any peer can have a bad cable: loss=PPM, corruption=PPM, duplication=PPM, reordering=PPM,
  flap=PPM (per million frames in each direction), seed=NUMBER.";

/// A port as the user names it.
#[derive(Debug, Clone, PartialEq)]
pub struct PortName {
    text: String,
    /// What it names.
    pub kind: PortKind,
}

/// Kinds of ports.
#[derive(Debug, Clone, PartialEq)]
pub enum PortKind {
    /// A card, through VFIO.
    Pci(PciAddress),
    /// A software card.
    Software(Software),
}

/// A software card and its cable.
#[derive(Debug, Clone, PartialEq)]
pub struct Software {
    /// What is at the other end of the cable.
    pub peer: PeerName,
    /// What is wrong with the cable; `None` for a good one.
    pub impair: Option<Impair>,
}

impl PortName {
    /// What is at the end of a software card's cable; `None` for other ports.
    pub fn peer(&self) -> Option<&PeerName> {
        match &self.kind {
            PortKind::Software(card) => Some(&card.peer),
            PortKind::Pci(_) => None,
        }
    }
}

/// A peer of a software card.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerName {
    /// A generator of numbered frames.
    Generator {
        /// Length with FCS.
        size: usize,
        /// Frames a second; `None` for as fast as the card takes them.
        rate: Option<u64>,
        /// Frames to send; `None` for no end.
        count: Option<u64>,
        /// Flows.
        flows: u32,
    },
    /// Capture files.
    Capture {
        /// File to play.
        play: Option<PathBuf>,
        /// File to write.
        record: Option<PathBuf>,
        /// When to play.
        timing: Timing,
    },
    /// A TAP interface.
    Tap {
        /// Its name.
        name: String,
        /// Its MTU.
        mtu: Option<u16>,
    },
    /// Another port.
    Link(String),
    /// A port of another program, which gives the same path.
    Wire(PathBuf),
    /// Sends back.
    Echo,
    /// Swallows.
    Sink,
}

/// Faults of a cable, the same in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Impair {
    /// Probabilities.
    pub faults: Faults,
    /// Seed of the random numbers.
    pub seed: u64,
}

/// Why a text is no port name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortNameError {
    name: String,
    reason: String,
}

impl fmt::Display for PortNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no port: {}", self.name, self.reason)
    }
}

impl std::error::Error for PortNameError {}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PortName {
    type Err = PortNameError;

    fn from_str(text: &str) -> Result<PortName, PortNameError> {
        parse(text).map_err(|reason| PortNameError { name: text.to_owned(), reason })
    }
}

/// Keys and values after the card, taken out one by one; what is left is unknown.
struct Settings<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Settings<'a> {
    fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(name, _)| *name == key)?;
        Some(self.0.remove(at).1)
    }

    fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(value) = self.take(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("{key}={value}: a number is needed"))
    }
}

fn parse(text: &str) -> Result<PortName, String> {
    let (kind, rest) = text.split_once(':').ok_or("a name starts with its kind, as in sim:ixgbe,peer=gen")?;
    let kind = match kind {
        "pci" => PortKind::Pci(rest.parse().map_err(|why: gannet_bus::Error| why.to_string())?),
        "sim" => PortKind::Software(parse_software(rest)?),
        _ => return Err(format!("unknown kind {kind:?}; there are: pci, sim")),
    };
    Ok(PortName { text: text.to_owned(), kind })
}

fn parse_software(text: &str) -> Result<Software, String> {
    let mut parts = text.split(',');
    match parts.next() {
        Some("ixgbe") => {}
        card => return Err(format!("no software card {:?}; there is: ixgbe", card.unwrap_or_default())),
    }
    let settings: Result<Vec<_>, String> =
        parts.map(|part| part.split_once('=').ok_or_else(|| format!("{part:?} is not KEY=VALUE"))).collect();
    let mut settings = Settings(settings?);
    let peer = settings.take("peer").ok_or("its cable has no other end: add peer=gen, for example")?;
    let peer = parse_peer(peer, &mut settings)?;
    let impair = parse_impair(&mut settings)?;
    match settings.0.first() {
        None => Ok(Software { peer, impair }),
        Some((key, _)) => Err(format!("{key:?} is unknown, given twice, or not for this peer")),
    }
}

fn parse_peer(peer: &str, settings: &mut Settings<'_>) -> Result<PeerName, String> {
    let (kind, argument) = peer.split_once(':').unwrap_or((peer, ""));
    let named = |what: &str| match argument {
        "" => Err(format!("peer={kind}: needs {what}, as in peer={kind}:NAME")),
        name => Ok(name.to_owned()),
    };
    let only = |peer: PeerName| match argument {
        "" => Ok(peer),
        _ => Err(format!("peer={kind} takes no argument")),
    };
    match kind {
        "gen" => only(PeerName::Generator {
            size: settings.number("size")?.unwrap_or(64),
            rate: settings.number("rate")?,
            count: settings.number("count")?,
            flows: settings.number("flows")?.unwrap_or(1),
        }),
        "pcap" => Ok(PeerName::Capture {
            play: (!argument.is_empty()).then(|| argument.into()),
            record: settings.take("record").map(PathBuf::from),
            timing: match settings.take("timing") {
                None => Timing::OnDemand,
                Some("original") => Timing::Original { speed: 1.0 },
                Some(other) => return Err(format!("timing={other}: there is: original")),
            },
        }),
        "tap" => Ok(PeerName::Tap { name: named("the name of an interface")?, mtu: settings.number("mtu")? }),
        "link" => Ok(PeerName::Link(named("a name that the other port gives too")?)),
        "wire" => Ok(PeerName::Wire(named("a path that the other program's port gives too")?.into())),
        "echo" => only(PeerName::Echo),
        "sink" => only(PeerName::Sink),
        _ => Err(format!("unknown peer {kind:?}; there are: gen, pcap, tap, link, wire, echo, sink")),
    }
}

fn parse_impair(settings: &mut Settings<'_>) -> Result<Option<Impair>, String> {
    let mut ppm = |key| settings.number(key).map(Option::unwrap_or_default);
    let faults = Faults {
        loss_ppm: ppm("loss")?,
        duplication_ppm: ppm("duplication")?,
        corruption_ppm: ppm("corruption")?,
        reordering_ppm: ppm("reordering")?,
        flap_ppm: ppm("flap")?,
    };
    let seed = settings.number("seed")?;
    Ok((faults != Faults::default() || seed.is_some()).then(|| Impair { faults, seed: seed.unwrap_or(0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<PortName>().expect_err("no port name").to_string()
    }

    fn software(text: &str) -> Software {
        match text.parse::<PortName>().expect("a port name").kind {
            PortKind::Software(card) => card,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn names_are_read_as_the_help_says() {
        let card = software("sim:ixgbe,peer=gen,size=128,rate=1000,loss=5,seed=9");
        assert_eq!(card.peer, PeerName::Generator { size: 128, rate: Some(1000), count: None, flows: 1 });
        let impair = card.impair.expect("a bad cable");
        assert_eq!((impair.faults.loss_ppm, impair.seed), (5, 9));
        let name: PortName = "sim:ixgbe,peer=pcap:a.pcap,record=b.pcapng".parse().unwrap();
        let (play, record) = (Some("a.pcap".into()), Some("b.pcapng".into()));
        assert_eq!(name.peer(), Some(&PeerName::Capture { play, record, timing: Timing::OnDemand }));
        assert_eq!(name.to_string(), "sim:ixgbe,peer=pcap:a.pcap,record=b.pcapng");
        let card = software("sim:ixgbe,peer=link:a");
        assert_eq!((card.peer, card.impair), (PeerName::Link("a".into()), None));
        assert_eq!(software("sim:ixgbe,peer=wire:/tmp/a.sock").peer, PeerName::Wire("/tmp/a.sock".into()));
        for text in ["pci:0000:01:00.0", "pci:01:00.0"] {
            let name: PortName = text.parse().unwrap();
            let address = PciAddress { domain: 0, bus: 1, device: 0, function: 0 };
            assert_eq!((name.to_string(), name.kind), (text.to_owned(), PortKind::Pci(address)));
        }
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        for (text, part) in [
            ("eth0", "starts with its kind"),
            ("pci:eth0", "0000:01:00.0"),
            ("dpdk:0", "unknown kind \"dpdk\""),
            ("sim:e1000,peer=gen", "no software card \"e1000\""),
            ("sim:ixgbe", "peer=gen"),
            ("sim:ixgbe,peer=fax", "unknown peer \"fax\""),
            ("sim:ixgbe,peer=tap", "peer=tap:NAME"),
            ("sim:ixgbe,peer=wire", "a path that the other program's port gives too"),
            ("sim:ixgbe,peer=sink:x", "takes no argument"),
            ("sim:ixgbe,peer=gen,size=big", "size=big"),
            ("sim:ixgbe,peer=sink,size=64", "\"size\" is unknown"),
            ("sim:ixgbe,peer=gen,size=64,size=65", "given twice"),
            ("sim:ixgbe,peer=gen,fast", "not KEY=VALUE"),
            ("sim:ixgbe,peer=pcap:x,timing=odd", "timing=odd"),
        ] {
            assert!(error(text).contains(part), "{text}: {}", error(text));
        }
    }
}
