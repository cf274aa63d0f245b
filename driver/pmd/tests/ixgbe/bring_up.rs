//! From a device to a port that runs, and what comes in between.

use std::time::Duration;

use gannet::{Error, Link, Port, PortConfig};
use gannet_bus::pci::{self, PciId};
use gannet_bus::{Device, Registers};
use gannet_sim::x82599::Fault;
use gannet_spec::x82599::regs::{EERD, Eerd, RXDCTL, Rxdctl, STATUS, SW_FW_SYNC, SWSM, Swsm, TXDCTL, Txdctl};

use super::harness::{LINK_DELAY, MAC, Rig, Running, assert_home, pool};
use super::meddler::{Access, Meddled};

#[test]
fn a_port_comes_up_and_goes_down_without_breaking_a_rule() {
    let mut rig = Rig::new();
    let pool = pool(2048);
    let port = rig.start(PortConfig::new(&pool, 512));
    rig.settle();
    port.assert_census(&pool, 0);
    port.stop();
    rig.assert_clean();
    assert_home(&pool);
}

#[test]
fn the_address_is_that_of_the_eeprom() {
    let rig = Rig::new();
    let port = rig.probe().unwrap();
    assert_eq!(port.info().mac, MAC);
    assert_eq!(&*port.info().name, rig.device.name());
}

#[test]
fn the_card_may_do_dma_only_while_its_port_is_started() {
    let rig = Rig::new();
    let pool = pool(512);
    let masters = || pci::read_u16(&rig.device, pci::COMMAND).unwrap() & pci::COMMAND_BUS_MASTER != 0;
    // As somebody left it.
    pci::set_bus_master(&rig.device, pci::BusMaster::On).unwrap();
    let port = rig.probe().unwrap().configure(PortConfig::new(&pool, 64)).unwrap();
    assert!(!masters());
    let (control, queues) = port.start().unwrap();
    assert!(masters());
    let port = control.stop(queues).unwrap();
    assert!(!masters());
    let (control, queues) = port.start().unwrap();
    assert!(masters());
    drop(control);
    assert!(masters());
    drop(queues);
    assert!(!masters());
}

#[test]
fn the_link_is_reported_down_and_then_up() {
    let mut rig = Rig::new();
    let (control, queues) = rig.try_start(PortConfig::new(&pool(512), 64)).unwrap();
    assert_eq!(control.link(), Link::Down);
    assert_eq!(control.wait_for_link(LINK_DELAY / 2), Link::Down);
    assert_eq!(control.wait_for_link(LINK_DELAY), Link::Up { mbps: 10_000 });
    rig.cable.lock().unwrap().dark = true;
    rig.nic.step(1);
    assert_eq!(control.link(), Link::Down);
    rig.cable.lock().unwrap().dark = false;
    rig.nic.step(1);
    assert_eq!(control.link(), Link::Down);
    Running { control, queues }.link_up();
    rig.assert_clean();
}

#[test]
fn a_link_that_never_comes_up_costs_the_patience_and_no_more() {
    let rig = Rig::new();
    rig.probe.inject(Fault::LinkNeverUp);
    let (control, queues) = rig.try_start(PortConfig::new(&pool(512), 64)).unwrap();
    for patience_ms in [0, 1, 700] {
        let before = rig.now_ms();
        assert_eq!(control.wait_for_link(Duration::from_millis(patience_ms)), Link::Down);
        assert_eq!(rig.now_ms() - before, patience_ms);
    }
    control.stop(queues).unwrap();
}

#[test]
fn a_device_that_no_driver_knows_is_refused_by_its_numbers() {
    let rig = Rig::new();
    let id = PciId { device: 0x1234, ..rig.device.id().unwrap() };
    let text = Port::probe(Meddled::posing_as(&rig.device, id)).unwrap_err().to_string();
    assert!(text.contains("8086:1234"), "{text}");
}

