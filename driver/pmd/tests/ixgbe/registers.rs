//! Registers of a running port: a look shows what it has set up, and changes nothing.

use gannet::{Control, Error, Port, PortConfig, RegisterValue};
use gannet_sim::x82599::Fault;
use gannet_spec::Reg;
use gannet_spec::x82599::regs::{GPRC, RDH, RDLEN, RDT, RXDCTL, STATUS};

use super::frames::numbered;
use super::harness::{Rig, burst_of, pool};
use super::meddler::{Access, Meddled};

#[track_caller]
fn value<A, V>(registers: &[RegisterValue], register: Reg<A, V>) -> u32 {
    let found = registers.iter().find(|value| value.offset == register.offset());
    found.unwrap_or_else(|| panic!("{register:?} is not there")).value
}

#[track_caller]
fn assert_gone(control: &Control) {
    let error = control.registers().unwrap_err();
    assert!(matches!(error, Error::Bus(gannet_bus::Error::Gone { .. })), "{error}");
}

#[test]
fn they_say_what_the_port_has_set_up() {
    let rig = Rig::new();
    let port = rig.start(PortConfig::new(&pool(256), 64));
    let registers = port.control.registers().unwrap();
    assert_eq!((value(&registers, RDLEN.get(0)), value(&registers, RDLEN.get(1))), (64 * 16, 0));
    let find = |name: &str, index| registers.iter().find(|value| (value.name, value.index) == (name, index));
    let status = find("STATUS", None).expect("a single register");
    assert_eq!((status.offset, status.fields.as_str()), (STATUS.offset(), "link_up, master_enabled"));
    let rxdctl = find("RXDCTL", Some(0)).expect("one of an array");
    assert_eq!(rxdctl.offset, RXDCTL.get(0).offset());
    assert!(rxdctl.fields.contains("enable"), "{rxdctl:?}");
    assert!(registers.iter().all(|value| value.offset != GPRC.offset()), "statistics clear when they are read");
    // A port that is stopped has registers too.
    let registers = port.stop().registers().unwrap();
    assert_eq!(value(&registers, RXDCTL.get(0)) >> 25 & 1, 0);
    rig.assert_clean();
}

#[test]
fn a_look_changes_nothing_and_disturbs_no_frame() {
    let mut rig = Rig::new();
    let pool = pool(512);
    let mut port = rig.start(PortConfig::new(&pool, 64));
    let mut received = 0;
    for round in 0..20 {
        rig.offer((0..10).map(|number| numbered(number, 100)));
        let mut burst = burst_of(&pool, &[numbered(round, 60), numbered(round, 61)]);
        port.queues.tx[0].send(&mut burst);
        // In the middle of things: five frames wait in the cable, five are in the ring.
        rig.nic.step(5);
        let registers = port.control.registers().unwrap();
        assert_eq!(registers, port.control.registers().unwrap(), "a second look sees the same");
        assert_ne!(value(&registers, RDH.get(0)), value(&registers, RDT.get(0)));
        received += rig.receive_all(&mut port.queues.rx[0]).len();
        rig.send_all(&mut port.queues.tx[0], &mut burst);
        assert_eq!((received, rig.sent().len()), ((round as usize + 1) * 10, 2));
    }
    port.control.registers().unwrap();
    let stats = port.control.stats();
    assert_eq!((stats.rx_packets, stats.rx_bytes, stats.tx_packets), (200, 200 * 104, 40));
    assert_eq!((stats.rx_missed, stats.rx_no_descriptor), (0, 0));
    port.control.registers().unwrap();
    assert_eq!(port.control.stats(), stats);
    rig.assert_clean();
}

#[test]
fn the_ones_of_a_card_that_is_gone_are_no_content() {
    let rig = Rig::new();
    let port = rig.start(PortConfig::new(&pool(256), 64));
    rig.probe.inject(Fault::Gone);
    assert_gone(&port.control);
}

#[test]
fn nor_are_those_of_a_card_that_leaves_during_the_look() {
    let rig = Rig::new();
    let probe = rig.probe.clone();
    // The driver has one queue, and does not touch this one.
    let device = Meddled::new(&rig.device, move |access, _| {
        if access == Access::Read(RDT.get(64).offset()) {
            probe.inject(Fault::Gone);
        }
        None
    });
    let pool = pool(256);
    let port = Port::probe(device).unwrap().configure(PortConfig::new(&pool, 64)).unwrap();
    let (control, _queues) = port.start().unwrap();
    assert_gone(&control);
}
