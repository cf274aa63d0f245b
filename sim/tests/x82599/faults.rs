//! Cards that misbehave on request.

use std::time::Duration;

use gannet_bus::{Condition, Device, Error, Registers};
use gannet_sim::x82599::Fault;
use gannet_spec::x82599::desc::{rx_status, tx_command};
use gannet_spec::x82599::eeprom;
use gannet_spec::x82599::regs::{self, Ctrl, Rxdctl, Txdctl};

use super::frames::{MAC, plain};
use super::harness::{BUFFER, Bench};

const WHOLE: u32 = tx_command::EOP | tx_command::RS;

#[test]
fn every_third_length_lies() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::LengthBeyondBuffer { every: 3 });
    for _ in 0..6 {
        bench.receive(plain(MAC, 60));
    }
    let lengths: Vec<_> = (0..6).map(|position| usize::from(bench.write_back(0, position).length())).collect();
    assert!(lengths[2] > BUFFER && lengths[5] > BUFFER);
    assert_eq!([lengths[0], lengths[1], lengths[3], lengths[4]], [60; 4]);
}

#[test]
fn the_end_of_packets_is_missing() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::NoEndOfPacket { every: 1 });
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.write_back(0, 0).status(), rx_status::DD);
    bench.probe.heal();
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.write_back(0, 1).status(), rx_status::DD | rx_status::EOP);
}

#[test]
fn descriptors_are_done_out_of_order() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::DoneOutOfOrder { every: 2 });
    let done = |bench: &Bench| [0, 1, 2].map(|position| bench.write_back(0, position).high != 0);
    bench.receive(plain(MAC, 60));
    bench.receive(plain(MAC, 61));
    assert_eq!(done(&bench), [true, false, false]);
    bench.receive(plain(MAC, 62));
    assert_eq!(done(&bench), [true, true, true]);
    assert_eq!(bench.write_back(0, 1).length(), 61);
}

#[test]
fn the_status_is_noise_but_done() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::GarbageStatus { every: 1 });
    bench.receive(plain(MAC, 60));
    bench.receive(plain(MAC, 60));
    let (first, second) = (bench.write_back(0, 0), bench.write_back(0, 1));
    assert_ne!(first, second);
    assert_ne!(first.status() & second.status() & rx_status::DD, 0);
}

#[test]
fn transmit_is_never_done() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::NeverDone { every: 1 });
    bench.put(0, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert_eq!((bench.sent().len(), bench.done(0)), (1, false));
}

#[test]
fn transmit_is_done_before_the_data_is_read() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::EarlyDone { every: 1 });
    bench.put(0, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    bench.nic.step(1);
    assert_eq!((bench.sent().len(), bench.done(0)), (0, true));
    bench.nic.step(1);
    assert_eq!((bench.sent().len(), bench.done(0)), (1, true));
}

#[test]
fn the_link_never_comes() {
    let mut bench = Bench::new();
    bench.probe.inject(Fault::LinkNeverUp);
    bench.step();
    bench.clock.advance(Duration::from_secs(100));
    bench.step();
    assert!(!bench.read(regs::LINKS).up());
}

#[test]
fn a_card_that_is_gone_reads_all_ones_and_moves_nothing() {
    let mut bench = Bench::started();
    bench.probe.inject(Fault::Gone);
    assert_eq!(bench.bar.read(regs::STATUS.offset()), u32::MAX);
    assert!(bench.device.config_read(0, &mut [0; 2]).is_err());
    bench.put(0, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    bench.receive(plain(MAC, 60));
    assert!(bench.sent().is_empty() && !bench.done(0));
    assert_eq!(bench.write_back(0, 0).high, 0);
}

#[test]
fn a_card_says_that_it_is_wanted_back_and_works_on_until_it_is_gone() {
    let mut bench = Bench::started();
    assert_eq!(bench.device.condition(), Condition::Present);
    bench.probe.inject(Fault::Wanted);
    assert_eq!(bench.device.condition(), Condition::Wanted);
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.write_back(0, 0).status() & rx_status::DD, rx_status::DD);
    bench.probe.inject(Fault::Gone);
    assert_eq!(bench.device.condition(), Condition::Gone);
    assert!(matches!(bench.device.reset(), Err(Error::Gone { .. })));
    bench.probe.heal();
    assert_eq!(bench.device.condition(), Condition::Present);
}

#[test]
fn a_reset_never_ends() {
    let bench = Bench::new();
    bench.probe.inject(Fault::StuckReset);
    bench.write(regs::CTRL, Ctrl::new().with_reset(true));
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.read(regs::CTRL).reset());
    bench.probe.heal();
    assert!(!bench.read(regs::CTRL).reset());
}

#[test]
fn queues_never_go_off() {
    let bench = Bench::started();
    bench.probe.inject(Fault::StuckQueueDisable);
    bench.write(regs::RXDCTL.get(0), Rxdctl::new());
    bench.write(regs::TXDCTL.get(0), Txdctl::new());
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.read(regs::RXDCTL.get(0)).enable() && bench.read(regs::TXDCTL.get(0)).enable());
    bench.probe.heal();
    assert!(!bench.read(regs::RXDCTL.get(0)).enable() && !bench.read(regs::TXDCTL.get(0)).enable());
}

#[test]
fn the_eeprom_does_not_add_up() {
    let bench = Bench::new();
    bench.probe.inject(Fault::BadEeprom);
    let word = |address| {
        bench.write(regs::EERD, regs::Eerd::new().with_start(true).with_address(address));
        bench.read(regs::EERD).data()
    };
    let sum = (0..=eeprom::CHECKSUM).fold(0_u16, |sum, address| sum.wrapping_add(word(address)));
    assert_ne!(sum, eeprom::CHECKSUM_SUM);
}