#[test]
fn a_bad_eeprom_checksum_is_refused() {
    let rig = Rig::new();
    rig.probe.inject(Fault::BadEeprom);
    let error = rig.probe().unwrap_err();
    assert!(matches!(&error, Error::Eeprom { reason, .. } if reason.contains("0xbaba")), "{error}");
    rig.probe.heal();
    rig.probe().unwrap();
}

/// A card whose EEPROM holds `word` everywhere.
fn eeprom_of(rig: &Rig, word: impl Fn(u16) -> u16 + Send + Sync + 'static) -> Meddled {
    Meddled::new(&rig.device, move |access, bar| match access {
        Access::Read(offset) if offset == EERD.offset() => {
            let value = Eerd::from(bar.read(offset));
            Some(value.with_data(word(value.address())).into())
        }
        _ => None,
    })
}

#[test]
fn an_eeprom_full_of_nonsense_is_refused_within_bounds() {
    for word in [0x0001, 0x4000, 0x8001, 0xFFFE, 0xFFFF] {
        let rig = Rig::new();
        let error = Port::probe(eeprom_of(&rig, move |_| word)).unwrap_err();
        assert!(matches!(error, Error::Eeprom { .. }), "{word:#x}: {error}");
    }
}

#[test]
fn an_eeprom_that_does_not_answer_is_a_timeout() {
    let rig = Rig::new();
    let silent = Meddled::new(&rig.device, |access, _| (access == Access::Read(EERD.offset())).then_some(0));
    let error = Port::probe(silent).unwrap_err();
    assert!(matches!(error, Error::Timeout { what: "a word of the EEPROM", .. }), "{error}");
}

#[test]
fn a_group_address_in_the_eeprom_is_refused() {
    let rig = Rig::new();
    // One more in the first word and one less in another leave the checksum as it is.
    let error = Port::probe(eeprom_of_changed(&rig)).unwrap_err();
    assert!(matches!(&error, Error::Eeprom { reason, .. } if reason.contains("MAC address")), "{error}");
}

fn eeprom_of_changed(rig: &Rig) -> Meddled {
    Meddled::new(&rig.device, |access, bar| match access {
        Access::Read(offset) if offset == EERD.offset() => {
            let value = Eerd::from(bar.read(offset));
            let data = match value.address() {
                0 => value.data() + 1,
                1 => value.data() - 1,
                _ => value.data(),
            };
            Some(value.with_data(data).into())
        }
        _ => None,
    })
}

#[test]
fn a_reset_that_does_not_end_is_a_timeout() {
    let rig = Rig::new();
    rig.probe.inject(Fault::StuckReset);
    let error = rig.probe().unwrap_err();
    assert!(matches!(error, Error::Timeout { what: "the end of the reset", .. }), "{error}");
    assert!(rig.now_ms() < 1_000, "{} ms", rig.now_ms());
    rig.probe.heal();
    rig.probe().unwrap();
}

#[test]
fn a_master_that_does_not_stop_takes_a_second_reset() {
    let rig = Rig::new();
    let pool = pool(512);
    // As a card that has requests under way for ever; the two resets end them.
    let busy = Meddled::new(&rig.device, |access, bar| match access {
        Access::Read(offset) if offset == STATUS.offset() => Some(bar.read(offset) | 1 << 19),
        _ => None,
    });
    let (control, queues) = Port::probe(busy).unwrap().configure(PortConfig::new(&pool, 64)).unwrap().start().unwrap();
    control.stop(queues).unwrap();
    // The sequence needs the loopback that the model does not have.
    let violations = rig.probe.violations();
    assert!(violations.iter().all(|record| record.detail == "loopback in the MAC"), "{violations:?}");
    assert_eq!((rig.probe.unknown_registers(), rig.probe.dma_fault_count()), (vec![], 0));
}

