//! Interrupts: which causes send a message on which vector, and when.

use std::os::fd::AsFd;
use std::time::Duration;

use gannet_bus::pci::{BusMaster, set_bus_master};
use gannet_bus::{Device, Error};
use gannet_sim::x82599::{Fault, Violation};
use gannet_spec::x82599::desc::tx_command;
use gannet_spec::x82599::regs::{
    self, Allocation, Ctrl, EICR_LSC, EITR_UNIT_NS, Eitr, Esdp, Gpie, Ivar, IvarMisc, Srrctl, VECTORS,
};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::frames::{MAC, plain, udp};
use super::harness::{Bench, RING};

/// Vector of queue 0, and of the other causes.
const QUEUE: u8 = 3;
const MISC: u8 = 5;
const QUEUE_BIT: u32 = 1 << QUEUE;

fn eventfds(count: u32) -> Vec<EventFd> {
    (0..count).map(|_| EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap()).collect()
}

fn connect(bench: &Bench, signals: &[EventFd]) {
    let signals: Vec<_> = signals.iter().map(AsFd::as_fd).collect();
    bench.device.connect_interrupts(&signals).unwrap();
}

/// Messages since the last call.
fn messages(signal: &EventFd) -> u64 {
    match signal.read() {
        Ok(count) => count,
        Err(nix::errno::Errno::EAGAIN) => 0,
        Err(error) => panic!("{error}"),
    }
}

fn to(vector: u8) -> Allocation {
    Allocation::new().with_vector(vector).with_valid(true)
}

/// How drivers set up MSI-X.
fn many_vectors() -> Gpie {
    Gpie::new().with_msix(true).with_other_clear_disable(true).with_auto_mask(true).with_pba_support(true)
}

/// A started card with all vectors connected; queue 0 and the link have theirs, and causes clear themselves. All is masked yet.
fn connected() -> (Bench, Vec<EventFd>) {
    let bench = Bench::started();
    let signals = eventfds(VECTORS);
    connect(&bench, &signals);
    bench.write(regs::GPIE, many_vectors());
    bench.write(regs::EIAC, 0xFFFF);
    bench.write(regs::IVAR.get(0), Ivar::new().with_rx(0, to(QUEUE)));
    bench.write(regs::IVAR_MISC, IvarMisc::new().with_other(to(MISC)));
    bench.write(regs::EICR, u32::MAX); // the link came up
    (bench, signals)
}

fn frame(bench: &mut Bench) {
    bench.receive(plain(MAC, 60));
}

#[test]
fn an_enabled_cause_sends_one_message_a_step_on_its_vector_only() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIMS, QUEUE_BIT);
    bench.cable.lock().unwrap().to_card.extend((0..10).map(|_| (plain(MAC, 60), false)));
    bench.nic.step(32);
    let counts: Vec<_> = signals.iter().map(messages).collect();
    assert_eq!((counts[usize::from(QUEUE)], counts.iter().sum()), (1, 1_u64));
    bench.step();
    assert_eq!(messages(&signals[3]), 0, "nothing arrived");
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 1);
    assert_eq!(bench.probe.violations(), []);
}

#[test]
fn a_masked_cause_is_pending_and_sends_its_message_when_enabled() {
    let (mut bench, signals) = connected();
    frame(&mut bench);
    frame(&mut bench);
    assert_eq!((messages(&signals[3]), bench.read(regs::EICS)), (0, QUEUE_BIT));
    bench.write(regs::EIMS, QUEUE_BIT);
    assert_eq!((messages(&signals[3]), bench.read(regs::EICS)), (1, 0));
    bench.write(regs::EIMC, QUEUE_BIT);
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 0);
}

#[test]
fn a_cause_that_software_cleared_sends_nothing_when_enabled() {
    let (mut bench, signals) = connected();
    frame(&mut bench);
    bench.write(regs::EICR, QUEUE_BIT);
    bench.write(regs::EIMS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 0);
}

#[test]
fn without_auto_clear_a_cause_sends_the_next_message_only_once_cleared() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIAC, 0);
    bench.write(regs::EIMS, QUEUE_BIT);
    frame(&mut bench);
    frame(&mut bench);
    assert_eq!((messages(&signals[3]), bench.read(regs::EICS)), (1, QUEUE_BIT));
    bench.write(regs::EICR, QUEUE_BIT);
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 1);
}

