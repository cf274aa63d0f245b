//! An open PCI function: its file, configuration space, BARs and interrupts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};
use vfio_bindings::bindings::vfio::*;

use super::bar::{self, Bar};
use super::capability;
use super::container::Membership;
use super::msix;
use super::refusal::Refusal;
use super::sys::{self, RegionInfo};
use crate::pci::{COMMAND, COMMAND_BUS_MASTER, COMMAND_MEMORY};
use crate::sysfs::PciAddress;
use crate::{Condition, Error, Result};

/// Offset of revision and class code. They come from the card itself; vendor and device, which come from the kernel's memory, outlive it.
const REVISION_AND_CLASS: u16 = 0x08;

/// Offset of control and status in the power management capability (PCI power management 1.2, section 3.2.4).
const POWER_STATE: u16 = 4;

/// A PCI function in the hands of this process. BARs hold it too: it is closed after the last of them is unmapped.
#[derive(Debug)]
pub(super) struct Function {
    name: String,
    file: File,
    config: RegionInfo,
    /// Where its power state is in configuration space, if it has more than one.
    power_state: Option<u16>,
    /// Number of its MSI-X vectors.
    interrupts: u16,
    /// Signalled when the machine wants the card back.
    request: EventFd,
    requested: AtomicBool,
    /// Whether MSI-X vectors are connected.
    connected: Mutex<bool>,
    /// Given up after `file` is closed: a group with an open device cannot leave its container.
    membership: Membership,
}

impl Function {
    /// Takes a card that has just been opened. (On an error the file is closed before the membership ends.)
    pub(super) fn new(address: PciAddress, membership: Membership, file: File) -> Result<Function, Refusal> {
        let config = sys::region_info(file.as_fd(), VFIO_PCI_CONFIG_REGION_INDEX)
            .map_err(|why| Refusal::system("finding its configuration space", why))?;
        let request = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|why| Refusal::system("making an eventfd", why))?;
        // Kernels before 4.0 have no such request: there, unplugging waits without a word.
        if sys::interrupt_count(file.as_fd(), VFIO_PCI_REQ_IRQ_INDEX).is_ok_and(|count| count > 0) {
            sys::set_interrupts(file.as_fd(), VFIO_PCI_REQ_IRQ_INDEX, &[request.as_fd()])
                .map_err(|why| Refusal::system("connecting the request to give the card back", why))?;
        }
        let interrupts = sys::interrupt_count(file.as_fd(), VFIO_PCI_MSIX_IRQ_INDEX)
            .map_err(|why| Refusal::system("counting its MSI-X vectors", why))?;
        let mut function = Function {
            name: super::name(address),
            file,
            config,
            power_state: None,
            interrupts: interrupts.min(u16::MAX.into()) as u16,
            request,
            requested: AtomicBool::new(false),
            connected: Mutex::new(false),
            membership,
        };
        let read = |offset, bytes: &mut [u8]| function.config_read(offset, bytes);
        let power_management = capability::find(capability::POWER_MANAGEMENT, read)
            .map_err(|why| Refusal::system("reading its configuration space", io::Error::other(why)))?;
        function.power_state = power_management.map(|at| at + POWER_STATE);
        Ok(function)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(super) fn config_read(&self, offset: u16, bytes: &mut [u8]) -> Result<()> {
        let position = self.config_position(offset, bytes.len())?;
        self.file.read_exact_at(bytes, position).map_err(|why| self.config_error(offset, why))
    }

