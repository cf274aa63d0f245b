//! The igb driver against registers that answer as told: what it sets up on each chip, and that no failure of a card makes it wait for ever.
//! Frames are for QEMU's model of the 82576 (`tools/lab`).

mod card;
#[path = "../support/memory.rs"]
mod memory;

use std::time::Duration;

use card::Access::{Read, Write};
use card::{Card, Failure, Make};
use gannet::{
    Control, Idle, Pool, PoolOptions, Port, PortConfig, Queues, RxInterrupts, Sleeper, VlanTags, data_room_for,
};
use gannet_bus::pci::COMMAND_BUS_MASTER;
use gannet_spec::phy::{ANAR, BMCR, Bmcr, PAGE};
use gannet_spec::x82576::nvm;
use gannet_spec::x82576::regs::*;

const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

const I82576: u16 = 0x10C9;
const I350: u16 = 0x1521;
const I210: u16 = 0x1533;

fn pool() -> Pool {
    Pool::new(&PoolOptions { buffers: 1024, cache: 32, ..PoolOptions::default() }).expect("normal pages do")
}

fn queues(pool: &Pool, count: usize) -> PortConfig {
    let one = PortConfig::new(pool, 64);
    PortConfig { rx: vec![one.rx[0].clone(); count], tx: vec![one.tx[0].clone(); count], ..one }
}

fn refusal(make: Make) -> (Card, String) {
    let card = make.build();
    let why = Port::probe(card.clone()).expect_err("it is broken").to_string();
    (card, why)
}

#[test]
fn the_address_is_the_one_that_the_card_has_loaded() {
    for device in [I82576, I350, I210] {
        let card = Make::new(device).build();
        let port = Port::probe(card.clone()).expect("it answers");
        assert_eq!((port.info().mac, port.info().card.driver.name()), (MAC, "igb"), "{device:#06x}");
        assert_eq!(card.command() & COMMAND_BUS_MASTER, 0);
        assert_eq!(card.value(SW_FW_SYNC), 0, "the NVM is given back");
    }
}

#[test]
fn an_alternate_address_goes_before_the_82576s_own() {
    let words = [0x5402, 0x2301, 0x6745];
    for (device, port, expected) in
        [(I82576, 1, [0x02, 0x54, 0x01, 0x23, 0x45, 0x67]), (I82576, 0, MAC), (I350, 0, MAC)]
    {
        let mut make = Make { port, ..Make::new(device) };
        make.store(nvm::ALTERNATE_MAC_POINTER, &[0x30]);
        // Port 0 has none: a group's address stands there.
        make.store(0x30, &[0xFFFF; 3]);
        make.store(0x33, &words);
        let port = Port::probe(make.build()).expect("it answers");
        assert_eq!(port.info().mac, expected, "{device:#06x}");
    }
}

#[test]
fn an_nvm_that_cannot_be_trusted_is_refused() {
    let mut spoiled = Make::new(I82576);
    spoiled.nvm[0x20] ^= 0x1000;
    assert!(refusal(spoiled).1.contains("add up to"));
    let absent = Make { eecd: Eecd::new().with_auto_read_done(true), ..Make::new(I82576) };
    assert!(refusal(absent).1.contains("none is present"));
    for mac in [[0; 6], [1, 2, 3, 4, 5, 6]] {
        assert!(refusal(Make { mac, ..Make::new(I82576) }).1.contains("none of a port"));
    }
}

#[test]
fn only_the_ports_own_words_count_and_only_where_there_are_words() {
    // An I350 has a block for each port.
    let mut make = Make { port: 1, ..Make::new(I350) };
    make.nvm[0x20] ^= 0x1000;
    Port::probe(make.clone().build()).expect("the words of port 0 are not its business");
    make.nvm[0x80 + 0x20] ^= 0x1000;
    assert!(refusal(make).1.contains("add up to"));
    // An I210 without flash has nothing to read.
    let make = Make { eecd: Eecd::new(), failure: Failure::NvmIsSilent, ..Make::new(I210) };
    assert_eq!(Port::probe(make.build()).expect("its fuses do").info().mac, MAC);
}

