//! Values after a reset, and the bits that software may change (datasheet 8.2.3, each register's table).

use gannet_spec::x82599::regs::{self, Eec, Rdrxctl};

use super::core::Core;
use super::registers::Register;

/// Content of the VLAN filter after power-up: undefined, so a driver that does not clear it gets odd frames (8.2.3.7.11).
const UNDEFINED: u32 = 0x5AA5_3CC3;

/// Puts all registers to their values after a reset; those that are not named are 0.
pub(super) fn load(core: &mut Core) {
    let single = [
        (Register::Esdp, 0x0000_0004), // a module is in the cage, its laser is on
        (Register::I2cctl, 0x0000_000F),
        (Register::Ledctl, 0x0504_0100),
        (Register::Eec, Eec::from(0x0000_1430).with_present(true).into()),
        (Register::Fwsm, 0x0000_8004), // firmware valid, pass-through mode
        (Register::Factps, 0x0000_0004),
        (Register::Rdrxctl, Rdrxctl::from(0x0010_8800).into()),
        (Register::Secrxctrl, 1),
        (Register::Secrxstat, 1),
        (Register::Sectxctrl, 1),
        (Register::Sectxstat, 1),
        (Register::Vlnctrl, 0x0000_8100),
        (Register::Hlreg0, 0x0801_2C0B),
        (Register::Maxfrs, 0x05EE_0000),                         // 1518
        (Register::Autoc, 0xC19D_8284 & !0x0000_E000 | 3 << 13), // 10 Gb/s serial
        (Register::Autoc2, 0x000A_0000),                         // SFI
        (Register::Anlp1, 0x0001_0000),
        (Register::Pcs1glctl, 0x0204_0000),
        (Register::Pcs1gana, 0x0000_01A0),
        (Register::Msrwd, 0xFFFF_0000), // no PHY answers
        (Register::Rttdcs, 0x00C0_0000),
        (Register::Dmatxctl, 0x8100_0004),
        (Register::Dtxtcpflgl, 0x0FF6_0FF6),
        (Register::Dtxtcpflgh, 0x0000_0F7F),
        (Register::Dtxmxszrq, 0x0000_0010),
        (Register::Rxpbsize(0), 0x0008_0000),
        (Register::Txpbsize(0), 0x0002_8000),
        (Register::Txpbthresh(0), 0x0000_0096),
        (Register::Fdirctrl, 0x0000_0008), // initialisation done
        (Register::MpsarLo(0), u32::MAX),
    ];
    for (register, value) in single {
        core.set_raw(register.offset(), value);
    }
    for index in 0..regs::VFTA.count() {
        core.set(regs::VFTA.get(index), UNDEFINED);
    }
    for index in 0..regs::RDT.count() {
        core.set_raw(regs::DCA_RXCTRL.get(index).offset(), 0x0000_A200);
        core.set_raw(regs::SRRCTL.get(index).offset(), 0x0000_0402);
        core.set_raw(regs::DCA_TXCTRL.get(index).offset(), 0x0000_2A00);
    }
}

/// Bits of a plain register that a write changes.
pub(super) fn write_mask(register: Register) -> u32 {
    match register {
        Register::Rdbal(_) | Register::Tdbal(_) => 0xFFFF_FF80,
        Register::Rdlen(_) | Register::Tdlen(_) => 0x000F_FF80,
        Register::Srrctl(_) => 0x1FC0_3F1F,
        Register::Rxdctl(_) => 0x427F_4000,
        Register::Txdctl(_) => 0x027F_7F7F,
        Register::DcaRxctrl(_) => 0xFF00_A3E0,
        Register::Rdrxctl => 0x063E_002F & !u32::from(Rdrxctl::new().with_dma_init_done(true)),
        Register::Rxctrl => 0x0000_0001,
        Register::Rxcsum => 0x0000_3000,
        Register::Rxpbsize(_) | Register::Txpbsize(_) => 0x000F_FC00,
        Register::Fcrtl(_) | Register::Fcrth(_) => 0x8007_FFE0,
        Register::Maxfrs => 0xFFFF_0000,
        Register::Rah(_) => 0x8000_FFFF,
        Register::Mrqc => 0xFFFF_000F,
        Register::Reta(_) | Register::Rqsmr(_) | Register::Tqsm(_) => 0x0F0F_0F0F,
        Register::Mtqc => 0x0000_000F,
        Register::Secrxctrl | Register::Sectxctrl => 0x0000_0007,
        Register::Mcstctrl => 0x0000_0007,
        Register::Dtxmxszrq => 0x0000_0FFF,
        Register::Eiac => 0x4000_FFFF,
        Register::Eitr(_) => 0x001F_8FF8,
        Register::Gpie => 0xC000_FFFF,
        Register::Ivar(_) => 0xBFBF_BFBF,
        Register::IvarMisc => 0x0000_BFBF,
        _ => u32::MAX,
    }
}
