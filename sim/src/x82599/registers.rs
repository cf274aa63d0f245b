//! Offsets to registers: decoded once, into a table.

use std::sync::LazyLock;

use gannet_spec::x82599::regs;

/// Bytes of the register BAR.
pub(super) const BAR_BYTES: u32 = 128 << 10;

macro_rules! registers {
    (one: $($one:ident $one_reg:ident),*; many: $($many:ident $many_reg:ident),*; alias: $($alias:ident $alias_reg:ident),*;) => {
        /// A register of the 82599, with its index if it is one of several.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Register {
            $($one,)*
            $($many(u8),)*
        }

        impl Register {
            /// Where it is, never one of its aliases.
            pub(super) fn offset(self) -> u32 {
                match self {
                    $(Register::$one => regs::$one_reg.offset(),)*
                    $(Register::$many(index) => regs::$many_reg.get(index.into()).offset(),)*
                }
            }
        }

        fn decode_all() -> Box<[Option<Register>]> {
            let mut table = vec![None; (BAR_BYTES / 4) as usize].into_boxed_slice();
            $(table[(regs::$one_reg.offset() / 4) as usize] = Some(Register::$one);)*
            $(for index in 0..regs::$many_reg.count() {
                table[(regs::$many_reg.get(index).offset() / 4) as usize] = Some(Register::$many(index as u8));
            })*
            $(for index in 0..regs::$alias_reg.count() {
                table[(regs::$alias_reg.get(index).offset() / 4) as usize] = Some(Register::$alias(index as u8));
            })*
            table[(regs::CTRL_ALIAS.offset() / 4) as usize] = Some(Register::Ctrl);
            table[(regs::MRQC_ALIAS.offset() / 4) as usize] = Some(Register::Mrqc);
            table
        }
    };
}

registers! {
    one:
        Ctrl CTRL, Status STATUS, CtrlExt CTRL_EXT, Esdp ESDP, I2cctl I2CCTL, Ledctl LEDCTL, Eec EEC, Eerd EERD, Fcrtv FCRTV,
        Fccfg FCCFG, GcrExt GCR_EXT, Gcr GCR, Swsm SWSM, Fwsm FWSM, SwFwSync SW_FW_SYNC, Factps FACTPS, Grc GRC,
        Corectl CORECTL, Hicr HICR, Eicr EICR, Eics EICS, Eims EIMS, Eimc EIMC, Eiac EIAC, Eiam EIAM, Eitrsel EITRSEL, Gpie GPIE,
        IvarMisc IVAR_MISC, Exvet EXVET, VtCtl VT_CTL, Wuc WUC, Wufc WUFC, Wus WUS, Manc MANC, Fctrl FCTRL, Vlnctrl VLNCTRL,
        Mcstctrl MCSTCTRL, Rxcsum RXCSUM, Rfctl RFCTL, Mrqc MRQC, Synqf SYNQF, Fdirctrl FDIRCTRL, Rdrxctl RDRXCTL, Rxctrl RXCTRL,
        Rscdbu RSCDBU, Rxmemwrap RXMEMWRAP, Dmatxctl DMATXCTL, Dtxmxszrq DTXMXSZRQ, Mtqc MTQC, Dtxtcpflgl DTXTCPFLGL,
        Dtxtcpflgh DTXTCPFLGH, Rttdcs RTTDCS, Rttdqsel RTTDQSEL, Rttdt1c RTTDT1C, Rttbcnrc RTTBCNRC, Secrxctrl SECRXCTRL,
        Secrxstat SECRXSTAT, Sectxctrl SECTXCTRL, Sectxstat SECTXSTAT, Sectxbuffaf SECTXBUFFAF, Sectxminifg SECTXMINIFG,
        Hlreg0 HLREG0, Maxfrs MAXFRS, Mflcn MFLCN, Autoc AUTOC, Autoc2 AUTOC2, Links LINKS, Links2 LINKS2, Msca MSCA,
        Msrwd MSRWD, Pcs1glctl PCS1GLCTL, Pcs1glsta PCS1GLSTA, Pcs1gana PCS1GANA, Anlp1 ANLP1, Anlp2 ANLP2, Mmngc MMNGC,
        Crcerrs CRCERRS, Illerrc ILLERRC, Errbc ERRBC, Mspdc MSPDC, Mlfc MLFC, Mrfc MRFC, Rlec RLEC, Lxontxc LXONTXC,
        Lxofftxc LXOFFTXC, Lxonrxcnt LXONRXCNT, Lxoffrxcnt LXOFFRXCNT, Gprc GPRC, Bprc BPRC, Mprc MPRC, Gptc GPTC, Gorcl GORCL,
        Gorch GORCH, Gotcl GOTCL, Gotch GOTCH, Ruc RUC, Rfc RFC, Roc ROC, Rjc RJC, Torl TORL, Torh TORH, Tpr TPR, Tpt TPT,
        Mptc MPTC, Bptc BPTC, Xec XEC;
    many:
        Fcttv FCTTV, Fcrtl FCRTL, Fcrth FCRTH, EimcEx EIMC_EX, EimsEx EIMS_EX, EicsEx EICS_EX, EiamEx EIAM_EX, Eitr EITR,
        Ivar IVAR, Mta MTA, Ral RAL, Rah RAH, MpsarLo MPSAR_LO, MpsarHi MPSAR_HI, Vfta VFTA, Pfuta PFUTA, Vlvf VLVF, Vlvfb VLVFB,
        Reta RETA, Rssrk RSSRK, Psrtype PSRTYPE, Ftqf FTQF, Saqf SAQF, Daqf DAQF, Sdpqf SDPQF, L34tImir L34T_IMIR, Etqf ETQF,
        Etqs ETQS, Rdbal RDBAL, Rdbah RDBAH, Rdlen RDLEN, DcaRxctrl DCA_RXCTRL, Rdh RDH, Srrctl SRRCTL, Rdt RDT, Rxdctl RXDCTL,
        Rscctl RSCCTL, Rxpbsize RXPBSIZE, Tdbal TDBAL, Tdbah TDBAH, Tdlen TDLEN, DcaTxctrl DCA_TXCTRL, Tdh TDH, Tdt TDT,
        Txdctl TXDCTL, Tdwbal TDWBAL, Tdwbah TDWBAH, Txpbsize TXPBSIZE, Txpbthresh TXPBTHRESH, Mpc MPC, Prc PRC, Ptc PTC,
        Qprc QPRC, QbrcL QBRC_L, QbrcH QBRC_H, Qprdc QPRDC, Qptc QPTC, QbtcL QBTC_L, QbtcH QBTC_H, Rqsmr RQSMR, Tqsm TQSM;
    alias:
        Srrctl SRRCTL_ALIAS, DcaRxctrl DCA_RXCTRL_ALIAS, Ral RAL_ALIAS, Rah RAH_ALIAS, Psrtype PSRTYPE_ALIAS, Reta RETA_ALIAS,
        Rssrk RSSRK_ALIAS, Qptc QPTC_ALIAS;
}

