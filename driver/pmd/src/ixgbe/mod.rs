//! The 82599 family: 82599 and X540.
//!
//! [`reset`] brings the card from anything to a known state, [`init`] from there to running, [`queues`] starts and stops its queues. The order
//! of register accesses is the datasheet's (4.6); its sections are cited where they are followed. Not done: reading the SFP+ module
//! over I2C and its analog initialisation list (the link mode that the EEPROM loads is kept), the X540's PHY (its firmware's settings are
//! kept), receive side coalescing, DCB, virtual functions.

mod init;
mod interrupts;
mod metadata;
mod queues;
mod reset;
mod stats;

use gannet_bus::Device;
use gannet_mempool::Metadata;
use gannet_mempool::buffers::Segment;
use gannet_spec::x82599::desc::{RxWriteBack, rx_status};
use gannet_spec::x82599::regs::*;
use gannet_spec::{ReadWrite, Reg};

use crate::Result;
use crate::advanced;
use crate::cards::Card;
use crate::config::{BUFFER_GRANULE, Limits, MTUS, PortConfig};
use crate::family::{Family, RingPlace, RxSetup};
use crate::filter::{Filter, MacAddress};
use crate::mmio::Mmio;
use crate::port::Link;
use crate::stats::PortStats;

/// Receive queues that the RSS redirection table can name (4-bit entries).
const RSS_QUEUES: usize = 16;

/// Transmit queues without DCB and virtualisation (MTQC = 0).
const TX_QUEUES: usize = 64;

/// Controllers of the family that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    X82599,
    X540,
}

impl Kind {
    fn of(device: u16) -> Kind {
        match device {
            0x1528 | 0x1560 => Kind::X540,
            _ => Kind::X82599,
        }
    }

    /// Receive packet buffer.
    fn rx_buffer_kib(self) -> u32 {
        match self {
            Kind::X82599 => 512,
            Kind::X540 => 384,
        }
    }

    fn reset_settle_us(self) -> u64 {
        match self {
            Kind::X82599 => 50_000,
            Kind::X540 => 100_000,
        }
    }
}

/// What is between the controller and the cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// A cage for SFP+ modules, whose laser SDP3 switches.
    Sfp,
    /// Anything else. What the pins do is the board's business: the QSFP+ board shares out its I2C bus with them.
    Other,
}

impl Medium {
    fn of(device: u16) -> Medium {
        match device {
            0x10FB | 0x1507 | 0x1529 | 0x154A | 0x154D | 0x1557 => Medium::Sfp,
            _ => Medium::Other,
        }
    }
}

/// A card of the family.
pub(crate) struct Ixgbe {
    kind: Kind,
    medium: Medium,
}

impl Family for Ixgbe {
    const ALIVE: u32 = STATUS.offset();
    const RX_DAMAGED: u32 = rx_status::RXE;

    #[inline(always)]
    fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata {
        metadata::metadata(descriptor, status)
    }

    #[inline(always)]
    fn tx_descriptor(segment: Segment) -> [u64; 2] {
        advanced::tx_descriptor(segment)
    }

    fn rx_tail(queue: u32) -> Reg<ReadWrite> {
        RDT.get(queue)
    }

    fn tx_tail(queue: u32) -> Reg<ReadWrite> {
        TDT.get(queue)
    }

    fn tx_head(queue: u32) -> Reg<ReadWrite> {
        TDH.get(queue)
    }

    fn probe<D: Device>(mmio: &Mmio<D>, card: &'static Card) -> Result<(Self, MacAddress)> {
        let kind = Kind::of(card.device);
        reset::reset(mmio, kind)?;
        Ok((Ixgbe { kind, medium: Medium::of(card.device) }, reset::read_mac_address(mmio, kind)?))
    }

    fn limits(&self) -> Limits {
        Limits {
            rx_queues: RSS_QUEUES,
            tx_queues: TX_QUEUES,
            min_buffer: BUFFER_GRANULE,
            max_mtu: *MTUS.end(),
            unicast_filters: RAH.count() as usize - 1,
        }
    }

    fn reset<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        reset::reset(mmio, self.kind)
    }

    fn init<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, config: &PortConfig) -> Result<()> {
        init::global(mmio, self.kind.rx_buffer_kib(), mac, config);
        Ok(())
    }

    fn set_filter<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, filter: &Filter) {
        init::set_filter(mmio, mac, filter);
    }

    fn start_link<D: Device>(&self, mmio: &Mmio<D>) -> Result<()> {
        if self.medium == Medium::Sfp {
            init::laser_on(mmio);
        }
        match self.kind {
            Kind::X82599 => init::start_link(mmio),
            // Its PHY negotiates by itself after the reset.
            Kind::X540 => Ok(()),
        }
    }

    fn link<D: Device>(&self, mmio: &Mmio<D>) -> Link {
        // The first read only shows that there was a change (LINKS is latched): the second one counts.
        mmio.read(LINKS);
        let links: Links = mmio.read(LINKS);
        // All ones is a card that is gone, not one with a perfect link.
        if !links.up() || u32::from(links) == u32::MAX {
            return Link::Down;
        }
        let mbps = match links.speed() {
            1 => 100,
            2 => 1_000,
            _ => 10_000,
        };
        Link::Up { mbps }
    }

    fn count<D: Device>(&self, mmio: &Mmio<D>, stats: &mut PortStats) {
        stats::count(mmio, stats);
    }

    fn start_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) -> Result<()> {
        queues::start_rx(mmio, queue, ring, setup)
    }

    fn enable_receive<D: Device>(&self, mmio: &Mmio<D>, _queues: u32) -> Result<()> {
        init::enable_receive(mmio)
    }

    fn enable_transmit<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.modify(DMATXCTL, |value| value.with_enable(true));
    }

    fn start_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()> {
        queues::start_tx(mmio, queue, ring)
    }

    fn stop_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()> {
        queues::stop_rx(mmio, queue)
    }

    fn stop_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()> {
        queues::stop_tx(mmio, queue)
    }

    fn silence<D: Device>(&self, mmio: &Mmio<D>) {
        mmio.modify(RXCTRL, |value| value.with_enable(false));
        mmio.modify(DMATXCTL, |value| value.with_enable(false));
        mmio.modify(CTRL_EXT, |value| value.with_driver_loaded(false));
    }

    fn init_interrupts<D: Device>(&self, mmio: &Mmio<D>, queues: u32) {
        interrupts::init(mmio, queues);
    }

    fn unmask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::unmask(mmio, queue);
    }

    fn mask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) {
        interrupts::mask(mmio, queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::{Pmd, cards};

    #[test]
    fn only_boards_with_sfp_cages_have_a_laser_to_switch() {
        for card in cards().iter().filter(|card| card.driver == Pmd::Ixgbe) {
            assert_eq!(Medium::of(card.device) == Medium::Sfp, card.name.contains(" SFP+"), "{card:?}");
        }
    }
}
