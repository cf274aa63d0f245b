//! The software 82599, step by step: a minimal driver writes registers and rings by hand, and looks at what comes of it.

mod abuse;
mod engine;
mod faults;
mod frames;
mod harness;
mod interrupts;
mod memory;
mod receive;
mod registers;
mod transmit;
