//! The driver against the software 82599, step by step: time stands still unless the driver waits, and the card moves only when told.

mod bring_up;
mod configuration;
mod exhaustion;
mod filter;
mod frames;
mod gone;
mod harness;
mod hostile;
mod interrupts;
mod lifecycle;
mod meddler;
#[path = "../support/memory.rs"]
mod memory;
mod metadata;
mod mtu;
mod numa;
mod queues;
mod random;
mod receive;
mod registers;
mod rings;
mod scattered;
mod shared;
mod statistics;
mod taps;
mod tracking;
mod transmit;
