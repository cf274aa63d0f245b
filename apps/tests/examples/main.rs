//! The examples: what their parts do, on cards that are stepped, and what the programs print.

#![forbid(unsafe_code)]

mod guide;
mod http;
mod l3fwd;
mod programs;
