//! Full, empty and wrap-around, at every place of the ring where they can fall.

use super::{Queue, for_both_rings};
use crate::{Error, MAX_CAPACITY};

for_both_rings! {
    rejects_invalid_capacities
    refuses_what_cannot_be_allocated
    fills_and_empties_by_single_elements
    fills_and_empties_by_bulk
    bulk_takes_all_or_nothing
    burst_takes_what_fits
    keeps_order_when_used_in_odd_pieces
    copies_runs_of_every_length
    nothing_is_always_possible
    holds_elements_of_no_size
}

const CAPACITIES: &[u64] = if cfg!(miri) { &[1, 4] } else { &[1, 2, 8, 16] };

/// Where the indices begin: every slot, the end of 32 bits, and the end of all.
fn starts(capacity: u64) -> impl Iterator<Item = u64> {
    let before = |end: u64| (0..=capacity).map(move |n| end.wrapping_sub(n));
    (0..capacity).chain(before(1 << 32)).chain(before(0))
}

/// An empty ring for each capacity and start.
fn rings<Q: Queue<u32>>() -> impl Iterator<Item = Q> {
    CAPACITIES
        .iter()
        .flat_map(|&capacity| starts(capacity).map(move |start| Q::starting_at(capacity as usize, start).unwrap()))
}

fn numbers(count: usize) -> Vec<u32> {
    (1..=count as u32).collect()
}

fn rejects_invalid_capacities<Q: Queue<u32>>() {
    for capacity in [0, 3, 6, 1023, MAX_CAPACITY + 1, MAX_CAPACITY * 2, usize::MAX] {
        let error = Q::starting_at(capacity, 0).err();
        assert!(
            matches!(error, Some(Error::InvalidCapacity { requested, .. }) if requested == capacity),
            "{capacity}: {error:?}"
        );
    }
}

/// 2^53 bytes: more than there are addresses.
fn refuses_what_cannot_be_allocated<Q: Queue<[u8; 1 << 22]>>() {
    if cfg!(miri) {
        return; // Miri ends the program when memory runs out.
    }
    let error = Q::starting_at(MAX_CAPACITY, 0).err();
    let expected = Error::OutOfMemory { capacity: MAX_CAPACITY, element_bytes: 1 << 22 };
    assert_eq!(error, Some(expected));
}

fn fills_and_empties_by_single_elements<Q: Queue<u32>>() {
    for mut ring in rings::<Q>() {
        let values = numbers(ring.capacity());
        for _ in 0..2 {
            assert_eq!(ring.pop(), None);
            for (len, value) in values.iter().enumerate() {
                assert_eq!(ring.checked_len(), len);
                assert_eq!(ring.push(*value), Ok(()));
            }
            assert_eq!(ring.push(99), Err(99));
            assert_eq!(ring.checked_len(), ring.capacity());
            assert!(values.iter().all(|value| ring.pop() == Some(*value)));
            assert_eq!(ring.checked_len(), 0);
        }
    }
}

fn fills_and_empties_by_bulk<Q: Queue<u32>>() {
    for mut ring in rings::<Q>() {
        let values = numbers(ring.capacity());
        let mut out = vec![0; ring.capacity()];
        for _ in 0..2 {
            assert!(ring.enqueue_bulk(&values));
            assert!(!ring.enqueue_bulk(&[99]));
            assert_eq!(ring.checked_len(), ring.capacity());
            assert!(ring.dequeue_bulk(&mut out));
            assert_eq!(out, values);
            assert!(!ring.dequeue_bulk(&mut out[..1]));
            assert_eq!(ring.checked_len(), 0);
        }
    }
}

fn bulk_takes_all_or_nothing<Q: Queue<u32>>() {
    for mut ring in rings::<Q>() {
        let capacity = ring.capacity();
        let values = numbers(capacity + 1);
        let mut out = vec![0; capacity + 1];

        assert!(!ring.enqueue_bulk(&values));
        assert_eq!(ring.checked_len(), 0);
        assert!(ring.enqueue_bulk(&values[1..capacity]));
        assert!(!ring.enqueue_bulk(&values[..2]), "one is free");
        assert!(ring.enqueue_bulk(&values[..1]));

        assert!(!ring.dequeue_bulk(&mut out));
        assert!(out.iter().all(|value| *value == 0));
        assert_eq!(ring.checked_len(), capacity);
        assert!(ring.dequeue_bulk(&mut out[..capacity]));
        assert_eq!(out[..capacity - 1], values[1..capacity]);
        assert_eq!(out[capacity - 1], values[0]);
    }
}

fn burst_takes_what_fits<Q: Queue<u32>>() {
    for mut ring in rings::<Q>() {
        let capacity = ring.capacity();
        let values = numbers(capacity + 3);
        let mut out = vec![0; capacity + 3];

        assert_eq!(ring.dequeue_burst(&mut out), 0);
        assert_eq!(ring.enqueue_burst(&values), capacity);
        assert_eq!(ring.enqueue_burst(&values), 0);
        assert_eq!(ring.dequeue_burst(&mut out[..1]), 1);
        assert_eq!(ring.enqueue_burst(&values[capacity..]), 1);
        assert_eq!(ring.dequeue_burst(&mut out[1..]), capacity);
        assert_eq!(out[..capacity + 1], values[..capacity + 1]);
        assert_eq!(out[capacity + 1..], [0, 0]);
        assert_eq!(ring.checked_len(), 0);
    }
}

fn keeps_order_when_used_in_odd_pieces<Q: Queue<u32>>() {
    for mut ring in rings::<Q>() {
        let (mut sent, mut received) = (0, 0);
        for round in 0..40 {
            let chunk: Vec<u32> = (sent..sent + 3 + round % 4).collect();
            sent += ring.enqueue_burst(&chunk) as u32;
            let mut out = [0; 5];
            let count = ring.dequeue_burst(&mut out);
            for value in &out[..count] {
                assert_eq!(*value, received);
                received += 1;
            }
        }
        assert_eq!(ring.checked_len() as u32, sent - received);
    }
}

/// Long enough for every way of copying, and wrapping in most rounds.
fn copies_runs_of_every_length<Q: Queue<u32>>() {
    let mut ring = Q::starting_at(256, 0).unwrap();
    for count in (1..=256).step_by(if cfg!(miri) { 37 } else { 1 }) {
        let values = numbers(count);
        let mut out = vec![0; count];
        assert!(ring.enqueue_bulk(&values));
        assert!(ring.dequeue_bulk(&mut out));
        assert_eq!(out, values);
    }
}

fn nothing_is_always_possible<Q: Queue<u32>>() {
    let mut ring = Q::starting_at(2, 0).unwrap();
    for _ in 0..3 {
        assert!(ring.enqueue_bulk(&[]) && ring.dequeue_bulk(&mut []));
        assert_eq!((ring.enqueue_burst(&[]), ring.dequeue_burst(&mut [])), (0, 0));
        let _ = ring.push(1);
    }
    assert_eq!(ring.checked_len(), 2);
}

fn holds_elements_of_no_size<Q: Queue<()>>() {
    let mut ring = Q::starting_at(4, 3).unwrap();
    assert!(ring.enqueue_bulk(&[(); 3]));
    assert_eq!(ring.enqueue_burst(&[(); 3]), 1);
    assert_eq!(ring.push(()), Err(()));
    let mut out = Vec::new();
    assert_eq!(ring.dequeue_burst_into(&mut out, 3), 3);
    assert_eq!((out.len(), ring.checked_len()), (3, 1));
}