/// How the model treats a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It keeps what was written, and the data path looks at it.
    Stored,
    /// Software can only read it.
    ReadOnly,
    /// The card counts in it, reading clears it.
    Statistic,
    /// A write does something; it reads as 0.
    Command,
    /// It has to do with interrupts.
    Interrupt,
    /// Reading or writing does something of its own.
    Active,
}

impl Register {
    /// How it is treated. Each register is named here, so that a new one is thought about.
    pub(super) fn access(self) -> Access {
        use Register as R;
        match self {
            R::Ctrl | R::Status | R::Eec | R::Eerd | R::Swsm | R::Wus => Access::Active,
            R::Eicr | R::Eics | R::EicsEx(_) | R::Eims | R::EimsEx(_) | R::Eimc | R::EimcEx(_) => Access::Interrupt,
            R::Eiac | R::Eiam | R::EiamEx(_) | R::Eitr(_) | R::Ivar(_) | R::IvarMisc | R::Gpie => Access::Interrupt,
            R::Rxctrl | R::Rxcsum | R::Hlreg0 | R::Rdrxctl | R::Mtqc | R::Msca | R::Autoc | R::Links => Access::Active,
            R::Mrqc | R::Synqf | R::Fdirctrl | R::Etqf(_) | R::Ftqf(_) | R::Rscctl(_) | R::DcaRxctrl(_) => {
                Access::Active
            }
            R::Rdbal(_) | R::Rdbah(_) | R::Rdlen(_) | R::Rdh(_) | R::Rdt(_) | R::Rxdctl(_) => Access::Active,
            R::Tdbal(_) | R::Tdbah(_) | R::Tdlen(_) | R::Tdh(_) | R::Tdt(_) | R::Txdctl(_) => Access::Active,
            R::Corectl => Access::Command,
            R::Fwsm | R::Factps | R::Rxmemwrap | R::Secrxstat | R::Sectxstat | R::Links2 | R::Pcs1glsta => {
                Access::ReadOnly
            }
            R::Anlp1 | R::Anlp2 | R::Mmngc => Access::ReadOnly,
            R::Crcerrs | R::Illerrc | R::Errbc | R::Mspdc | R::Mlfc | R::Mrfc | R::Rlec | R::Lxontxc => {
                Access::Statistic
            }
            R::Lxofftxc | R::Lxonrxcnt | R::Lxoffrxcnt | R::Gprc | R::Bprc | R::Mprc | R::Gptc => Access::Statistic,
            R::Gorcl | R::Gorch | R::Gotcl | R::Gotch | R::Torl | R::Torh | R::Tpr | R::Tpt => Access::Statistic,
            R::Ruc | R::Rfc | R::Roc | R::Rjc | R::Mptc | R::Bptc | R::Xec => Access::Statistic,
            R::Mpc(_) | R::Prc(_) | R::Ptc(_) | R::Qprc(_) | R::QbrcL(_) | R::QbrcH(_) | R::Qprdc(_) => {
                Access::Statistic
            }
            R::Qptc(_) | R::QbtcL(_) | R::QbtcH(_) => Access::Statistic,
            R::CtrlExt | R::Esdp | R::I2cctl | R::Ledctl | R::Fcrtv | R::Fccfg | R::GcrExt | R::Gcr => Access::Stored,
            R::SwFwSync | R::Grc | R::Hicr | R::Eitrsel => Access::Stored,
            R::Exvet | R::VtCtl | R::Wuc | R::Wufc | R::Manc | R::Fctrl | R::Vlnctrl | R::Mcstctrl => Access::Stored,
            R::Rfctl | R::Rscdbu | R::Dmatxctl | R::Dtxmxszrq | R::Dtxtcpflgl | R::Dtxtcpflgh => Access::Stored,
            R::Rttdcs | R::Rttdqsel | R::Rttdt1c | R::Rttbcnrc | R::Secrxctrl | R::Sectxctrl => Access::Stored,
            R::Sectxbuffaf | R::Sectxminifg | R::Maxfrs | R::Mflcn | R::Autoc2 | R::Msrwd => Access::Stored,
            R::Pcs1glctl | R::Pcs1gana | R::Fcttv(_) | R::Fcrtl(_) | R::Fcrth(_) => Access::Stored,
            R::Mta(_) | R::Ral(_) | R::Rah(_) | R::MpsarLo(_) | R::MpsarHi(_) => Access::Stored,
            R::Vfta(_) | R::Pfuta(_) | R::Vlvf(_) | R::Vlvfb(_) | R::Reta(_) | R::Rssrk(_) => Access::Stored,
            R::Psrtype(_) | R::Saqf(_) | R::Daqf(_) | R::Sdpqf(_) | R::L34tImir(_) | R::Etqs(_) => Access::Stored,
            R::Srrctl(_) | R::Rxpbsize(_) | R::DcaTxctrl(_) | R::Tdwbal(_) | R::Tdwbah(_) => Access::Stored,
            R::Txpbsize(_) | R::Txpbthresh(_) | R::Rqsmr(_) | R::Tqsm(_) => Access::Stored,
        }
    }
}

