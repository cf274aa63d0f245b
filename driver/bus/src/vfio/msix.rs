//! Where the MSI-X table is (PCI 3.0, section 6.8.2).

use std::ops::Range;

use super::capability;
use crate::Result;

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
    let Some(at) = capability::find(capability::MSIX, &read)? else { return Ok(None) };
    // Identifier, next, message control, then the table's offset with the BAR in its low three bits.
    let mut capability = [0; 8];
    read(at, &mut capability)?;
    let [_, _, control_low, control_high, table @ ..] = capability;
    let vectors = u64::from(u16::from_le_bytes([control_low, control_high]) & 0x7FF) + 1;
    let table = u32::from_le_bytes(table);
    let start = u64::from(table & !7);
    Ok(Some(Table { bar: (table & 7) as u8, bytes: start..start + vectors * ENTRY_BYTES }))
}

#[cfg(test)]
mod tests {
    use super::capability::tests::space;
    use super::*;

    #[test]
    fn the_table_is_found_behind_other_capabilities() {
        let power = (0x40, &[0x01, 0x70][..]);
        let msix = (0x70, &[0x11, 0xA0, 0x3F, 0x80, 0x03, 0x20, 0, 0][..]);
        let found = table(space(&[(0x06, &[0x10]), (0x34, &[0x40]), power, msix])).expect("readable");
        assert_eq!(found, Some(Table { bar: 3, bytes: 0x2000..0x2400 }));
    }

    #[test]
    fn a_function_without_it_has_none() {
        assert_eq!(table(space(&[])).expect("readable"), None);
        assert_eq!(table(space(&[(0x06, &[0x10]), (0x34, &[0x40]), (0x40, &[0x01, 0])])).expect("readable"), None);
    }

    #[test]
    fn a_capability_that_the_end_cuts_off_is_an_error() {
        assert!(table(space(&[(0x06, &[0x10]), (0x34, &[0xFC]), (0xFC, &[0x11, 0])])).is_err());
    }
}
