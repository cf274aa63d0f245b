//! Forwards frames with source and destination address swapped.

use gannet::Packet;
use gannet_mempool::Reason;

use super::{Engine, Stream, drops};

/// The engine.
pub(super) struct Macswap;

impl Engine for Macswap {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive();
        stream.edit(received, swap);
        received + stream.send()
    }
}

#[inline]
fn swap(packet: &mut Packet) -> Result<(), &'static Reason> {
    let frame = packet.data_mut().map_err(|_| &drops::NO_BUFFER)?;
    // A card receives no frame that is shorter.
    let header = frame.first_chunk_mut::<12>().ok_or(&drops::MALFORMED)?;
    let (destination, source) = header.split_at_mut(6);
    destination.swap_with_slice(source);
    Ok(())
}