/// The register at `offset`, if the model knows it.
pub(super) fn decode(offset: u32) -> Option<Register> {
    static TABLE: LazyLock<Box<[Option<Register>]>> = LazyLock::new(decode_all);
    if !offset.is_multiple_of(4) {
        return None;
    }
    TABLE.get((offset / 4) as usize).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_decodes_to_itself() {
        let mut known = 0;
        for offset in (0..BAR_BYTES).step_by(4) {
            if let Some(register) = decode(offset) {
                assert_eq!(decode(register.offset()), Some(register), "{offset:#x}");
                known += 1;
            }
        }
        assert!(known > 3000, "{known}");
    }

    #[test]
    fn an_alias_is_the_register_itself() {
        assert_eq!(decode(regs::CTRL_ALIAS.offset()), Some(Register::Ctrl));
        assert_eq!(decode(regs::RETA_ALIAS.get(31).offset()), Some(Register::Reta(31)));
        assert_eq!(decode(regs::RAL_ALIAS.get(15).offset()), Some(Register::Ral(15)));
        assert_eq!(decode(regs::SRRCTL_ALIAS.get(3).offset()), Some(Register::Srrctl(3)));
    }

    #[test]
    fn nothing_decodes_between_or_beyond() {
        assert_eq!(decode(regs::CTRL.offset() + 1), None);
        assert_eq!(decode(BAR_BYTES), None);
        assert_eq!(decode(u32::MAX), None);
    }
}
