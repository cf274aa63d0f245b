//! The registers to show to people: none that is changed by a look (semaphores, causes, statistics), but for a link loss that LINKS has held for
//! the next look, on which nothing here relies.

use super::regs::*;
use crate::Named;
use crate::named::named;

/// All of them, in the datasheet's order.
pub const REGISTERS: &[Named] = named![
    CTRL, STATUS, CTRL_EXT, ESDP, EEC, LINKS, AUTOC, HLREG0, MAXFRS, MFLCN, FCCFG, FCTRL, VLNCTRL, MCSTCTRL, RXCSUM, MRQC, RXCTRL,
    RDRXCTL, SECRXCTRL, SECRXSTAT, DMATXCTL, DTXMXSZRQ, MTQC, RTTDCS, FCRTV;
    FCTTV, FCRTL, FCRTH, RAL, RAH, RXPBSIZE, TXPBSIZE, TXPBTHRESH, RETA, RDBAL, RDBAH, RDLEN, RDH, RDT, RXDCTL, SRRCTL, TDBAL, TDBAH, TDLEN, TDH, TDT, TXDCTL
];