#[test]
fn a_port_that_is_not_copper_is_refused() {
    for (link_mode, medium) in [(1, "1000BASE-KX"), (2, "SGMII"), (3, "SerDes")] {
        let (_, why) = refusal(Make { link_mode, ..Make::new(I82576) });
        assert!(why.contains(medium), "{why}");
    }
}

#[test]
fn a_card_that_does_not_come_up_is_reported() {
    for (failure, part) in [
        (Failure::ResetHangs, "the end of the reset"),
        (Failure::NvmIsSilent, "a word of the NVM"),
        (Failure::FirmwareKeepsAll, "the NVM"),
        (Failure::Gone, "card is gone"),
    ] {
        let (card, why) = refusal(Make { failure, ..Make::new(I82576) });
        assert!(why.contains(part), "{failure:?}: {why}");
        assert!(card.clock() < Duration::from_secs(2), "{failure:?}: {:?}", card.clock());
    }
    // A master that hangs is what a reset is for; QEMU's model never says that it has read its NVM.
    let eecd = Eecd::new().with_present(true);
    Port::probe(Make { failure: Failure::MasterHangs, eecd, ..Make::new(I82576) }.build()).expect("it is reset");
}

#[test]
fn a_port_that_does_not_start_is_reported_and_its_buffers_are_home() {
    for (failure, part) in
        [(Failure::PhyIsAbsent, "its PHY reports an error"), (Failure::QueuesDoNotStart, "a receive queue to start")]
    {
        let (card, pool) = (Make { failure, ..Make::new(I82576) }.build(), pool());
        let port = Port::probe(card.clone()).and_then(|port| port.configure(queues(&pool, 2))).expect("it answers");
        let why = port.start().expect_err("it is broken").to_string();
        assert!(why.contains(part), "{failure:?}: {why}");
        assert_eq!((pool.census().out, card.command() & COMMAND_BUS_MASTER), (0, 0), "{failure:?}");
    }
}

#[test]
fn a_port_runs_as_configured_and_stops() {
    for (device, count) in [(I82576, 16), (I350, 8), (I210, 4)] {
        let (card, pool) = (Make::new(device).build(), pool());
        let config = PortConfig { vlan_tags: VlanTags::Strip, ..queues(&pool, count) };
        let port = Port::probe(card.clone()).expect("it answers");
        let port = port.configure(config).expect("all its queues");
        card.take_accesses(&[]);
        let (control, queues) = port.start().expect("it answers");
        let last = count as u32 - 1;
        let rctl = card.value(RCTL);
        assert!(rctl.enable() && rctl.broadcast_accept() && rctl.crc_strip() && !rctl.unicast_promiscuous());
        assert!(card.value(CTRL).vlan_strip() && card.value(CTRL).set_link_up());
        assert!(card.value(RXDCTL.get(last)).enable() && card.value(TXDCTL.get(last)).enable());
        assert!(card.value(SRRCTL.get(last)).drop_enable() && card.value(SRRCTL.get(last)).descriptor_type() == 1);
        assert_eq!((card.value(RDLEN.get(last)), card.value(RDT.get(last))), (64 * 16, 48));
        assert_eq!(card.value(RETA.get(31)) >> 24, last, "the last entry names the last queue");
        // The successors strip for each queue on its own.
        let stripping = card.value(DVMOLR.get(3));
        assert_eq!((stripping.vlan_strip(), stripping.crc_strip()), (device != I82576, device != I82576));
        let first = if device == I210 { PAGE.number() } else { ANAR.number() };
        assert_eq!(card.take_first_phy_register(), Some(first), "{device:#06x}: only some PHYs have pages");
        assert!(Bmcr::from(card.phy(BMCR.number())).restart_negotiation());
        assert_eq!(card.value(SW_FW_SYNC), 0, "the PHY is given back");
        control.stop(queues).expect("it answers");
        assert!(!card.value(RCTL).enable() && !card.value(TCTL).enable() && !card.value(CTRL_EXT).driver_loaded());
        assert_eq!((pool.census().out, card.command() & COMMAND_BUS_MASTER), (0, 0));
    }
}