    /// Writes configuration space, but for what would make accesses to mapped BARs fail: they stay good as long as the function is open.
    pub(super) fn config_write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        match hazard(offset, bytes, self.power_state) {
            Some(why) => Err(self.config_error(offset, io::Error::other(why))),
            None => self.write(offset, bytes),
        }
    }

    fn write(&self, offset: u16, bytes: &[u8]) -> Result<()> {
        let position = self.config_position(offset, bytes.len())?;
        self.file.write_all_at(bytes, position).map_err(|why| self.config_error(offset, why))
    }

    fn config_position(&self, offset: u16, len: usize) -> Result<u64> {
        let end = u64::from(offset) + len as u64;
        if end > self.config.size {
            let beyond = io::Error::other(format!("{len} bytes there are beyond its end ({:#x})", self.config.size));
            return Err(self.config_error(offset, beyond));
        }
        Ok(self.config.offset + u64::from(offset))
    }

    fn config_error(&self, offset: u16, why: io::Error) -> Error {
        Error::Config { device: self.name.clone(), offset, reason: why.to_string() }
    }

    /// Maps memory BAR `index`.
    pub(super) fn bar(self: &Arc<Self>, index: u8) -> Result<Bar> {
        let no_bar = || Error::NoBar { device: self.name.clone(), index };
        if u32::from(index) > VFIO_PCI_BAR5_REGION_INDEX {
            return Err(no_bar());
        }
        let refused = |why| Error::Vfio {
            device: self.name.clone(),
            refusal: Refusal::system(format!("mapping BAR {index}"), why),
        };
        let info = sys::region_info(self.file.as_fd(), index.into()).map_err(refused)?;
        if info.size == 0 {
            return Err(no_bar());
        }
        if info.flags & VFIO_REGION_INFO_FLAG_MMAP == 0 {
            return Err(Error::Vfio { device: self.name.clone(), refusal: Refusal::Unmappable { index } });
        }
        let table = msix::table(|offset, bytes| self.config_read(offset, bytes))?;
        let table = table.filter(|table| table.bar == index).map(|table| table.bytes);
        let areas = bar::areas(info.size, info.sparse.as_deref(), table);
        Bar::map(&self.file, info.offset, &areas, Some(self.clone())).map_err(refused)
    }

    /// Number of MSI-X vectors.
    pub(super) fn interrupts(&self) -> u16 {
        self.interrupts
    }

    /// Connects the first MSI-X vectors with these eventfds and the others with nothing.
    pub(super) fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> Result<()> {
        let refused = |reason| Error::Interrupts { device: self.name.clone(), reason };
        let count = self.interrupts;
        if signals.len() > count.into() {
            return Err(refused(format!("{} signals for {count} MSI-X vectors", signals.len())));
        }
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        // Most kernels give vectors only all at once: those that are on go off first.
        self.disconnect(&mut connected).map_err(|why| refused(format!("switching MSI-X off: {why}")))?;
        if !signals.is_empty() {
            sys::set_interrupts(self.file.as_fd(), VFIO_PCI_MSIX_IRQ_INDEX, signals)
                .map_err(|why| refused(format!("connecting {} MSI-X vectors: {why}", signals.len())))?;
            *connected = true;
        }
        Ok(())
    }

    /// Switches MSI-X off if it is on: the kernel refuses what is done already.
    fn disconnect(&self, connected: &mut bool) -> io::Result<()> {
        if *connected {
            sys::set_interrupts(self.file.as_fd(), VFIO_PCI_MSIX_IRQ_INDEX, &[])?;
            *connected = false;
        }
        Ok(())
    }

    pub(super) fn reset(&self) -> Result<()> {
        let refused = |reason| Error::Reset { device: self.name.clone(), reason };
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        // The kernel would restore MSI-X after some kinds of reset and not after others.
        self.disconnect(&mut connected).map_err(|why| refused(format!("switching MSI-X off before it: {why}")))?;
        sys::reset(self.file.as_fd()).map_err(|why| match why.raw_os_error() {
            Some(libc::EINVAL | libc::ENOTTY) => {
                refused("it has none of its own (the file `reset_method` in sysfs is empty)".into())
            }
            Some(libc::EAGAIN) => refused("another one is under way: try again".into()),
            _ => refused(why.to_string()),
        })
    }

    pub(super) fn condition(&self) -> Condition {
        let mut bytes = [0; 4];
        // PCI Express answers for a device that is gone with all ones, and no class has that code.
        if self.config_read(REVISION_AND_CLASS, &mut bytes).is_err() || bytes == [0xFF; 4] {
            return Condition::Gone;
        }
        if self.request.read().is_ok() {
            self.requested.store(true, Ordering::Relaxed);
        }
        if self.requested.load(Ordering::Relaxed) { Condition::Wanted } else { Condition::Present }
    }
}

/// Why these bytes must not be written to configuration space: an access to a mapped BAR would be a SIGBUS.
fn hazard(offset: u16, bytes: &[u8], power_state: Option<u16>) -> Option<&'static str> {
    let written = |at: u16| at.checked_sub(offset).and_then(|index| bytes.get(usize::from(index)));
    if written(COMMAND).is_some_and(|command| command & COMMAND_MEMORY as u8 == 0) {
        return Some("memory space cannot be switched off while the device is open");
    }
    // The low two bits: 0 is D0, in which alone BARs answer.
    let sleeps = power_state.and_then(written).is_some_and(|state| state & 0b11 != 0);
    sleeps.then_some("the device cannot be put to sleep while it is open")
}

impl Drop for Function {
    fn drop(&mut self) {
        // No DMA after this, and no register. All BARs are unmapped: they hold the function. A card that is gone needs neither.
        let mut command = [0; 2];
        if self.config_read(COMMAND, &mut command).is_ok() {
            let off = u16::from_le_bytes(command) & !(COMMAND_MEMORY | COMMAND_BUS_MASTER);
            let _ = self.write(COMMAND, &off.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_cannot_be_made_to_fail() {
        let refused = |offset, bytes: &[u8]| hazard(offset, bytes, Some(0x44)).is_some();
        assert!(refused(4, &[0, 0]) && refused(4, &[0x04]) && refused(3, &[0, 0]) && refused(0, &[0; 64]));
        assert!(!refused(4, &[0x06, 0]) && !refused(5, &[0]) && !refused(2, &[0, 0]));
        for state in 1..=3 {
            assert!(refused(0x44, &[state, 0]) && refused(0x43, &[0, state]), "D{state}");
        }
        assert!(!refused(0x44, &[0, 0x80]) && !refused(0x45, &[3]) && !refused(0x40, &[3, 3, 3, 3]));
        assert_eq!(hazard(0x44, &[3], None), None, "it knows no other states");
    }
}
