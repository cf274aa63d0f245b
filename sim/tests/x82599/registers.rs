//! Registers without traffic: reset, EEPROM, semaphores, link, queues.

use std::time::Duration;

use gannet_bus::{Device, Registers};
use gannet_sim::x82599::Violation;
use gannet_spec::INTEL;
use gannet_spec::x82599::regs::{
    self, Autoc, Ctrl, DcaRxctrl, Eerd, Esdp, Hlreg0, Rdrxctl, Rttdcs, Rxcsum, Rxctrl, Rxdctl, Srrctl, Txdctl,
};
use gannet_spec::x82599::{DEVICE_82599_SFP, eeprom};

use super::frames::MAC;
use super::harness::{Bench, RING};

fn eeprom_word(bench: &Bench, address: u16) -> u16 {
    bench.write(regs::EERD, Eerd::new().with_start(true).with_address(address));
    let eerd = bench.read(regs::EERD);
    assert!(eerd.done());
    eerd.data()
}

#[test]
fn registers_have_their_reset_values() {
    let bench = Bench::new();
    let id = bench.device.id().unwrap();
    assert_eq!((id.vendor, id.device), (INTEL, DEVICE_82599_SFP));
    let expected = [
        (regs::CTRL.offset(), 0),
        (regs::STATUS.offset(), 0x0008_0000),
        (regs::RDRXCTL.offset(), 0x0010_8808),
        (regs::HLREG0.offset(), 0x0801_2C0B),
        (regs::MAXFRS.offset(), 0x05EE_0000),
        (regs::VLNCTRL.offset(), 0x0000_8100),
        (regs::SECRXSTAT.offset(), 1),
        (regs::RXPBSIZE.get(0).offset(), 0x0008_0000),
        (regs::TXPBSIZE.get(0).offset(), 0x0002_8000),
        (regs::SRRCTL.get(127).offset(), 0x0000_0402),
        (regs::DCA_RXCTRL.get(64).offset(), 0x0000_A200),
        (regs::DMATXCTL.offset(), 0x8100_0004),
        (regs::RAL.get(0).offset(), u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]])),
        (regs::RAH.get(0).offset(), 0x8000_0000 | u32::from(u16::from_le_bytes([MAC[4], MAC[5]]))),
        (regs::RAL_ALIAS.get(0).offset(), u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]])),
    ];
    for (offset, value) in expected {
        assert_eq!(bench.bar.read(offset), value, "{offset:#x}");
    }
    assert!(bench.read(regs::EEC).present() && bench.read(regs::EEC).auto_read_done());
    assert!(bench.read(regs::FWSM).valid());
}

#[test]
fn the_eeprom_is_read_word_by_word_and_adds_up() {
    let bench = Bench::new();
    let sum = (0..=eeprom::CHECKSUM).fold(0_u16, |sum, address| sum.wrapping_add(eeprom_word(&bench, address)));
    assert_eq!(sum, eeprom::CHECKSUM_SUM);
    assert_eq!(eeprom_word(&bench, eeprom::MAC_ADDRESS + 2), u16::from_le_bytes([MAC[4], MAC[5]]));
}

#[test]
fn a_reset_clears_itself_and_what_software_wrote() {
    let bench = Bench::started();
    bench.write(regs::RAL.get(3), 0x1234_5678);
    bench.write(regs::CTRL, Ctrl::new().with_reset(true));
    assert!(bench.read(regs::CTRL).reset());
    bench.write(regs::RAL.get(4), 1);
    assert_eq!(bench.probe.violation_count(Violation::WriteDuringReset), 1);
    bench.clock.advance(Duration::from_micros(5));
    assert!(!bench.read(regs::CTRL).reset());
    assert!(!bench.read(regs::EEC).auto_read_done() && !bench.read(regs::RDRXCTL).dma_init_done());
    bench.clock.advance(Duration::from_millis(1));
    assert!(bench.read(regs::EEC).auto_read_done() && bench.read(regs::RDRXCTL).dma_init_done());
    assert_eq!(bench.read(regs::RAL.get(3)), 0);
    assert!(!bench.read(regs::RXDCTL.get(0)).enable() && !bench.read(regs::TXDCTL.get(0)).enable());
    assert_eq!(bench.read(regs::RDT.get(0)), 0);
}

#[test]
fn a_function_level_reset_turns_dma_and_memory_off() {
    let bench = Bench::started();
    bench.device.config_write(0xA9, &[0x80]).unwrap();
    assert_eq!(bench.bar.read(regs::CTRL.offset()), u32::MAX);
    bench.device.config_write(gannet_bus::pci::COMMAND, &[6, 0]).unwrap();
    assert!(!bench.read(regs::RXDCTL.get(0)).enable());
}

