//! pktgen: sends traffic through ports, receives it, and measures what became of it.

#![forbid(unsafe_code)]

mod bench;
mod field;
mod gauge;
mod pacer;
mod random;
mod rate;
mod rfc2544;
mod receiver;
mod replay;
mod sender;
mod sequence;
mod signature;
mod size;
mod source;
mod supervisor;
mod traffic;
mod trial;
mod worker;

fn main() {}
