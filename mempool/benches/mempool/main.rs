//! Cycles of the time stamp counter that packet memory costs.
//!
//! - [`packets`]: allocating and freeing, plain, charged, tracked, under pressure;
//! - [`ownership`]: sharing, copy on write, chains, fragments, foreign memory, charges;
//! - [`cores`]: allocating on one core and freeing on another.
//!
//! A figure is the median of many short runs: on a shared machine the system takes the core away in some of them. The least is shown
//! beside it. Where the figure has a limit the line says whether it is met; a missed one is no failure, since the machine may have been
//! busy. `cargo bench` prints a table and one line a case for scripts; without `--bench` it only checks that the cases run.
//! Arguments that are no options choose cases: those whose name contains one of them.

#![allow(missing_docs)]

mod cores;
mod measure;
mod ownership;
mod packets;

use measure::Bench;

fn main() {
    let bench = Bench::from_arguments();
    packets::all(&bench);
    ownership::all(&bench);
    cores::all(&bench);
}
