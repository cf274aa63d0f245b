//! What Gannet's programs share: port names, and the way from a name to a port.
//!
//! This is the only place where drivers (`gannet`) and software cards (`gannet-sim`) meet.

#![forbid(unsafe_code)]

pub mod cores;
pub mod port_name;
pub mod ports;
pub mod smoltcp_device;
