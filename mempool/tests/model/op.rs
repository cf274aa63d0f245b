//! What can be done. Which packet is meant is a number modulo those there are.

use gannet_mempool::Priority;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{ACCOUNTS, BUFFERS, MEMORY};

/// How a packet is got.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Pool(Priority),
    Account(usize),
    Fragment,
    /// From here on, so many bytes of the application's memory.
    External(usize, usize),
}

/// What is done to the first segment of a packet.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Append(Vec<u8>),
    Prepend(Vec<u8>),
    Trim(usize),
    Adjust(usize),
    Invert,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Make { source: Source, content: Vec<u8> },
    MakeBulk { count: usize },
    Free { which: usize },
    FreeInBurst { count: usize },
    FreeElsewhere { count: usize },
    Change { which: usize, change: Change },
    Share { which: usize },
    Charge { which: usize, account: usize },
    AppendSegment { which: usize, behind: usize },
    DetachTail { which: usize },
    Split { which: usize, at: usize },
    Linearize { which: usize },
    Arm { count: u32 },
    Receive { count: u32, discard_every: u32 },
    Send { count: usize },
    Release { count: u32 },
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        4 => Just(Source::Pool(Priority::Normal)),
        1 => prop_oneof![Just(Source::Pool(Priority::Low)), Just(Source::Pool(Priority::High))],
        2 => (0..ACCOUNTS).prop_map(Source::Account),
        2 => Just(Source::Fragment),
        2 => (0..MEMORY, 0..MEMORY + 1).prop_map(|(start, len)| Source::External(start, len)),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..100), 1 => vec(any::<u8>(), 400..600)]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        bytes().prop_map(Change::Append),
        bytes().prop_map(Change::Prepend),
        (0..600usize).prop_map(Change::Trim),
        (0..600usize).prop_map(Change::Adjust),
        Just(Change::Invert),
    ]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let which = || 0..usize::MAX;
    prop_oneof![
        6 => (source(), bytes()).prop_map(|(source, content)| Op::Make { source, content }),
        2 => (0..BUFFERS / 4).prop_map(|count| Op::MakeBulk { count }),
        3 => which().prop_map(|which| Op::Free { which }),
        1 => (0..BUFFERS / 4).prop_map(|count| Op::FreeInBurst { count }),
        1 => (0..BUFFERS / 4).prop_map(|count| Op::FreeElsewhere { count }),
        8 => (which(), change()).prop_map(|(which, change)| Op::Change { which, change }),
        3 => which().prop_map(|which| Op::Share { which }),
        2 => (which(), 0..ACCOUNTS).prop_map(|(which, account)| Op::Charge { which, account }),
        4 => (which(), which()).prop_map(|(which, behind)| Op::AppendSegment { which, behind }),
        1 => which().prop_map(|which| Op::DetachTail { which }),
        3 => (which(), 0..700usize).prop_map(|(which, at)| Op::Split { which, at }),
        2 => which().prop_map(|which| Op::Linearize { which }),
        2 => (0..20u32).prop_map(|count| Op::Arm { count }),
        2 => (0..20u32, 1..5u32).prop_map(|(count, discard_every)| Op::Receive { count, discard_every }),
        2 => (0..20usize).prop_map(|count| Op::Send { count }),
        2 => (0..20u32).prop_map(|count| Op::Release { count }),
    ]
}
