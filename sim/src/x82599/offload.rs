//! What the card does to a frame on its way out: checksums and VLAN tag (datasheet 7.2.4, 7.2.5).

use gannet_spec::x82599::context::{L4Type, TxContext, tx_option};
use gannet_spec::x82599::desc::tx_command;

use super::checksum;

/// Bytes of an Ethernet header without tag.
pub(super) const ETHERNET: usize = 14;
/// Bytes of a VLAN tag.
pub(super) const VLAN: usize = 4;
/// Where it goes.
const TAG: usize = 12;
/// Where the checksum lies in the headers.
const IPV4_CHECKSUM: usize = 10;
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;
const SCTP_CHECKSUM: usize = 8;

/// Whether a packet asks for anything that is done here.
#[inline(always)]
pub(super) fn wanted(command: u32, options: u32) -> bool {
    command & tx_command::VLE != 0 || options & (tx_option::IXSM | tx_option::TXSM) != 0
}

/// Does it to the frame, which is the first `len` bytes of `buffer`; there is room for a tag behind it. The new length, or `None`
/// if the context is not there or does not fit the frame.
pub(super) fn apply(
    (buffer, len): (&mut [u8], usize),
    command: u32,
    options: u32,
    contexts: &[Option<TxContext>; 2],
    ethertype: u16,
) -> Option<usize> {
    let frame = buffer.get_mut(..len)?;
    let index = options >> tx_option::INDEX_SHIFT & tx_option::INDEX_MASK;
    let context = (*contexts.get(index as usize)?)?;
    let l3 = usize::from(context.l2_length);
    let l4 = l3 + usize::from(context.l3_length);
    if options & tx_option::IXSM != 0 {
        // The sum covers the field itself, which software leaves 0.
        let sum = checksum::fold(checksum::sum(frame.get(l3..l4)?));
        put(frame, l3 + IPV4_CHECKSUM, (!sum).to_ne_bytes())?;
    }
    if options & tx_option::TXSM != 0 {
        let segment = frame.get(l4..)?;
        // Software has put the sum of the pseudo header into the field, so this covers all.
        let sum = !checksum::fold(checksum::sum(segment));
        match context.l4_type {
            // 0 would mean that there is no checksum (RFC 768).
            L4Type::Udp => put(frame, l4 + UDP_CHECKSUM, if sum == 0 { [0xFF; 2] } else { sum.to_ne_bytes() })?,
            L4Type::Tcp => put(frame, l4 + TCP_CHECKSUM, sum.to_ne_bytes())?,
            L4Type::Sctp => {
                let sum = checksum::sctp(segment)?;
                put(frame, l4 + SCTP_CHECKSUM, sum)?;
            }
            L4Type::Reserved => return None,
        }
    }
    if command & tx_command::VLE == 0 {
        return Some(len);
    }
    buffer.get_mut(..len + VLAN)?.copy_within(TAG..len, TAG + VLAN);
    put(buffer, TAG, ethertype.to_be_bytes())?;
    put(buffer, TAG + 2, context.vlan_tag.to_be_bytes())?;
    Some(len + VLAN)
}

fn put<const N: usize>(frame: &mut [u8], at: usize, bytes: [u8; N]) -> Option<()> {
    frame.get_mut(at..at + N)?.copy_from_slice(&bytes);
    Some(())
}