#[test]
fn a_message_masks_its_cause_where_software_asked_for_it() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIAM, QUEUE_BIT);
    bench.write(regs::EIMS, QUEUE_BIT | EICR_LSC);
    frame(&mut bench);
    assert_eq!((messages(&signals[3]), bench.read(regs::EIMS)), (1, EICR_LSC));
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 0);
    bench.write(regs::EIMS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 1, "what arrived meanwhile");
}

#[test]
fn without_eiame_reading_causes_masks_and_setting_them_enables() {
    let (bench, _signals) = connected();
    bench.write(regs::GPIE, Gpie::new().with_msix(true));
    bench.write(regs::EIAM, 0xF);
    bench.write(regs::EIMS, 0xFF);
    bench.read(regs::EICR);
    assert_eq!(bench.read(regs::EIMS), 0xF0);
    bench.write(regs::EICS, 0x1);
    assert_eq!(bench.read(regs::EIMS), 0xF1);
    bench.write(regs::EICR, 0x1);
    assert_eq!(bench.read(regs::EIMS), 0xF0);
}

#[test]
fn two_messages_of_a_vector_are_an_interval_apart() {
    let (mut bench, signals) = connected();
    bench.write(regs::EITR.get(3), Eitr::new().with_interval(10));
    bench.write(regs::EIMS, QUEUE_BIT);
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 1, "the first does not wait");
    frame(&mut bench);
    bench.clock.advance(Duration::from_nanos(10 * EITR_UNIT_NS - 1));
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 0);
    bench.clock.advance(Duration::from_nanos(1));
    bench.step();
    assert_eq!(messages(&signals[3]), 1);
    bench.clock.advance(Duration::from_nanos(10 * EITR_UNIT_NS));
    bench.step();
    assert_eq!(messages(&signals[3]), 0, "nothing arrived since");
}

#[test]
fn an_interval_is_cut_short_by_writing_it_and_passed_by_immediate_causes() {
    let (mut bench, signals) = connected();
    let slow = Eitr::new().with_interval(511);
    bench.write(regs::EITR.get(3), slow);
    bench.write(regs::EIMS, QUEUE_BIT);
    frame(&mut bench);
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 1);
    bench.write(regs::EITR.get(3), slow.with_keep_counter(true));
    assert_eq!(messages(&signals[3]), 0);
    bench.write(regs::EITR.get(3), slow);
    assert_eq!(messages(&signals[3]), 1);
    bench.write(regs::EICS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 0);
    bench.write(regs::GPIE, many_vectors().with_immediate(true));
    bench.write(regs::EICS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 1);
    assert_eq!(bench.read(regs::EITR.get(3)).into_bits(), slow.into_bits());
    assert_eq!(bench.probe.violations(), []);
}

#[test]
fn the_link_has_the_vector_of_other_causes() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIMS, EICR_LSC);
    bench.cable.lock().unwrap().dark = true;
    bench.step();
    assert_eq!((messages(&signals[5]), bench.read(regs::EICR)), (1, EICR_LSC));
    bench.cable.lock().unwrap().dark = false;
    bench.step();
    bench.clock.advance(Duration::from_millis(50));
    bench.step();
    assert_eq!((messages(&signals[5]), bench.read(regs::EICR)), (1, EICR_LSC));
    bench.write(regs::ESDP, Esdp::new().with_laser_off(true));
    bench.step();
    assert_eq!((messages(&signals[5]), bench.read(regs::EICR)), (1, EICR_LSC));
}

#[test]
fn restarting_the_link_takes_it_down() {
    let (bench, signals) = connected();
    bench.write(regs::EIMS, EICR_LSC);
    bench.write(regs::AUTOC, bench.read(regs::AUTOC).with_restart(true));
    assert_eq!(bench.read(regs::EICR), EICR_LSC);
    bench.write(regs::CTRL, Ctrl::new().with_link_reset(true));
    assert_eq!((bench.read(regs::EICR), messages(&signals[5])), (0, 1), "it was down");
}

#[test]
fn reading_clears_the_causes_of_queues_unless_ocd_forbids_it() {
    let (mut bench, _signals) = connected();
    frame(&mut bench);
    bench.write(regs::EICS, EICR_LSC);
    assert_eq!(bench.read(regs::EICR), QUEUE_BIT | EICR_LSC);
    assert_eq!(bench.read(regs::EICR), QUEUE_BIT);
    bench.write(regs::GPIE, many_vectors().with_other_clear_disable(false));
    assert_eq!((bench.read(regs::EICR), bench.read(regs::EICR)), (QUEUE_BIT, 0));
}

