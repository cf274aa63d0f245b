//! The registers to show to people: none that is changed by a look (semaphores, causes, statistics).

use super::regs::*;
use crate::Named;
use crate::named::named;

/// All of them, in the datasheet's order.
pub const REGISTERS: &[Named] = named![
    CTRL, STATUS, EECD, CTRL_EXT, MDIC, FCAL, FCAH, FCT, VET, FCTTV, EXTCNF_CTRL, PBA, GCR, GCR2, IMS, EIAC, IVAR, RCTL, FCRTL,
    FCRTH, RXCSUM, RFCTL, MRQC, TCTL, TIPG;
    EITR, RDBAL, RDBAH, RDLEN, RDH, RDT, RXDCTL, RAL, RAH, RETA, TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL, TARC
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_registers_share_an_offset() {
        let mut seen = HashSet::new();
        for register in REGISTERS {
            assert!(register.offsets().all(|offset| seen.insert(offset)), "{}", register.name);
        }
    }
}
