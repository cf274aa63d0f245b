//! What Gannet's programs share: port names, the way from a name to a running port, and what every `main` does.
//!
//! This is the only place where drivers (`gannet`) and software cards (`gannet-sim`) meet.

#![forbid(unsafe_code)]

pub mod capture;
pub mod cores;
pub mod launch;
pub mod monitor;
pub mod port_name;
pub mod ports;
pub mod program;
pub mod registers;
pub mod running;
pub mod smoltcp_device;
pub mod values;
