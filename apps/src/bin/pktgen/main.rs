//! pktgen: sends traffic through ports, receives it, and measures what became of it.

#![forbid(unsafe_code)]

mod field;
mod random;
mod rate;
mod rfc2544;
mod signature;
mod size;
mod traffic;
mod trial;

fn main() {}
