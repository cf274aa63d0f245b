//! The capabilities of a function, a list in its configuration space (PCI 3.0, section 6.7).

use crate::Result;

/// Status register; bit 4: there is a list of capabilities.
const STATUS: u16 = 0x06;
/// Offset of the first capability.
const CAPABILITIES: u16 = 0x34;

/// Identifier of power management.
pub(super) const POWER_MANAGEMENT: u8 = 0x01;
/// Identifier of MSI-X.
pub(super) const MSIX: u8 = 0x11;

/// Finds the capability `id` in configuration space: its offset. `None`: the function has none.
pub(super) fn find(id: u8, read: impl Fn(u16, &mut [u8]) -> Result<()>) -> Result<Option<u16>> {
    let mut status = [0; 2];
    read(STATUS, &mut status)?;
    if status[0] & 1 << 4 == 0 {
        return Ok(None);
    }
    let mut pointer = [0];
    read(CAPABILITIES, &mut pointer)?;
    // 48 capabilities fill the space behind the header: a longer chain is a circle.
    for _ in 0..48 {
        let at = u16::from(pointer[0] & !3);
        if at == 0 {
            break;
        }
        let mut header = [0; 2];
        read(at, &mut header)?;
        let [its, next] = header;
        if its == id {
            return Ok(Some(at));
        }
        pointer = [next];
    }
    Ok(None)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Error;

    /// Reads of a configuration space with these bytes in it.
    pub(in super::super) fn space(bytes: &[(usize, &[u8])]) -> impl Fn(u16, &mut [u8]) -> Result<()> {
        let mut space = [0; 256];
        for (at, bytes) in bytes {
            space[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        move |offset, bytes| {
            let from = space.get(offset.into()..usize::from(offset) + bytes.len());
            let reason = "beyond the end".into();
            bytes.copy_from_slice(from.ok_or(Error::Config { device: "test".into(), offset, reason })?);
            Ok(())
        }
    }

    #[test]
    fn a_capability_is_found_behind_others_and_at_the_end() {
        let chain = [(0x06, &[0x10][..]), (0x34, &[0x40]), (0x40, &[0x01, 0xFC]), (0xFC, &[0x10, 0x00])];
        assert_eq!(find(POWER_MANAGEMENT, space(&chain)).expect("readable"), Some(0x40));
        assert_eq!(find(0x10, space(&chain)).expect("readable"), Some(0xFC));
        assert_eq!(find(MSIX, space(&chain)).expect("readable"), None);
    }

    #[test]
    fn a_function_without_a_list_has_none() {
        assert_eq!(find(MSIX, space(&[])).expect("readable"), None);
        let unlisted = [(0x34, &[0x40][..]), (0x40, &[0x11, 0])];
        assert_eq!(find(MSIX, space(&unlisted)).expect("readable"), None, "says the status register");
    }

    #[test]
    fn nonsense_ends() {
        let circle = [(0x06, &[0x10][..]), (0x34, &[0x40]), (0x40, &[0x01, 0x40])];
        assert_eq!(find(MSIX, space(&circle)).expect("readable"), None);
        let all_ones = |_, bytes: &mut [u8]| {
            bytes.fill(0xFF);
            Ok(())
        };
        assert_eq!(find(MSIX, all_ones).expect("readable"), None, "a device that is gone");
    }
}
