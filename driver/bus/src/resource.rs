//! The registers of a card in somebody else's hands, to look at.
//!
//! The kernel shows a card's memory BARs as files (`/sys/bus/pci/devices/ADDRESS/resourceN`, see the kernel's
//! `Documentation/PCI/sysfs-pci.rst`). Mapping one neither enables nor resets the card, and takes it from nobody. It is mapped for
//! reading only: whoever uses the card, a kernel driver or a program through VFIO, notices a look only at registers that
//! a read changes, and which those are `gannet-spec` knows. To use a card, open it through VFIO.

#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use crate::sysfs::PciDevice;
use crate::{Error, Registers, Result};

/// A memory BAR, mapped for reading. Writes are ignored.
#[derive(Clone)]
pub struct Resource {
    map: Arc<MmapRaw>,
}

impl Resource {
    /// Maps memory BAR `index` of `device`.
    ///
    /// # Errors
    /// The device has no such memory BAR; the caller may not (root may), or the kernel keeps the registers of a card to its
    /// user.
    pub fn open(device: &PciDevice, index: u8) -> Result<Resource> {
        let path = device.path().join(format!("resource{index}"));
        let refused = |why: io::Error| match why.kind() {
            ErrorKind::NotFound => Error::NoBar { device: device.address().to_string(), index },
            kind => Error::Sysfs { path: path.clone(), reason: format!("{why}{}", remedy(kind)) },
        };
        let file = File::open(&path).map_err(refused)?;
        let map = MmapOptions::new().map_raw_read_only(&file).map_err(refused)?;
        Ok(Resource { map: Arc::new(map) })
    }
}

/// What to do about a refusal.
fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        // CONFIG_IO_STRICT_DEVMEM: the region is busy. That holds for a program that has the card through VFIO, too.
        ErrorKind::InvalidInput => {
            ": the kernel keeps the registers of a card to its user; start the machine with the kernel argument iomem=relaxed, or \
             look while nobody uses the card"
        }
        ErrorKind::PermissionDenied => {
            ": run it as root (sudo); if root may not either, the kernel is locked down (Secure Boot) and shows no registers"
        }
        _ => "",
    }
}

impl Registers for Resource {
    fn read(&self, offset: u32) -> u32 {
        let offset = offset as usize;
        if !offset.is_multiple_of(4) || self.map.len() < 4 || offset > self.map.len() - 4 {
            return u32::MAX;
        }
        let register = self.map.as_ptr().wrapping_add(offset).cast::<u32>();
        // SAFETY: the four bytes lie in the mapping, which `self` keeps (checked above), and are aligned: mappings start at a
        // page, the offset is a multiple of four. Others may change them at any time; a volatile read of an integer through a raw pointer
        // allows for that, and no reference to them exists.
        u32::from_le(unsafe { register.read_volatile() })
    }

    fn write(&self, _offset: u32, _value: u32) {}
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("len", &self.map.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sysfs::Sysfs;

    /// A device whose BAR 0 is a file of these bytes.
    fn device(bar: &[u8]) -> (tempfile::TempDir, PciDevice) {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("sys/bus/pci/devices/0000:01:00.0");
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in [("vendor", "0x8086"), ("device", "0x10fb"), ("class", "0x020000")] {
            fs::write(folder.join(name), text).expect("a file");
        }
        fs::write(folder.join("resource0"), bar).expect("a file");
        let address = "01:00.0".parse().expect("an address");
        let device = Sysfs::at(root.path()).device(address).expect("it is there");
        (root, device)
    }

    #[test]
    fn registers_are_read_little_endian_and_writes_are_ignored() {
        let (_root, device) = device(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let resource = Resource::open(&device, 0).expect("it is there");
        resource.write(0, 0);
        assert_eq!((resource.read(0), resource.read(4)), (0x0403_0201, 0x0807_0605));
        assert_eq!(fs::read(device.path().join("resource0")).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn there_is_nothing_beyond_the_bar() {
        let (_root, device) = device(&[0; 9]);
        let resource = Resource::open(&device, 0).expect("it is there");
        for offset in [1, 6, 8, 12, u32::MAX - 3, u32::MAX] {
            assert_eq!(resource.read(offset), u32::MAX, "{offset:#x}");
        }
    }

    #[test]
    fn a_bar_that_is_not_there_is_said() {
        let (_root, device) = device(&[0; 4]);
        let error = Resource::open(&device, 2).expect_err("no such BAR").to_string();
        assert!(error.contains("0000:01:00.0") && error.contains("BAR 2"), "{error}");
    }
}
