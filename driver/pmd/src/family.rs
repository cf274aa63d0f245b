//! What differs from one family of cards to the next: registers, their order, and descriptor bits.
//!
//! Everything else is shared: the life of a port ([`crate::nic`]) and the data path ([`crate::datapath`]). What a
//! family knows of its card it learns when it is probed; afterwards all that changes is in the card.

use gannet_bus::Device;
use gannet_mempool::Metadata;
use gannet_mempool::buffers::Segment;
use gannet_mempool::dma::Iova;
use gannet_spec::advanced::RxWriteBack;
use gannet_spec::{ReadWrite, Reg};

use crate::cards::Card;
use crate::config::{Limits, PortConfig, VlanTags};
use crate::filter::{Filter, MacAddress};
use crate::mmio::{Mmio, Patience};
use crate::port::Link;
use crate::stats::PortStats;
use crate::{Error, Result};

/// One look every 100 us: ten times what the datasheets' 10 ms need.
pub(crate) const QUEUE_PATIENCE: Patience = Patience { looks: 1_000, every_us: 100 };

/// A descriptor ring, as the card is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingPlace {
    pub(crate) base: Iova,
    pub(crate) bytes: u32,
}

/// What a receive queue is like, besides its ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RxSetup {
    /// Bytes of a buffer, in KiB: 1 to 16.
    pub(crate) buffer_kib: u8,
    pub(crate) vlan_tags: VlanTags,
    /// Receive queues of the port.
    pub(crate) queues: u32,
}

/// A family of cards.
///
/// A port starts in this order: `probe` or `reset`, bus master on, `init`, `start_rx` for each queue, `enable_receive`, receive tails,
/// `enable_transmit`, `start_tx` for each queue, `start_link`. It stops in this one: `stop_tx` and `stop_rx` for each
/// queue, `silence`, bus master off.
///
/// One thread does all that, but `stop_rx`, `stop_tx`, `mask_rx` and `unmask_rx` come from the threads that have the queues, at the same time as
/// each other and as `set_filter`, `link` and `count`: where these read a register and write it back, the family makes them take turns.
pub(crate) trait Family: Sized + Send + Sync + 'static {
    /// Offset of a register that is never all ones while the device is there.
    const ALIVE: u32;

    /// Error bits of a receive descriptor's status that mean a damaged frame.
    const RX_DAMAGED: u32;

    /// What the card found out about a frame, as far as the bits of `status` go.
    fn metadata(descriptor: RxWriteBack, status: u32) -> Metadata;

    /// The descriptor that sends a segment of a frame, without the bit that asks for a report.
    fn tx_descriptor(segment: Segment) -> [u64; 2];

    /// Tail register of a receive queue.
    fn rx_tail(queue: u32) -> Reg<ReadWrite>;

    /// Tail register of a transmit queue.
    fn tx_tail(queue: u32) -> Reg<ReadWrite>;

    /// Head register of a transmit queue: it follows the tail as the card fetches and sends.
    fn tx_head(queue: u32) -> Reg<ReadWrite>;

    /// Resets the card, and finds out its address.
    fn probe<D: Device>(mmio: &Mmio<D>, card: &'static Card) -> Result<(Self, MacAddress)>;

    fn limits(&self) -> Limits;

    /// From any state to that after power-up, interrupts masked.
    fn reset<D: Device>(&self, mmio: &Mmio<D>) -> Result<()>;

    /// Everything that does not belong to one queue, after a reset.
    fn init<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, config: &PortConfig) -> Result<()>;

    /// Replaces the address filter.
    fn set_filter<D: Device>(&self, mmio: &Mmio<D>, mac: MacAddress, filter: &Filter);

    /// Establishes the link anew.
    fn start_link<D: Device>(&self, mmio: &Mmio<D>) -> Result<()>;

    fn link<D: Device>(&self, mmio: &Mmio<D>) -> Link;

    /// Adds what the card has counted since the last time to `stats`.
    fn count<D: Device>(&self, mmio: &Mmio<D>, stats: &mut PortStats);

    /// Sets a receive queue up, with an empty ring.
    fn start_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace, setup: RxSetup) -> Result<()>;

    /// Lets frames into the queues that have been set up.
    fn enable_receive<D: Device>(&self, mmio: &Mmio<D>, queues: u32) -> Result<()>;

    /// Switches the transmit engine on, before any queue.
    fn enable_transmit<D: Device>(&self, mmio: &Mmio<D>);

    /// Sets a transmit queue up, with an empty ring, and enables it.
    fn start_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32, ring: RingPlace) -> Result<()>;

    /// Stops a receive queue: afterwards the card does not touch its ring and its buffers any more.
    fn stop_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()>;

    /// Stops a transmit queue: afterwards the card does not touch its ring and its buffers any more.
    fn stop_tx<D: Device>(&self, mmio: &Mmio<D>, queue: u32) -> Result<()>;

    /// Switches the engines off, and hands the card back to its firmware. Queues have been stopped before.
    fn silence<D: Device>(&self, mmio: &Mmio<D>);

    /// Has receive queue n raise vector n, once it is unmasked.
    fn init_interrupts<D: Device>(&self, mmio: &Mmio<D>, queues: u32);

    /// Forgets what a receive queue has signalled so far, and lets it signal again. A frame that has been written back before may signal
    /// or not: whoever waits looks for one after this. The card knows when this returns: it ends with a read, which pushes the writes before it
    /// through, or a frame could be written back, and its signal be forgotten, after the look.
    fn unmask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32);

    /// Keeps a receive queue from signalling.
    fn mask_rx<D: Device>(&self, mmio: &Mmio<D>, queue: u32);
}

/// Pause time that pause frames ask for, in units of 512 bit times: the longest.
pub(crate) const PAUSE_TIME: u32 = 0xFFFF;

/// The address that an EEPROM gives a port.
///
/// # Errors
/// A group's address, or none at all.
pub(crate) fn port_address<D: Device>(mmio: &Mmio<D>, mac: MacAddress) -> Result<MacAddress> {
    let is_group = mac[0] & 1 != 0;
    if is_group || mac == [0; 6] {
        let reason = format!("its MAC address {mac:02x?} is none of a port");
        return Err(Error::Eeprom { port: mmio.name().to_owned(), reason });
    }
    Ok(mac)
}

/// The RSS key of Microsoft's verification suite, which everyone uses.
pub(crate) const RSS_KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

/// The key as the key registers hold it.
pub(crate) fn rss_key_words() -> impl Iterator<Item = u32> {
    RSS_KEY.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// The redirection table over so many queues as its 32 registers hold it: four entries a register, a byte each.
pub(crate) fn rss_queue_words(queues: u32) -> impl Iterator<Item = u32> {
    const ENTRIES: u32 = 128;
    (0..ENTRIES).step_by(4).map(move |first| {
        let entry = |byte: u32| ((first + byte) % queues) << (8 * byte);
        entry(0) | entry(1) | entry(2) | entry(3)
    })
}
