//! A port as a network device of smoltcp: a TCP/IP stack over a card's queues.
//!
//! ```text
//!   RxQueue ──burst──► received ──RxToken──► smoltcp reads the frame where the card has put it
//!   TxQueue ◄──burst── to_send ◄──TxToken── smoltcp writes the frame where the card will read it
//! ```
//!
//! Between the card and smoltcp no byte is copied; smoltcp copies between a frame and its sockets' buffers.

use gannet::{Burst, Packet, Pool, Queues, RxQueue, TxQueue};
use gannet_mempool::Reason;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Bytes of an Ethernet header, which smoltcp counts as part of its MTU.
const HEADER: usize = 14;

/// Packets received or sent at once.
const BURST: usize = 32;

static TOO_LONG: Reason =
    Reason::new("smoltcp", "too_long", "a frame of smoltcp's that is longer than a buffer of the pool");

/// A pair of queues, as smoltcp sees a network device.
///
/// After each `Interface::poll` call [`Self::flush`].
#[derive(Debug)]
pub struct PortDevice {
    rx: RxQueue,
    tx: TxQueue,
    /// Where the buffers of frames to be sent come from.
    pool: Pool,
    mtu: u16,
    received: Burst,
    to_send: Burst,
}

impl PortDevice {
    /// A device on these queues, whose port has this MTU (`PortConfig::mtu`). It sends in buffers of `pool`: one that the port can send
    /// (`PortConfig::tx_pools`), with room for an Ethernet header and the bytes of the MTU.
    pub fn new(rx: RxQueue, tx: TxQueue, pool: &Pool, mtu: u16) -> PortDevice {
        TOO_LONG.register();
        PortDevice { rx, tx, pool: pool.clone(), mtu, received: Burst::new(BURST), to_send: Burst::new(BURST) }
    }

    /// Hands to the card what smoltcp has written, and brings home what was sent. What the card has no room for waits for the
    /// next call. Returns how many frames the card took.
    pub fn flush(&mut self) -> usize {
        self.tx.send(&mut self.to_send)
    }

    /// The queues, to stop their port. Frames that wait on either side are dropped.
    pub fn into_queues(self) -> Queues {
        Queues { rx: vec![self.rx], tx: vec![self.tx] }
    }
}

impl phy::Device for PortDevice {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    /// The next frame, and a place for the answer to it. Without such a place the frame waits.
    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken<'_>)> {
        if self.received.is_empty() && self.rx.receive(&mut self.received) == 0 {
            return None;
        }
        let answer = TxToken::new(&mut self.tx, &self.pool, &mut self.to_send)?;
        Some((RxToken(self.received.pop_front()?), answer))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        TxToken::new(&mut self.tx, &self.pool, &mut self.to_send)
    }

    /// smoltcp checks and computes all checksums: what a card has checked differs from frame to frame, and smoltcp asks once.
    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = HEADER + usize::from(self.mtu);
        capabilities
    }
}

/// A frame that has arrived. Its buffer goes home once smoltcp has read it.
#[derive(Debug)]
pub struct RxToken(Packet);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0.data())
    }
}

/// A buffer for a frame to be sent. It goes home if smoltcp has nothing to send.
#[derive(Debug)]
pub struct TxToken<'a> {
    packet: Packet,
    to_send: &'a mut Burst,
}

impl<'a> TxToken<'a> {
    /// `None` while the transmit ring is full or the pool empty. The buffer is taken here, because consuming a token cannot fail.
    fn new(tx: &mut TxQueue, pool: &Pool, to_send: &'a mut Burst) -> Option<TxToken<'a>> {
        if to_send.room() == 0 && tx.send(to_send) == 0 {
            return None;
        }
        Some(TxToken { packet: pool.alloc()?, to_send })
    }
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let TxToken { mut packet, to_send } = self;
        match packet.append(len) {
            Ok(frame) => {
                let result = write(frame);
                // There is room: `new` has seen to it.
                let _ = to_send.push(packet);
                result
            }
            // Not with a pool as `PortDevice::new` asks for. smoltcp must write somewhere all the same.
            Err(_) => {
                packet.drop_with(&TOO_LONG);
                write(&mut vec![0; len])
            }
        }
    }
}
