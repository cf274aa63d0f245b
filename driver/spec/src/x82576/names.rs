//! The registers to show to people: none that is changed by a look (semaphores, causes, statistics).

use super::regs::*;
use crate::Named;
use crate::named::named;

/// All of them, in the datasheet's order. Arrays are as long as the largest chip has them: on the others the rest means nothing.
pub const REGISTERS: &[Named] = named![
    CTRL, STATUS, CTRL_EXT, EECD, VET, FCTTV, FCRTL, FCRTH, FCRTV, EEMNGCTL, GCR, FWSM, SW_FW_SYNC, WUC, IMS, EIMS, EIAC, EIAM,
    GPIE, IVAR_MISC, RCTL, RXPBS, RXCSUM, RLPML, RFCTL, MRQC, TCTL, TCTL_EXT, TIPG, TXPBS, DTXCTL;
    IVAR, EITR, RAL, RAH, RETA, RDBAL, RDBAH, RDLEN, RDH, RDT, RXDCTL, SRRCTL, TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL, DCA_TXCTRL
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_registers_share_an_offset_and_all_lie_in_the_bar() {
        let mut seen = HashSet::new();
        for register in REGISTERS {
            for offset in register.offsets() {
                assert!(offset < 0x2_0000 && seen.insert(offset), "{} at {offset:#x}", register.name);
            }
        }
    }
}