#[test]
fn a_look_at_the_registers_reads_each_once_and_writes_none() {
    let card = Make::new(I82576).build();
    let port = Port::probe(card.clone()).and_then(|port| port.configure(PortConfig::new(&pool(), 64)));
    let (control, _queues) = port.and_then(|port| port.start()).expect("it answers");
    card.take_accesses(&[]);
    let registers = control.registers().expect("it answers");
    let everything: Vec<u32> = (0..0x2_0000).step_by(4).collect();
    let reads = registers.iter().map(|value| Read(value.offset));
    let last = Read(STATUS.offset());
    assert_eq!(
        card.take_accesses(&everything),
        reads.chain([last]).collect::<Vec<_>>(),
        "the last: is it still there?"
    );
    let find = |name: &str, index| registers.iter().find(|value| (value.name, value.index) == (name, index));
    assert_eq!(find("RDLEN", Some(0)).map(|value| value.value), Some(64 * 16));
    assert!(find("RCTL", None).is_some_and(|value| value.fields.starts_with("enable")), "{registers:?}");
    for changed in [ICR.offset(), SWSM.offset(), GPRC.offset()] {
        assert!(registers.iter().all(|value| value.offset != changed), "{changed:#x} is changed by a look");
    }
}

#[test]
fn a_receive_queue_signals_by_the_vector_of_its_number() {
    // The 82576 lays its queues out in columns of eight, the others two a register; a transmit queue's byte is between.
    for (device, ivar) in [(I82576, [0x80, 0x81]), (I350, [0x0081_0080, 0x0083_0082])] {
        let (card, pool) = (Make::new(device).build(), pool());
        let config = PortConfig { rx_interrupts: RxInterrupts::On, ..queues(&pool, 4) };
        let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("it answers");
        let (_control, mut queues) = port.start().expect("it answers");
        assert_eq!([0, 1].map(|register| card.value(IVAR.get(register))), ivar, "{device:#06x}");
        assert!(card.value(GPIE).msix());
        assert_eq!(card.value(EIAC), 0b1111);
        card.take_accesses(&[]);
        let Some(last) = queues.rx.last_mut() else { panic!("four were configured") };
        assert!(Sleeper::new(Idle::Interrupt).sleep(&mut [last], Duration::ZERO));
        // Taken back before it is unmasked: in the other order a frame in between would be forgotten. The read pushes both through.
        let [eicr, eims, eimc] = [EICR.offset(), EIMS.offset(), EIMC.offset()];
        assert_eq!(
            card.take_accesses(&[eicr, eims, eimc]),
            [Write(eicr, 0b1000), Write(eims, 0b1000), Read(eims), Write(eimc, 0b1000)]
        );
    }
}

/// A list of two capabilities, the second of which is PCI Express of this version.
fn express(version: u8, device_control_2: u8) -> [u8; 256] {
    let mut config = [0; 256];
    config[0x06] = 1 << 4;
    config[0x34] = 0x40;
    config[0x40..0x42].copy_from_slice(&[0x01, 0xA0]);
    config[0xA0..0xA3].copy_from_slice(&[0x10, 0x00, version]);
    config[0xC8] = device_control_2;
    config
}

