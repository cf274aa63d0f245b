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

/// Finds the capability `id` in the first 256 bytes of configuration space (PCI 3.0, section 6.7): its offset, if the device has it.
///
/// # Errors
/// As [`Device::config_read`].
pub fn capability<D: Device>(device: &D, id: u8) -> Result<Option<u16>> {
    const STATUS: u16 = 0x06;
    const HAS_CAPABILITIES: u16 = 1 << 4;
    const FIRST: u16 = 0x34;
    /// Where capabilities may lie, and how many fit there: a list that is longer runs in a circle.
    const LOWEST: u16 = 0x40;
    const MOST: u16 = (0x100 - LOWEST) / 4;
    if read_u16(device, STATUS)? & HAS_CAPABILITIES == 0 {
        return Ok(None);
    }
    let mut offset = read_u16(device, FIRST)? & 0xFC;
    for _ in 0..MOST {
        if offset < LOWEST {
            break;
        }
        let header = read_u16(device, offset)?;
        if header & 0xFF == u16::from(id) {
            return Ok(Some(offset));
        }
        offset = header >> 8 & 0xFC;
    }
    Ok(None)
}

/// Lets the device wait 16 to 55 ms for the completion of a request, where so far the default holds, 50 us to 50 ms (PCI Express 3.0, section
/// 7.8.16, Device Control 2). Nothing happens to a device whose PCI Express capability is older than version 2 or absent.
///
/// # Errors
/// As [`Device::config_read`] and [`Device::config_write`].
pub fn raise_completion_timeout<D: Device>(device: &D) -> Result<()> {
    const EXPRESS: u8 = 0x10;
    const FLAGS: u16 = 0x02;
    const VERSION: u16 = 0xF;
    const DEVICE_CONTROL_2: u16 = 0x28;
    const COMPLETION_TIMEOUT: u16 = 0xF;
    const FROM_16_TO_55_MS: u16 = 0x5;
    let Some(express) = capability(device, EXPRESS)? else { return Ok(()) };
    if read_u16(device, express + FLAGS)? & VERSION < 2 {
        return Ok(());
    }
    let control = read_u16(device, express + DEVICE_CONTROL_2)?;
    if control & COMPLETION_TIMEOUT != 0 {
        return Ok(());
    }
    device.config_write(express + DEVICE_CONTROL_2, &(control | FROM_16_TO_55_MS).to_le_bytes())
}
