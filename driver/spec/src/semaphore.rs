//! The semaphore by which drivers and firmware take turns, the same in all of Intel's controllers here.

use bitfield_struct::bitfield;

/// Value of a controller's SWSM register (82599 8.2.3.4.11, 82576 8.7.3). A read returns SMBI as it was and sets it.
#[bitfield(u32)]
pub struct Swsm {
    /// Taken by another software agent.
    pub smbi: bool,
    /// Ours against the firmware, if it reads back 1.
    pub swesmbi: bool,
    #[bits(30)]
    __: u32,
}
