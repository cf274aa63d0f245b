//! An operation's last store is the end of its use of the ring: whoever has seen it may free the
//! ring, though the call is yet to return. Worth running under miri, with many seeds.
#![cfg(not(loom))]
#![allow(unsafe_code)]

use std::thread;

use gannet_ring::mpmc::Ring;

const ROUNDS: u32 = if cfg!(miri) { 20 } else { 2000 };

/// A ring to be freed by whoever is last to need it.
#[derive(Clone, Copy)]
struct Shared(*const Ring<u32>);

// SAFETY: a pointer to a `Sync` ring.
unsafe impl Send for Shared {}

impl Shared {
    fn new() -> Self {
        Self(Box::into_raw(Box::new(Ring::with_capacity(4).unwrap())))
    }

    /// # Safety
    ///
    /// The ring is not freed before it is known that an operation through the reference has ended.
    unsafe fn ring<'a>(self) -> &'a Ring<u32> {
        // SAFETY: as above.
        unsafe { &*self.0 }
    }

    /// # Safety
    ///
    /// All operations on the ring have ended, and no more begin.
    unsafe fn free(self) {
        // SAFETY: as above, and `new` made the pointer from a box.
        drop(unsafe { Box::from_raw(self.0.cast_mut()) });
    }
}

#[test]
fn the_ring_may_go_once_all_elements_have_arrived() {
    for _ in 0..ROUNDS {
        let shared = Shared::new();
        // SAFETY: freed below, when the element has arrived.
        let sender = thread::spawn(move || unsafe { assert!({ shared }.ring().enqueue_bulk(&[7, 8])) });
        // SAFETY: not yet freed.
        let ring = unsafe { shared.ring() };
        while !ring.dequeue_bulk(&mut [0; 2]) {
            thread::yield_now();
        }
        // SAFETY: the only operation of the other thread is seen to have ended.
        unsafe { shared.free() };
        sender.join().unwrap();
    }
}

#[test]
fn the_ring_may_go_once_all_slots_are_free() {
    for _ in 0..ROUNDS {
        let shared = Shared::new();
        // SAFETY: not yet freed.
        let ring = unsafe { shared.ring() };
        assert!(ring.enqueue_bulk(&[7, 8]));
        let receiver = thread::spawn(move || {
            // SAFETY: freed below, when the elements have been taken.
            unsafe { assert!({ shared }.ring().dequeue_bulk(&mut [0; 2])) }
        });
        while !ring.is_empty() {
            thread::yield_now();
        }
        // SAFETY: the only operation of the other thread is seen to have ended.
        unsafe { shared.free() };
        receiver.join().unwrap();
    }
}
