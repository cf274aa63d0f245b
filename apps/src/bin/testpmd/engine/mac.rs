//! Forwards frames as a router does: from the port's own address, to the peer at the other end of its cable.

use gannet::{MacAddress, Packet};
use gannet_mempool::Reason;

use super::{Engine, Stream, drops};

/// The engine.
pub(super) struct Mac;

impl Engine for Mac {
    fn turn(&mut self, stream: &mut Stream) -> usize {
        let received = stream.receive();
        let addresses = (stream.peer, stream.address);
        stream.edit(received, |packet| address(packet, addresses));
        received + stream.send()
    }
}

/// Gives a frame the destination and the source.
#[inline]
fn address(packet: &mut Packet, (destination, source): (MacAddress, MacAddress)) -> Result<(), &'static Reason> {
    let frame = packet.data_mut().map_err(|_| &drops::NO_BUFFER)?;
    // A card receives no frame that is shorter.
    let header = frame.first_chunk_mut::<12>().ok_or(&drops::MALFORMED)?;
    header[..6].copy_from_slice(&destination);
    header[6..].copy_from_slice(&source);
    Ok(())
}