#[test]
fn the_device_resets_to_what_it_was_after_power_up() {
    let mut bench = Bench::started();
    bench.write(regs::RAL.get(3), 0x1234_5678);
    bench.device.reset().unwrap();
    let mut command = [0; 2];
    bench.device.config_read(gannet_bus::pci::COMMAND, &mut command).unwrap();
    assert_eq!(u16::from_le_bytes(command), gannet_bus::pci::COMMAND_MEMORY, "it answers, but does no DMA");
    assert!(!bench.read(regs::CTRL).reset() && !bench.read(regs::EEC).auto_read_done());
    bench.clock.advance(Duration::from_millis(1));
    assert!(bench.read(regs::EEC).auto_read_done());
    assert_eq!((bench.read(regs::RAL.get(3)), bench.read(regs::RDLEN.get(0)), bench.read(regs::RDT.get(0))), (0, 0, 0));
    assert!(!bench.read(regs::RXDCTL.get(0)).enable() && !bench.read(regs::TXDCTL.get(0)).enable());
    bench.receive(super::frames::plain(MAC, 60));
    assert_eq!(bench.write_back(0, 0).high, 0);
    assert_eq!(bench.probe.violations(), []);
}

#[test]
fn capabilities_lie_where_the_hardware_has_them() {
    let bench = Bench::new();
    let mut at = [0];
    bench.device.config_read(0x34, &mut at).unwrap();
    let mut found = Vec::new();
    while at[0] != 0 {
        let mut header = [0; 2];
        bench.device.config_read(at[0].into(), &mut header).unwrap();
        found.push((at[0], header[0]));
        at[0] = header[1];
    }
    assert_eq!(found, [(0x40, 0x01), (0x70, 0x11), (0xA0, 0x10)]);
    assert!(bench.device.config_read(4095, &mut [0; 2]).is_err());
}

#[test]
fn master_disable_shows_only_once_the_queues_are_off() {
    let bench = Bench::started();
    bench.write(regs::CTRL, Ctrl::new().with_master_disable(true));
    assert!(bench.read(regs::STATUS).master_enabled());
    bench.write(regs::RXDCTL.get(0), Rxdctl::new());
    bench.write(regs::TXDCTL.get(0), Txdctl::new());
    bench.clock.advance(Duration::from_micros(100));
    assert!(!bench.read(regs::STATUS).master_enabled());
}

#[test]
fn a_semaphore_is_taken_by_reading_it() {
    let bench = Bench::new();
    assert!(!bench.read(regs::SWSM).smbi());
    assert!(bench.read(regs::SWSM).smbi());
    bench.write(regs::SWSM, regs::Swsm::new().with_swesmbi(true));
    assert!(bench.read(regs::SWSM).swesmbi());
}

#[test]
fn the_link_comes_up_after_its_delay_and_falls_with_laser_and_light() {
    let mut bench = Bench::new();
    let up = |bench: &Bench| bench.read(regs::LINKS).up();
    assert!(!up(&bench));
    bench.clock.advance(Duration::from_millis(49));
    assert!(!up(&bench));
    bench.clock.advance(Duration::from_millis(1));
    assert!(up(&bench) && bench.read(regs::STATUS).link_up());
    assert_eq!(bench.read(regs::LINKS).speed(), 3);
    assert_ne!(bench.read(regs::EICR) & regs::EICR_LSC, 0);
    bench.write(regs::ESDP, Esdp::new().with_laser_off(true));
    assert!(!up(&bench));
    bench.write(regs::ESDP, Esdp::new());
    bench.clock.advance(Duration::from_millis(60));
    assert!(!up(&bench), "the delay starts when somebody looks");
    bench.clock.advance(Duration::from_millis(60));
    assert!(up(&bench));
    bench.write(regs::AUTOC, bench.read(regs::AUTOC).with_restart(true));
    assert!(!up(&bench) && !Autoc::restart(&bench.read(regs::AUTOC)));
    bench.clock.advance(Duration::from_millis(60));
    assert!(up(&bench));
    bench.cable.lock().unwrap().dark = true;
    bench.step();
    assert!(!up(&bench));
}

#[test]
fn a_queue_is_on_only_after_a_while_and_takes_no_tail_before() {
    let bench = Bench::new();
    bench.write(regs::RDLEN.get(5), RING * 16);
    bench.write(regs::RDT.get(5), 0);
    assert_eq!(bench.probe.violations(), []);
    bench.write(regs::RXDCTL.get(5), Rxdctl::new().with_enable(true));
    assert!(!bench.read(regs::RXDCTL.get(5)).enable());
    bench.write(regs::RDT.get(5), 3);
    assert_eq!(bench.probe.violation_count(Violation::TailWhileDisabled), 1);
    assert_eq!(bench.read(regs::RDT.get(5)), 0);
    bench.clock.advance(Duration::from_micros(10));
    assert!(bench.read(regs::RXDCTL.get(5)).enable());
    bench.write(regs::RDT.get(5), 3);
    assert_eq!(bench.read(regs::RDT.get(5)), 3);
    bench.write(regs::RDT.get(5), RING);
    assert_eq!(bench.probe.violation_count(Violation::TailBeyondRing), 1);
    assert_eq!(bench.read(regs::RDT.get(5)), 3);
    bench.write(regs::RXDCTL.get(5), Rxdctl::new());
    assert!(bench.read(regs::RXDCTL.get(5)).enable(), "it still runs");
    bench.clock.advance(Duration::from_micros(10));
    assert!(!bench.read(regs::RXDCTL.get(5)).enable());
}

