//! The registers to show to people: none that is changed by a look (semaphores, causes, statistics).

use super::regs::*;
use crate::Named;
use crate::named::named;

/// All of them, in the datasheet's order.
pub const REGISTERS: &[Named] = named![
    CTRL, STATUS, CTRL_EXT, ESDP, EEC, LINKS, AUTOC, HLREG0, MFLCN, FCCFG, FCTRL, VLNCTRL, MCSTCTRL, RXCSUM, MRQC, RXCTRL, RDRXCTL,
    SECRXCTRL, SECRXSTAT, DMATXCTL, RTTDCS, FCRTV;
    RAL, RAH, RXPBSIZE, TXPBSIZE, RETA, RDBAL, RDBAH, RDLEN, RDH, RDT, RXDCTL, SRRCTL, TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL
];