#[test]
fn vectors_above_fifteen_have_masks_of_their_own_and_clear_themselves() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIAM_EX.get(1), 1 << 8);
    bench.write(regs::IVAR.get(0), Ivar::new().with_rx(0, to(40)));
    frame(&mut bench);
    assert_eq!(bench.read(regs::EICR), 0, "not visible");
    bench.write(regs::EIMS_EX.get(1), 1 << 8);
    assert_eq!((messages(&signals[40]), bench.read(regs::EIMS_EX.get(1))), (1, 0));
    bench.write(regs::EIMS_EX.get(1), 1 << 8);
    assert_eq!(messages(&signals[40]), 0);
    bench.write(regs::EICS_EX.get(1), 1 << 8);
    assert_eq!(messages(&signals[40]), 1);
    bench.write(regs::EIMS_EX.get(0), 1 << 20 | QUEUE_BIT);
    assert_eq!((bench.read(regs::EIMS), bench.read(regs::EIMS_EX.get(0))), (QUEUE_BIT, 1 << 20 | QUEUE_BIT));
    bench.write(regs::EIMC_EX.get(0), u32::MAX);
    assert_eq!((bench.read(regs::EIMS), bench.read(regs::EIMS_EX.get(0))), (0, 0));
}

#[test]
fn each_queue_has_its_vector_and_one_without_valid_bit_has_none() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIMS, 0xFFFF);
    let ivar = Ivar::new().with_rx(0, Allocation::new().with_vector(7)).with_tx(0, to(8)).with_rx(1, to(9));
    bench.write(regs::IVAR.get(0), ivar);
    frame(&mut bench);
    assert!(signals.iter().all(|signal| messages(signal) == 0));
    bench.put(0, &plain(MAC, 60), 60, tx_command::EOP);
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert_eq!(messages(&signals[8]), 0, "no report was asked for");
    bench.put(1, &plain(MAC, 60), 60, tx_command::EOP | tx_command::RS);
    bench.write(regs::TDT.get(0), 2);
    bench.step();
    assert_eq!(messages(&signals[8]), 1);
    bench.start_rx(1, Srrctl::new().with_buffer_kib(2).with_descriptor_type(1));
    bench.give(1, RING - 1);
    bench.write(regs::RETA.get(0), 0x0101_0101);
    bench.write(regs::MRQC, regs::Mrqc::new().with_mode(1).with_ipv4_udp(true));
    bench.receive(udp(20));
    assert_eq!((messages(&signals[7]), messages(&signals[9])), (0, 1));
}

#[test]
fn without_msix_mode_all_messages_are_those_of_vector_0() {
    let (mut bench, signals) = connected();
    bench.write(regs::GPIE, Gpie::new().with_auto_mask(true));
    bench.write(regs::EIMS, 0xFFFF | EICR_LSC);
    frame(&mut bench);
    assert_eq!((messages(&signals[0]), messages(&signals[3])), (1, 0));
    bench.write(regs::EICS, EICR_LSC);
    assert_eq!((messages(&signals[0]), messages(&signals[5])), (1, 0));
}

#[test]
fn what_is_not_connected_waits_in_the_pending_bits() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIMS, QUEUE_BIT);
    connect(&bench, &[]);
    frame(&mut bench);
    assert_eq!(bench.read(regs::EICS), 0, "the card has sent it");
    connect(&bench, &signals[..3]);
    assert_eq!(messages(&signals[3]), 0);
    connect(&bench, &signals);
    assert_eq!(messages(&signals[3]), 1);
    connect(&bench, &[]);
    frame(&mut bench);
    bench.write(regs::EIMS, QUEUE_BIT);
    connect(&bench, &signals);
    assert_eq!(messages(&signals[3]), 0, "with PBA support enabling clears the pending bit");
}

#[test]
fn messages_need_the_bus() {
    let (mut bench, signals) = connected();
    bench.write(regs::EIMS, QUEUE_BIT);
    set_bus_master(&bench.device, BusMaster::Off).unwrap();
    bench.write(regs::EICS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 0);
    set_bus_master(&bench.device, BusMaster::On).unwrap();
    bench.step();
    assert_eq!(messages(&signals[3]), 1);
    bench.device.config_write(0x73, &[0xC0]).unwrap();
    bench.write(regs::EICS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 0, "the function is masked");
    bench.device.config_write(0x73, &[0x80]).unwrap();
    bench.step();
    assert_eq!(messages(&signals[3]), 1);
}

