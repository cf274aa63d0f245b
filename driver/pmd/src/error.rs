//! What can go wrong with a port. The data path has no errors: it returns counts and leaves what it did not take.

use crate::tap::Direction;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No driver of Gannet's knows the device.
    #[error(
        "{port}: no driver for PCI device {vendor:04x}:{device:04x}; docs/hardware.md lists the cards that have one"
    )]
    Unsupported {
        /// Name of the device.
        port: String,
        /// PCI vendor.
        vendor: u16,
        /// PCI device.
        device: u16,
    },
    /// The card did not do in time what it should.
    #[error(
        "{port}: waited {waited_us} us for {what}, in vain: reset the card or its slot, and look for its other users"
    )]
    Timeout {
        /// Name of the device.
        port: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited_us: u64,
    },
    /// The EEPROM's content cannot be trusted.
    #[error("{port}: the EEPROM is bad ({reason}): the vendor's tool can write it anew")]
    Eeprom {
        /// Name of the device.
        port: String,
        /// What is wrong.
        reason: String,
    },
    /// A port whose driver knows copper only.
    #[error(
        "{port}: it is wired for {medium}, and the driver knows copper only, as that board should be: use another port or card"
    )]
    Medium {
        /// Name of the device.
        port: String,
        /// What it is wired for.
        medium: &'static str,
    },
    /// The PHY has not taken part in an access to one of its registers.
    #[error(
        "{port}: its PHY reports an error instead of register {register}: reset the card's slot, or take another card"
    )]
    Phy {
        /// Name of the device.
        port: String,
        /// Number of the register.
        register: u8,
    },
    /// A configuration that the card cannot run.
    #[error("{port}: {reason}")]
    Config {
        /// Name of the device.
        port: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The pool cannot fill the receive rings.
    #[error(
        "{port}: the pool has {free} free buffers, a receive ring of {descriptors} descriptors needs {needed}: make it larger"
    )]
    PoolTooSmall {
        /// Name of the device.
        port: String,
        /// Buffers free.
        free: u32,
        /// Buffers needed.
        needed: u32,
        /// Size of the ring.
        descriptors: u32,
    },
    /// The receive buffers cannot hold the frames of the MTU.
    #[error(
        "{port}: the frames of an MTU of {mtu} need receive buffers with a data_room of {needed} bytes, those of its pool have {room}"
    )]
    BuffersTooSmall {
        /// Name of the device.
        port: String,
        /// The MTU in bytes.
        mtu: u16,
        /// Bytes that a buffer holds.
        room: u16,
        /// Bytes that it must hold.
        needed: u16,
    },
    /// A queue came back to a port that it is not of.
    #[error("{port}: a queue of {other} was handed back to it")]
    ForeignQueue {
        /// Name of the port.
        port: String,
        /// The queue's port.
        other: String,
    },
    /// A queue did not come back, nor was it dropped.
    #[error("{port}: a queue is still out: hand all of them back, or drop them before")]
    QueuesOut {
        /// Name of the port.
        port: String,
    },
    /// A capture wants a queue that another one has.
    #[error("{port}: a capture is already attached to its {direction} queue {queue}: end that one first")]
    Tapped {
        /// Name of the port.
        port: String,
        /// Which kind of queue.
        direction: Direction,
        /// Its number.
        queue: usize,
    },
    /// A capture wants a queue that is gone.
    #[error("{port}: its {direction} queue {queue} is closed: start the port again")]
    QueueClosed {
        /// Name of the port.
        port: String,
        /// Which kind of queue.
        direction: Direction,
        /// Its number.
        queue: usize,
    },
    /// The way to the device.
    #[error(transparent)]
    Bus(#[from] gannet_bus::Error),
    /// Packet memory.
    #[error(transparent)]
    Memory(#[from] gannet_mempool::Error),
}

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, Error>;
