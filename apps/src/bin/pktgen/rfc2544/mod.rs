//! Benchmarks a device between two ports after RFC 2544: throughput, latency, frame loss rate.
//!
//! [`search`] is the bisection, [`campaign`] runs the trials, [`measured`] is what they gave, [`report`] tells it, with [`plot`]s, and says
//! at which [`site`] it was.

mod campaign;
mod measured;
mod plot;
mod report;
mod search;
mod site;
#[cfg(test)]
mod tests;
