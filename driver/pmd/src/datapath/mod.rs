//! The data path, for all families: descriptor rings with the buffers in them.
//!
//! Generic over bus and family, so that a register access is one instruction and a descriptor's bits are constants; called through
//! [`crate::queue`], dynamically, once a burst.

mod rx;
mod tx;

pub(crate) use rx::RxRing;
pub(crate) use tx::TxRing;