#[test]
fn completions_get_more_time_where_the_default_holds() {
    let (here, there) = (Gcr::new().with_completion_resend(true), Gcr::new().with_pcie_v2(true));
    // The first capability's next is the capability itself.
    let mut circle = express(2, 0);
    circle[0x41] = 0x40;
    for (gcr, config, failure, expected) in [
        (here, express(1, 0), Failure::None, (1, 0)),
        (here.with_completion_timeout(6), express(1, 0), Failure::None, (6, 0)),
        (there, express(2, 0x20), Failure::None, (0, 0x25)),
        (there, express(2, 0x29), Failure::None, (0, 0x29)),
        (there, express(1, 0), Failure::None, (0, 0)),
        (there, express(2, 0), Failure::ConfigRefuses, (0, 0)),
        (there, circle, Failure::None, (0, 0)),
    ] {
        let (card, pool) = (Make { gcr, config, failure, ..Make::new(I82576) }.build(), pool());
        let port = Port::probe(card.clone()).and_then(|port| port.configure(queues(&pool, 1))).expect("it answers");
        let _running = port.start().expect("it runs with any timeout");
        let set = card.value(GCR);
        assert_eq!((set.completion_timeout(), card.config_word(0xC8)), expected, "{gcr:?} {failure:?}");
        assert!(!set.completion_resend());
    }
}

/// A running port with this MTU, and a pool of buffers for it.
fn with_mtu(device: u16, mtu: u16) -> (Card, Pool, Control, Queues) {
    let card = Make::new(device).build();
    let options = PoolOptions { buffers: 256, data_room: data_room_for(mtu), cache: 32, ..PoolOptions::default() };
    let pool = Pool::new(&options).expect("normal pages do");
    let config = PortConfig { mtu, ..queues(&pool, 1) };
    let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("an MTU that it has");
    let (control, queues) = port.start().expect("it answers");
    (card, pool, control, queues)
}

#[test]
fn an_mtu_above_the_standards_makes_long_frames_pass() {
    for (device, mtu, longest) in [(I82576, 68, 1522), (I82576, 1500, 1522), (I350, 1501, 1523), (I210, 9706, 9728)] {
        let (card, _, control, queues) = with_mtu(device, mtu);
        assert_eq!((card.value(RCTL).long_packets(), card.value(RLPML)), (mtu > 1500, longest), "{device:#06x} {mtu}");
        control.stop(queues).expect("it answers");
    }
    let (card, pool, control, mut queues) = with_mtu(I82576, 9000);
    let base = |low, high| u64::from(card.value::<_, u32>(low)) | u64::from(card.value::<_, u32>(high)) << 32;
    let rings = (base(RDBAL.get(0), RDBAH.get(0)), base(TDBAL.get(0), TDBAH.get(0)));
    memory::pass_jumbo_frames(&card.memory(), &mut queues, &pool, rings);
    control.stop(queues).expect("it answers");
    assert_eq!(pool.census().out, 0);
}

#[test]
fn an_mtu_beyond_the_chip_is_refused() {
    for device in [I82576, I350, I210] {
        let port = Port::probe(Make::new(device).build()).expect("it answers");
        let why = port.check(&PortConfig { mtu: 9707, ..queues(&pool(), 1) }).expect_err("too long").to_string();
        assert!(why.contains("an MTU of 9707 bytes: 68 to 9706 are possible"), "{why}");
    }
}

#[test]
fn a_frame_in_segments_is_a_chain_of_descriptors_and_none_of_it_is_copied() {
    for device in [I82576, I350, I210] {
        let card = Make::new(device).build();
        let pool = pool();
        let port = Port::probe(card.clone()).and_then(|port| port.configure(queues(&pool, 1))).expect("it answers");
        let (control, mut queues) = port.start().expect("it answers");
        let base = || u64::from(card.value(TDBAL.get(0))) | u64::from(card.value(TDBAH.get(0))) << 32;
        let (pieces, descriptors) = memory::send_scattered(&card.memory(), (&control, &mut queues), &pool, base);
        // Data, extended, FCS; 314 bytes in all, in bits 63:46. End of packet and report on the last only.
        let payload = 314 << 46;
        assert_eq!(descriptors[0], [pieces[0].0, payload | 0x2230_0000 | 14]);
        assert_eq!(descriptors[1], [pieces[1].0, payload | 0x2B30_0000 | 300]);
        assert_eq!(card.value::<_, u32>(TDT.get(0)), 2);
        control.stop(queues).expect("it answers");
        assert_eq!(pool.census().out, 0);
    }
}