#[test]
fn queues_that_cannot_run_stay_off() {
    let bench = Bench::new();
    bench.write(regs::RXDCTL.get(0), Rxdctl::new().with_enable(true));
    bench.write(regs::TDLEN.get(0), RING * 16);
    bench.write(regs::TXDCTL.get(0), Txdctl::new().with_enable(true));
    bench.clock.advance(Duration::from_millis(1));
    assert!(!bench.read(regs::RXDCTL.get(0)).enable() && !bench.read(regs::TXDCTL.get(0)).enable());
    let violations: Vec<_> = bench.probe.violations().into_iter().map(|record| record.violation).collect();
    assert_eq!(violations, [Violation::QueueWithoutRing, Violation::TransmitDisabled]);
}

#[test]
fn each_broken_rule_has_its_name() {
    let bench = Bench::started();
    let broken = |violation| bench.probe.violation_count(violation);
    bench.write(regs::RDBAL.get(1), 0x40);
    assert_eq!((broken(Violation::RingMisaligned), bench.read(regs::RDBAL.get(1))), (1, 0));
    bench.write(regs::RDLEN.get(0), 128);
    assert_eq!(broken(Violation::RingWhileEnabled), 1);
    bench.write(regs::TDH.get(0), 5);
    assert_eq!((broken(Violation::HeadWhileEnabled), bench.read(regs::TDH.get(0))), (1, 0));
    bench.write(regs::RXCSUM, Rxcsum::new());
    assert_eq!(broken(Violation::ChecksumWhileReceiving), 1);
    bench.write(regs::RDRXCTL, Rdrxctl::new());
    assert_eq!(broken(Violation::CrcStripMismatch), 1);
    bench.write(regs::MTQC, 1);
    assert_eq!((broken(Violation::QueuesWithArbiter), bench.read(regs::MTQC)), (1, 0));
    bench.write(regs::RTTDCS, Rttdcs::new().with_arbiter_disable(true));
    bench.write(regs::MTQC, 1);
    assert_eq!((broken(Violation::QueuesWithArbiter), bench.read(regs::MTQC)), (1, 1));
    bench.write(regs::DCA_RXCTRL.get(0), DcaRxctrl::new().with_reserved_zero(true));
    bench.write(regs::HLREG0, Hlreg0::new());
    assert_eq!(broken(Violation::ReservedBits), 2);
    bench.write(regs::TXDCTL.get(1), Txdctl::new().with_prefetch(36).with_write_back(8));
    assert_eq!((broken(Violation::Thresholds), broken(Violation::HostThreshold)), (1, 1));
    bench.write(regs::MRQC, regs::Mrqc::new().with_mode(8));
    assert_eq!(broken(Violation::Unsupported), 1);
}

#[test]
fn what_the_model_does_not_know_is_counted() {
    let bench = Bench::new();
    assert_eq!(bench.bar.read(0x1_5000), 0);
    bench.bar.write(0x1_5000, 1);
    bench.bar.write(0x3, 1);
    assert_eq!(bench.probe.unknown_registers(), [(0x3, 1), (0x1_5000, 2)]);
    bench.bar.write(regs::STATUS.offset(), 1);
    bench.bar.write(regs::GPRC.offset(), 1);
    assert_eq!(bench.probe.read_only_writes(), 2);
}

#[test]
fn interrupt_masks_are_set_and_cleared_bit_by_bit() {
    let bench = Bench::new();
    bench.write(regs::EIMS, 0xF0);
    bench.write(regs::EIMC, 0x30);
    assert_eq!(bench.read(regs::EIMS), 0xC0);
    bench.write(regs::EICS, 0x5);
    assert_eq!((bench.read(regs::EICS), bench.read(regs::EICR), bench.read(regs::EICR)), (5, 5, 0));
}

#[test]
fn a_running_ring_keeps_its_place_when_the_receiver_is_switched() {
    let mut bench = Bench::started();
    bench.write(regs::RXCTRL, Rxctrl::new());
    bench.receive(super::frames::plain(MAC, 60));
    assert_eq!(bench.read(regs::RDH.get(0)), 0);
    bench.write(regs::RXCTRL, Rxctrl::new().with_enable(true));
    bench.step();
    assert_eq!(bench.read(regs::RDH.get(0)), 1);
    bench.start_rx(3, Srrctl::new().with_buffer_kib(2).with_descriptor_type(1));
    assert_eq!(bench.read(regs::RDH.get(0)), 1);
}
