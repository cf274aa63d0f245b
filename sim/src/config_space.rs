//! PCI configuration space of a software card: identity, command register, BARs, capabilities.

use gannet_bus::pci::{COMMAND, COMMAND_BUS_MASTER, COMMAND_MEMORY, PciId};
use gannet_spec::x82599::regs;

/// Size of PCI Express configuration space.
const BYTES: usize = 4096;

const STATUS: usize = 0x06;
const REVISION: usize = 0x08;
const CLASS: usize = 0x0A;
const BAR0: usize = 0x10;
const BAR4: usize = 0x20;
const SUBSYSTEM: usize = 0x2C;
const CAPABILITIES: usize = 0x34;

// The 82599 has its capabilities at these places, and its drivers rely on them (datasheet 9.3).
const PM: usize = 0x40;
const MSIX: usize = 0x70;
const MSIX_CONTROL: usize = MSIX + 2;
const EXPRESS: usize = 0xA0;
const EXPRESS_CONTROL: usize = EXPRESS + 0x08;

/// Initiate function level reset, in the PCI Express device control register.
const FLR: u16 = 1 << 15;
/// MSI-X is on, and all its vectors are masked, in the MSI-X message control register.
const MSIX_ENABLE: u16 = 1 << 15;
const MSIX_MASK: u16 = 1 << 14;
/// Sizes of the BARs, for software that sizes them: registers, and MSI-X table.
const BAR_BYTES: [(usize, u32); 2] = [(BAR0, 128 << 10), (BAR4, 16 << 10)];

/// What a write to configuration space asks of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing more than the new content.
    None,
    /// A function level reset.
    Reset,
}

/// Its bytes, and which of them software may change.
#[derive(Debug)]
pub(crate) struct ConfigSpace {
    id: PciId,
    bytes: Box<[u8; BYTES]>,
    writable: Box<[u8; BYTES]>,
}

impl ConfigSpace {
    /// As after firmware or vfio-pci opened the device: memory answers, bus mastering is off.
    pub(crate) fn new(id: PciId) -> ConfigSpace {
        let mut space = ConfigSpace::after_reset(id);
        space.answer_memory();
        space
    }

    fn after_reset(id: PciId) -> ConfigSpace {
        let mut space = ConfigSpace { id, bytes: Box::new([0; BYTES]), writable: Box::new([0; BYTES]) };
        space.set(0x00, id.vendor);
        space.set(0x02, id.device);
        space.set(STATUS, 1 << 4); // has capabilities
        space.bytes[REVISION] = id.revision;
        space.set(CLASS, 0x0200); // Ethernet controller
        space.set(SUBSYSTEM, id.subsystem_vendor);
        space.set(SUBSYSTEM + 2, id.subsystem_device);
        for (bar, size) in BAR_BYTES {
            space.set(bar, 0x000C); // 64-bit, prefetchable
            space.allow32(bar, !(size - 1));
            space.allow32(bar + 4, u32::MAX);
        }
        space.bytes[CAPABILITIES] = PM as u8;
        space.set(PM, capability(0x01, MSIX));
        space.set(PM + 2, 0x0003);
        space.set(MSIX, capability(0x11, EXPRESS));
        space.set(MSIX_CONTROL, regs::VECTORS as u16 - 1);
        space.set(MSIX + 4, 4); // table in BAR 4 at 0
        space.set(MSIX + 8, 0x2004); // pending bits in BAR 4 at 0x2000
        space.set(EXPRESS, capability(0x10, 0));
        space.set(EXPRESS + 2, 0x0002); // version 2, endpoint
        space.set(EXPRESS + 6, 1 << 12); // device capabilities: function level reset
        space.set(EXPRESS_CONTROL, 0x2810);
        space.set(EXPRESS + 0x12, 0x0082); // link status: x8, 5 GT/s
        space.allow16(COMMAND.into(), COMMAND_MEMORY | COMMAND_BUS_MASTER | 0x0540);
        space.allow16(MSIX_CONTROL, MSIX_ENABLE | MSIX_MASK);
        space.allow16(EXPRESS_CONTROL, 0x7FFF);
        space.allow16(EXPRESS + 0x28, 0x001F); // completion timeout
        space
    }

    fn set(&mut self, at: usize, word: u16) {
        self.bytes[at..at + 2].copy_from_slice(&word.to_le_bytes());
    }

    fn allow16(&mut self, at: usize, mask: u16) {
        self.writable[at..at + 2].copy_from_slice(&mask.to_le_bytes());
    }

    fn allow32(&mut self, at: usize, mask: u32) {
        self.writable[at..at + 4].copy_from_slice(&mask.to_le_bytes());
    }

    /// The command register.
    pub(crate) fn command(&self) -> u16 {
        self.word(COMMAND.into())
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Function level reset: all that software wrote is gone, memory access and bus mastering with it (PCI Express 6.6.2).
    pub(crate) fn reset(&mut self) {
        *self = ConfigSpace::after_reset(self.id);
    }

    /// Lets registers answer.
    pub(crate) fn answer_memory(&mut self) {
        self.set(COMMAND.into(), self.command() | COMMAND_MEMORY);
    }

    /// Whether MSI-X messages may be sent.
    pub(crate) fn msix_on(&self) -> bool {
        self.word(MSIX_CONTROL) & (MSIX_ENABLE | MSIX_MASK) == MSIX_ENABLE
    }

    /// Turns MSI-X on or off, as the bus does when interrupts are connected.
    pub(crate) fn switch_msix(&mut self, on: bool) {
        let control = self.word(MSIX_CONTROL) & !MSIX_ENABLE;
        self.set(MSIX_CONTROL, if on { control | MSIX_ENABLE } else { control });
    }

    /// Reads; `None` beyond the end.
    pub(crate) fn read(&self, offset: u16, bytes: &mut [u8]) -> Option<()> {
        let start = usize::from(offset);
        bytes.copy_from_slice(self.bytes.get(start..start.checked_add(bytes.len())?)?);
        Some(())
    }

    /// Writes what is writable; `None` beyond the end.
    pub(crate) fn write(&mut self, offset: u16, bytes: &[u8]) -> Option<Effect> {
        let start = usize::from(offset);
        let range = start..start.checked_add(bytes.len())?;
        let mut effect = Effect::None;
        let targets = self.bytes.get_mut(range.clone())?.iter_mut().zip(self.writable.get(range)?);
        for (index, (&new, (old, mask))) in bytes.iter().zip(targets).enumerate() {
            *old = *old & !mask | new & mask;
            if start + index == EXPRESS_CONTROL + 1 && new & (FLR >> 8) as u8 != 0 {
                effect = Effect::Reset;
            }
        }
        Some(effect)
    }
}

const fn capability(id: u16, next: usize) -> u16 {
    id | (next as u16) << 8
}
