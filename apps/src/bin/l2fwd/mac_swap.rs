//! Swapping the addresses of frames, for `--mac-swap`.

use std::mem;

use gannet::{Burst, Packet, Refused};

use crate::drops;

/// Swaps source and destination of the packets behind the first `old` ones. Those that cannot be changed are dropped.
#[inline(always)]
pub(crate) fn swap_addresses(burst: &mut Burst, old: usize) {
    if let Some(refused) = burst[old..].iter_mut().position(|packet| swap(packet).is_err()) {
        drop_refused(burst, old + refused);
    }
}

/// The two addresses of an Ethernet header. A packet that shares its buffer gets one of its own first, if there is one.
#[inline(always)]
fn swap(packet: &mut Packet) -> Result<(), Refused> {
    if let Some((destination, rest)) = packet.data_mut()?.split_first_chunk_mut::<6>()
        && let Some(source) = rest.first_chunk_mut::<6>()
    {
        mem::swap(destination, source);
    }
    Ok(())
}

/// Drops the packet at `refused`, and goes on behind it: the packets go once round the burst, in their order.
#[cold]
fn drop_refused(burst: &mut Burst, refused: usize) {
    for at in 0..burst.len() {
        let Some(mut packet) = burst.pop_front() else { return };
        if at < refused || (at > refused && swap(&mut packet).is_ok()) {
            // There is room: one has been taken out.
            let _ = burst.push(packet);
        } else {
            packet.drop_with(&drops::NO_COPY);
        }
    }
}

#[cfg(test)]
mod tests {
    use gannet::{Pool, PoolOptions};

    use super::*;

    #[test]
    fn a_shared_packet_without_a_buffer_for_its_copy_is_dropped_with_a_reason_and_the_others_go_on() {
        let pool = Pool::new(&PoolOptions { buffers: 4, cache: 0, ..PoolOptions::default() }).unwrap();
        let mut burst = Burst::new(4);
        assert!(pool.alloc_bulk(&mut burst, 4));
        for (number, packet) in (0..).zip(burst.iter_mut()) {
            packet.append(12).unwrap().copy_from_slice(&[[number; 6], [10 + number; 6]].concat());
        }
        // Two of them are held by somebody else too, and all buffers are in use.
        let shared: Vec<Packet> = [1, 2].map(|at: usize| burst[at].share()).into();

        swap_addresses(&mut burst, 1);

        assert_eq!(drops::NO_COPY.value(), 2);
        let frames: Vec<&[u8]> = burst.iter().map(Packet::data).collect();
        let as_it_was = [[0; 6], [10; 6]].concat();
        let swapped = [[13; 6], [3; 6]].concat();
        assert_eq!(frames, [as_it_was, swapped]);
        let untouched: Vec<u8> = shared.iter().map(|packet| packet.data()[0]).collect();
        assert_eq!(untouched, [1, 2]);

        drop((burst, shared));
        assert_eq!(pool.census().out, 0);
    }
}
