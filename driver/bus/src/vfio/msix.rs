//! Where the MSI-X table is (PCI 3.0, section 6.8.2).

use std::ops::Range;

use crate::Result;

/// Status register; bit 4: there is a list of capabilities.
const STATUS: u16 = 0x06;
/// Offset of the first capability.
const CAPABILITIES: u16 = 0x34;
/// Identifier of the MSI-X capability.
const MSIX: u8 = 0x11;
/// Size of an entry of the table: address, data, mask.
const ENTRY_BYTES: u64 = 16;

/// The table of MSI-X vectors.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The BAR that it is in.
    pub bar: u8,
    /// Its place there.
    pub bytes: Range<u64>,
}

/// Finds the table in configuration space. `None`: the function has no MSI-X.
pub(super) fn table(read: impl Fn(u16, &mut [u8]) -> Result<()>) -> Result<Option<Table>> {
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
        // Identifier, next, message control, then the table's offset with the BAR in its low three bits.
        let mut capability = [0; 8];
        read(at, &mut capability)?;
        if capability[0] == MSIX {
            let [_, _, control_low, control_high, table @ ..] = capability;
            let vectors = u64::from(u16::from_le_bytes([control_low, control_high]) & 0x7FF) + 1;
            let table = u32::from_le_bytes(table);
            let start = u64::from(table & !7);
            return Ok(Some(Table { bar: (table & 7) as u8, bytes: start..start + vectors * ENTRY_BYTES }));
        }
        pointer = [capability[1]];
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    /// Configuration space with these bytes in it.
    fn find(bytes: &[(usize, &[u8])]) -> Result<Option<Table>> {
        let mut space = [0; 256];
        for (at, bytes) in bytes {
            space[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        table(|offset, bytes| {
            let from = space.get(offset.into()..usize::from(offset) + bytes.len());
            let reason = "beyond the end".into();
            bytes.copy_from_slice(from.ok_or(Error::Config { device: "test".into(), offset, reason })?);
            Ok(())
        })
    }

    #[test]
    fn the_table_is_found_behind_other_capabilities() {
        let power = (0x40, &[0x01, 0x70][..]);
        let msix = (0x70, &[0x11, 0xA0, 0x3F, 0x80, 0x03, 0x20, 0, 0][..]);
        let found = find(&[(0x06, &[0x10]), (0x34, &[0x40]), power, msix]).expect("readable");
        assert_eq!(found, Some(Table { bar: 3, bytes: 0x2000..0x2400 }));
    }

    #[test]
    fn a_function_without_it_has_none() {
        assert_eq!(find(&[]).expect("readable"), None);
        assert_eq!(find(&[(0x06, &[0x10]), (0x34, &[0x40]), (0x40, &[0x01, 0])]).expect("readable"), None);
        let msix = (0x40, &[0x11, 0, 4, 0, 3, 0, 0, 0][..]);
        assert_eq!(find(&[(0x34, &[0x40]), msix]).expect("readable"), None, "no list, says the status register");
    }

    #[test]
    fn nonsense_ends() {
        assert_eq!(
            find(&[(0x06, &[0x10]), (0x34, &[0x40]), (0x40, &[0x01, 0x40])]).expect("readable"),
            None,
            "a circle"
        );
        assert!(find(&[(0x06, &[0x10]), (0x34, &[0xFC])]).is_err(), "cut off by the end");
        let all_ones = table(|_, bytes| {
            bytes.fill(0xFF);
            Ok(())
        });
        assert_eq!(all_ones.expect("readable"), None, "a device that is gone");
    }
}