/// Starts a port on a card where `meddle` rules, expects that it fails for `what`, and that nothing is lost by it.
fn fails_to_start(what: &str, meddle: impl Fn(Access, &gannet_sim::SimBar) -> Option<u32> + Send + Sync + 'static) {
    let mut rig = Rig::new();
    let pool = pool(512);
    let port = Port::probe(Meddled::new(&rig.device, meddle)).unwrap();
    let error = port.configure(PortConfig::new(&pool, 64)).unwrap().start().unwrap_err();
    assert!(matches!(&error, Error::Timeout { what: found, .. } if *found == what), "{error}");
    assert_home(&pool);
    assert!(rig.now_ms() < 20_000, "{} ms", rig.now_ms());
    rig.offer([super::frames::numbered(1, 60)]);
    rig.nic.step(9);
    rig.assert_clean();
}

#[test]
fn a_receive_queue_that_does_not_start_is_a_timeout() {
    fails_to_start("a receive queue to start", |access, bar| match access {
        Access::Read(offset) if offset == RXDCTL.get(0).offset() => {
            Some(Rxdctl::from(bar.read(offset)).with_enable(false).into())
        }
        _ => None,
    });
}

#[test]
fn a_transmit_queue_that_does_not_start_is_a_timeout() {
    fails_to_start("a transmit queue to start", |access, bar| match access {
        Access::Read(offset) if offset == TXDCTL.get(0).offset() => {
            Some(Txdctl::from(bar.read(offset)).with_enable(false).into())
        }
        _ => None,
    });
}

#[test]
fn semaphores_that_are_never_free_are_timeouts() {
    fails_to_start("the software semaphore", |access, bar| match access {
        Access::Read(offset) if offset == SWSM.offset() => Some(Swsm::from(bar.read(offset)).with_smbi(true).into()),
        _ => None,
    });
    fails_to_start("the firmware semaphore", |access, bar| match access {
        Access::Read(offset) if offset == SWSM.offset() => {
            Some(Swsm::from(bar.read(offset)).with_swesmbi(false).into())
        }
        _ => None,
    });
    // The firmware holds the MAC.
    fails_to_start("the MAC's registers", |access, _| (access == Access::Read(SW_FW_SYNC.offset())).then_some(1 << 8));
}

#[test]
fn locks_that_a_killed_process_left_are_taken_over() {
    let rig = Rig::new();
    let bar = rig.device.bar(0).unwrap();
    bar.read(SWSM.offset());
    bar.write(SW_FW_SYNC.offset(), 1 << 3);
    let pool = pool(1024);
    rig.start(PortConfig::new(&pool, 64)).stop();
    assert_eq!(bar.read(SW_FW_SYNC.offset()), 0, "and given back");
    rig.assert_clean();
}

#[test]
fn a_queue_that_does_not_stop_is_cut_off_and_its_buffers_are_home() {
    let mut rig = Rig::new();
    let pool = pool(1024);
    let port = rig.start(PortConfig::new(&pool, 64));
    rig.probe.inject(Fault::StuckQueueDisable);
    let error = port.control.stop(port.queues).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert_home(&pool);
    // The queue still runs as far as the card is concerned, but it reaches no memory.
    rig.offer((0..9).map(|number| super::frames::numbered(number, 60)));
    rig.nic.step(64);
    assert_eq!(rig.probe.dma_faults(), []);
    rig.probe.heal();
    let port = rig.start(PortConfig::new(&pool, 64));
    rig.nic.step(64);
    port.stop();
    rig.assert_clean();
    assert_home(&pool);
}

#[test]
fn an_id_that_no_test_has_covered_says_so() {
    let rig = Rig::new();
    let tested = rig.probe().unwrap();
    assert_eq!(tested.info().card.tested_on, Some("Gannet's software 82599"));
    drop(tested);
    let id = PciId { device: 0x10F8, ..rig.device.id().unwrap() };
    let port = Port::probe(Meddled::posing_as(&rig.device, id)).unwrap();
    assert_eq!((port.info().card.name, port.info().card.tested_on), ("Intel 82599 10 GbE backplane", None));
}
