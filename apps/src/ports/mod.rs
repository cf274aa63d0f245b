//! From names to ports: opens cards, makes software cards and plugs their cables, probes them all at once.

mod software;

use std::thread;

use anyhow::Context;
use gannet::{Port, Probed};
use gannet_bus::vfio::VfioDevice;
use gannet_sim::SimDevice;
use gannet_sim::x82599::Nic;

use crate::port_name::{PortKind, PortName};

pub use software::{Cable, Hold};

/// Ports that have been probed, in the order of their names.
pub struct Opened {
    /// The ports.
    pub ports: Vec<Port<Probed>>,
    /// Their cables; `None` where a card has a real one.
    pub cables: Vec<Option<Cable>>,
    /// The software cards, to be run.
    pub nics: Vec<Nic>,
}

/// A device of any kind.
enum AnyDevice {
    Card(VfioDevice),
    Software(SimDevice),
}

impl AnyDevice {
    fn probe(self) -> gannet::Result<Port<Probed>> {
        match self {
            AnyDevice::Card(device) => Port::probe(device),
            AnyDevice::Software(device) => Port::probe(device),
        }
    }
}

/// Opens and probes ports.
///
/// # Errors
/// A card or a peer that cannot be had, or a card that does not come up.
pub fn open(names: &[PortName]) -> anyhow::Result<Opened> {
    let mut software = software::Workshop::new(names)?;
    let (mut devices, mut cables, mut nics) = (Vec::new(), Vec::new(), Vec::new());
    for (index, name) in (0..).zip(names) {
        let in_words = || format!("port {index} ({name})");
        match &name.kind {
            PortKind::Pci(address) => {
                devices.push(AnyDevice::Card(VfioDevice::open(*address).with_context(in_words)?));
                cables.push(None);
            }
            PortKind::Software(card) => {
                let (device, nic, cable) = software.make(index, card).with_context(in_words)?;
                devices.push(AnyDevice::Software(device));
                cables.push(Some(cable));
                nics.push(nic);
            }
        }
    }
    software.finish()?;
    // Each reset takes 50 ms, so not one after the other.
    let ports: Vec<_> = thread::scope(|scope| {
        let probes: Vec<_> = devices.into_iter().map(|device| scope.spawn(|| device.probe())).collect();
        probes.into_iter().map(|probe| probe.join().expect("probing does not panic")).collect()
    });
    let ports = ports.into_iter().zip(names).map(|(port, name)| port.with_context(|| format!("port {name}")));
    Ok(Opened { ports: ports.collect::<Result<_, _>>()?, cables, nics })
}