#[test]
fn a_card_that_is_gone_sends_no_messages() {
    let (mut bench, signals) = connected();
    bench.write(regs::EITR.get(3), Eitr::new().with_interval(10));
    bench.write(regs::EIMS, QUEUE_BIT);
    frame(&mut bench);
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 1, "one is owed");
    bench.probe.inject(Fault::Gone);
    assert!(matches!(bench.device.connect_interrupts(&[]), Err(Error::Gone { .. })));
    bench.clock.advance(Duration::from_millis(1));
    frame(&mut bench);
    assert_eq!(messages(&signals[3]), 0);
}

#[test]
fn a_software_reset_forgets_causes_and_masks_but_not_the_vectors() {
    let (mut bench, signals) = connected();
    frame(&mut bench);
    bench.write(regs::EIMS, EICR_LSC);
    bench.write(regs::CTRL, Ctrl::new().with_reset(true));
    bench.clock.advance(Duration::from_millis(2));
    assert_eq!((bench.read(regs::EICS), bench.read(regs::EIMS), u32::from(bench.read(regs::GPIE))), (0, 0, 0));
    bench.write(regs::EIMS, 1);
    bench.write(regs::EICS, 1);
    assert_eq!(messages(&signals[0]), 1);
    assert_eq!(messages(&signals[5]), 0);
}

#[test]
fn a_function_reset_disconnects() {
    let (bench, signals) = connected();
    bench.device.reset().unwrap();
    set_bus_master(&bench.device, BusMaster::On).unwrap();
    bench.device.config_write(0x73, &[0x80]).unwrap();
    bench.write(regs::GPIE, many_vectors());
    bench.write(regs::EIMS, 0xFFFF);
    bench.write(regs::EICS, 0xFFFF);
    assert!(signals.iter().all(|signal| messages(signal) == 0));
}

#[test]
fn what_cannot_be_connected_is_refused_and_changes_nothing() {
    let (bench, signals) = connected();
    let more = eventfds(VECTORS + 1);
    let more: Vec<_> = more.iter().map(AsFd::as_fd).collect();
    let refused = bench.device.connect_interrupts(&more);
    assert!(matches!(&refused, Err(Error::Interrupts { reason, .. }) if reason.contains("64 vectors")), "{refused:?}");
    let file = tempfile::tempfile().unwrap();
    let refused = bench.device.connect_interrupts(&[signals[0].as_fd(), file.as_fd()]);
    assert!(matches!(&refused, Err(Error::Interrupts { reason, .. }) if reason.contains("vector 1")), "{refused:?}");
    bench.write(regs::EIMS, QUEUE_BIT);
    bench.write(regs::EICS, QUEUE_BIT);
    assert_eq!(messages(&signals[3]), 1);
}

#[test]
fn the_card_has_as_many_vectors_as_its_capability_says() {
    let bench = Bench::new();
    let control = || {
        let mut control = [0; 2];
        bench.device.config_read(0x72, &mut control).unwrap();
        u16::from_le_bytes(control)
    };
    assert_eq!((bench.device.interrupts(), control()), (64, 63));
    connect(&bench, &eventfds(2));
    assert_eq!(control(), 0x8000 | 63);
    connect(&bench, &[]);
    assert_eq!(control(), 63);
}

#[test]
fn reserved_bits_of_interrupt_registers_are_violations() {
    let bench = Bench::new();
    let wrong = [
        (regs::EIAC.offset(), EICR_LSC),
        (regs::EITR.get(3).offset(), 1),
        (regs::IVAR.get(0).offset(), 0x40),
        (regs::IVAR_MISC.offset(), 0x4000),
        (regs::GPIE.offset(), 1 << 20),
    ];
    for (number, (offset, value)) in (1..).zip(wrong) {
        gannet_bus::Registers::write(&bench.bar, offset, value);
        assert_eq!(bench.probe.violation_count(Violation::ReservedBits), number, "{offset:#x}");
    }
    bench.write(regs::GPIE, Gpie::new().with_vt_mode(1));
    assert_eq!(bench.probe.violation_count(Violation::Unsupported), 1);
}
