//! The few words of PCI configuration space that a driver needs.

use crate::{Device, Result};

/// Who a device says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PciId {
    /// Vendor (0x8086 is Intel).
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Vendor of the board.
    pub subsystem_vendor: u16,
    /// The board.
    pub subsystem_device: u16,
    /// Stepping.
    pub revision: u8,
}

impl PciId {
    /// Reads it from configuration space (PCI 3.0, section 6.2.1: words 0x00, 0x02, 0x08, 0x2C, 0x2E).
    ///
    /// # Errors
    /// As [`Device::config_read`].
    pub fn read<D: Device>(device: &D) -> Result<PciId> {
        let word = |offset| read_u16(device, offset);
        Ok(PciId {
            vendor: word(0x00)?,
            device: word(0x02)?,
            subsystem_vendor: word(0x2C)?,
            subsystem_device: word(0x2E)?,
            revision: (word(0x08)? & 0xFF) as u8,
        })
    }
}

/// Offset of the command register.
pub const COMMAND: u16 = 0x04;

/// Command register bit 1: the device answers memory accesses.
pub const COMMAND_MEMORY: u16 = 1 << 1;

/// Command register bit 2: the device may start DMA.
pub const COMMAND_BUS_MASTER: u16 = 1 << 2;

/// Reads a little-endian word.
///
/// # Errors
/// As [`Device::config_read`].
pub fn read_u16<D: Device>(device: &D, offset: u16) -> Result<u16> {
    let mut bytes = [0; 2];
    device.config_read(offset, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

/// Whether a device may start DMA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusMaster {
    /// It may: needed before any queue runs.
    On,
    /// It may not: its DMA stops at the bridge.
    Off,
}

/// Switches memory space on and bus mastering on or off.
///
/// # Errors
/// As [`Device::config_read`].
pub fn set_bus_master<D: Device>(device: &D, state: BusMaster) -> Result<()> {
    let command = read_u16(device, COMMAND)? | COMMAND_MEMORY;
    let command = match state {
        BusMaster::On => command | COMMAND_BUS_MASTER,
        BusMaster::Off => command & !COMMAND_BUS_MASTER,
    };
    device.config_write(COMMAND, &command.to_le_bytes())
}
