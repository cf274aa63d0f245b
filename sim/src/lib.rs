//! Register-accurate software network cards and the cables between them.

#![forbid(unsafe_code)]

pub mod peer;
