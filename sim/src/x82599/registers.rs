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
