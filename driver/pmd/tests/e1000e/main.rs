//! The e1000e driver against registers that answer as told: what it sets up, and that no failure of a card makes it wait for ever.
//! Frames are for QEMU's model (`tools/lab test`).

mod card;
#[path = "../support/memory.rs"]
mod memory;

use std::time::Duration;

use card::Access::{Read, Write};
use card::{Card, Failure};
use gannet::{
    Filter, Idle, Pool, PoolOptions, Port, PortConfig, Promiscuous, RxInterrupts, RxQueueConfig, Sleeper, TxQueueConfig,
};
use gannet_bus::pci::COMMAND_BUS_MASTER;
use gannet_spec::phy::PAGE;
use gannet_spec::x82574::regs::*;

const MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

fn pool(data_room: u16) -> Pool {
    Pool::new(&PoolOptions { buffers: 512, data_room, cache: 32, ..PoolOptions::default() }).expect("normal pages do")
}

/// Two queues of each kind; the second receive queue has the smaller buffers.
fn two_queues() -> PortConfig {
    let mut config = PortConfig::new(&pool(4096), 64);
    config.rx.push(RxQueueConfig { descriptors: 128, pool: pool(2048) });
    config.tx.push(TxQueueConfig { descriptors: 128 });
    config
}

#[test]
fn the_nvm_tells_the_address() {
    let card = Card::new(MAC, Failure::None);
    let port = Port::probe(card.clone()).expect("it answers");
    assert_eq!(port.info().mac, MAC);
    assert_eq!(port.info().card.driver.name(), "e1000e");
    assert_eq!(card.command() & COMMAND_BUS_MASTER, 0);
    assert!(!card.value(EXTCNF_CTRL).software_owns_mdio());
}

#[test]
fn an_nvm_that_cannot_be_trusted_is_refused() {
    let card = Card::new(MAC, Failure::None);
    card.spoil_nvm(0x20);
    let why = Port::probe(card).expect_err("the sum is wrong").to_string();
    assert!(why.contains("add up to"), "{why}");
    for mac in [[0; 6], [1, 2, 3, 4, 5, 6]] {
        let why = Port::probe(Card::new(mac, Failure::None)).expect_err("no address").to_string();
        assert!(why.contains("none of a port"), "{why}");
    }
}

#[test]
fn a_card_that_does_not_come_up_is_reported() {
    for (failure, part) in [
        (Failure::ResetHangs, "the end of the reset"),
        (Failure::NvmIsNotLoaded, "the NVM's automatic read"),
        (Failure::NvmIsSilent, "a word of the NVM"),
        (Failure::FirmwareKeepsPhy, "the firmware to let go of the PHY"),
        (Failure::Gone, "card is gone"),
    ] {
        let card = Card::new(MAC, failure);
        let why = Port::probe(card.clone()).expect_err("it is broken").to_string();
        assert!(why.contains(part), "{failure:?}: {why}");
        assert!(card.clock() < Duration::from_secs(1), "{failure:?}: {:?}", card.clock());
    }
    // A master that hangs is what a reset is for.
    Port::probe(Card::new(MAC, Failure::MasterHangs)).expect("it is reset");
}

#[test]
fn a_phy_that_does_not_answer_is_reported() {
    for (failure, part) in
        [(Failure::PhyIsSilent, "an answer of the PHY"), (Failure::PhyIsAbsent, "its PHY reports an error")]
    {
        let card = Card::new(MAC, failure);
        let config = two_queues();
        let pools: Vec<Pool> = config.rx.iter().map(|queue| queue.pool.clone()).collect();
        let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("no PHY is needed so far");
        let why = port.start().expect_err("there is no link without it").to_string();
        assert!(why.contains(part), "{failure:?}: {why}");
        assert!(pools.iter().all(|pool| pool.census().out == 0));
        assert_eq!(card.command() & COMMAND_BUS_MASTER, 0);
    }
}

#[test]
fn two_queues_run_as_configured_and_stop() {
    let card = Card::new(MAC, Failure::None);
    let config = two_queues();
    let pools: Vec<Pool> = config.rx.iter().map(|queue| queue.pool.clone()).collect();
    let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("it answers");
    let (control, queues) = port.start().expect("it answers");
    let rctl = card.value(RCTL);
    assert!(rctl.enable() && rctl.broadcast_accept() && rctl.crc_strip());
    assert!(!rctl.unicast_promiscuous() && !rctl.multicast_promiscuous());
    assert_eq!(rctl.buffer_kib(), 2, "the smallest buffers");
    assert!(card.value(RFCTL).extended_descriptors() && card.value(RXCSUM).packet_checksum_disable());
    assert_eq!(card.value(RETA.get(0)), 0x8000_8000);
    assert_eq!([0, 1].map(|queue| card.value(RDLEN.get(queue))), [64 * 16, 128 * 16]);
    assert_eq!([0, 1].map(|queue| card.value(RDT.get(queue))), [48, 96]);
    assert_eq!(u32::from(card.value(TXDCTL.get(0))), u32::from(card.value(TXDCTL.get(1))));
    assert!(card.value(TXDCTL.get(0)).reserved_one() && card.value(TARC.get(0)).reserved_one());
    assert!(card.value(CTRL_EXT).reserved_one() && card.value(GCR).reserved_one() && card.value(GCR2).reserved_one());
    assert!(card.value(TCTL).enable());
    assert_eq!(card.take_first_phy_register(), Some(PAGE.number()));
    control.stop(queues).expect("it answers");
    assert!(!card.value(RCTL).enable() && !card.value(TCTL).enable() && !card.value(CTRL_EXT).driver_loaded());
    assert_eq!(card.command() & COMMAND_BUS_MASTER, 0);
    assert!(pools.iter().all(|pool| pool.census().out == 0));
}

#[test]
fn a_direction_that_stops_leaves_the_other_one_running() {
    let card = Card::new(MAC, Failure::None);
    let port = Port::probe(card.clone()).and_then(|port| port.configure(two_queues())).expect("it answers");
    let (_control, mut queues) = port.start().expect("it answers");
    queues.tx.clear();
    assert!(!card.value(TCTL).enable() && card.value(RCTL).enable() && !card.value(CTRL).master_disable());
    assert_ne!(card.command() & COMMAND_BUS_MASTER, 0);
}

#[test]
fn a_card_whose_dma_does_not_end_is_cut_off() {
    let card = Card::new(MAC, Failure::None);
    let config = two_queues();
    let pools: Vec<Pool> = config.rx.iter().map(|queue| queue.pool.clone()).collect();
    let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("it answers");
    let (control, queues) = port.start().expect("it answers");
    card.fail(Failure::MasterHangs);
    let why = control.stop(queues).expect_err("its DMA goes on").to_string();
    assert!(why.contains("the bus master to stop"), "{why}");
    assert_eq!(card.command() & COMMAND_BUS_MASTER, 0);
    assert!(pools.iter().all(|pool| pool.census().out == 0));
}

#[test]
fn a_look_at_the_registers_reads_each_once_and_writes_none() {
    let card = Card::new(MAC, Failure::None);
    let port = Port::probe(card.clone()).and_then(|port| port.configure(PortConfig::new(&pool(2048), 64)));
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
    let card = Card::new(MAC, Failure::None);
    let mut config = two_queues();
    config.rx_interrupts = RxInterrupts::On;
    let port = Port::probe(card.clone()).and_then(|port| port.configure(config)).expect("it answers");
    let (_control, mut queues) = port.start().expect("it answers");
    assert_eq!(u32::from(card.value(IVAR)), 0x0000_0098, "valid, vectors 0 and 1");
    assert_eq!(card.value(EIAC).rx_queues(), 0b11);
    assert!(card.value(CTRL_EXT).pending_clear() && !card.value(CTRL_EXT).vector_auto_mask());
    card.take_accesses(&[]);
    let Some(second) = queues.rx.get_mut(1) else { panic!("two were configured") };
    assert!(Sleeper::new(Idle::Interrupt).sleep(&mut [second], Duration::ZERO));
    let [icr, ims, imc] = [ICR.offset(), IMS.offset(), IMC.offset()];
    let cause = u32::from(Causes::new().with_rx_queues(0b10));
    // Taken back before it is unmasked: in the other order a frame in between would be forgotten. The read pushes both through.
    assert_eq!(
        card.take_accesses(&[icr, ims, imc]),
        [Write(icr, cause), Write(ims, cause), Read(ims), Write(imc, cause)]
    );
}

#[test]
fn threads_that_stop_queues_and_one_that_sets_the_filter_do_not_undo_each_other() {
    for round in 0..50 {
        let card = Card::new(MAC, Failure::None);
        let port = Port::probe(card.clone()).and_then(|port| port.configure(two_queues())).expect("it answers");
        let (mut control, queues) = port.start().expect("it answers");
        let open = Filter { promiscuous: Promiscuous::On, ..Filter::default() };
        std::thread::scope(|scope| {
            queues.rx.into_iter().for_each(|queue| drop(scope.spawn(|| drop(queue))));
            queues.tx.into_iter().for_each(|queue| drop(scope.spawn(|| drop(queue))));
            for _ in 0..20 {
                control.set_filter(open.clone()).expect("it has room");
            }
        });
        let rctl = card.value(RCTL);
        assert!(!rctl.enable() && !card.value(TCTL).enable(), "round {round}: stopped, and stays so");
        assert!(rctl.unicast_promiscuous() && !card.value(CTRL).master_disable(), "round {round}");
        assert_ne!(card.command() & COMMAND_BUS_MASTER, 0, "round {round}: no stop took the other's end for its own");
    }
}

#[test]
fn an_mtu_above_the_standards_makes_long_frames_pass_and_divides_the_packet_buffer_anew() {
    let card = Card::new(MAC, Failure::None);
    let pool = pool(10_240);
    let config = |mtu| PortConfig { mtu, ..PortConfig::new(&pool, 64) };
    let mut port = Port::probe(card.clone()).and_then(|port| port.configure(config(1500))).expect("it answers");
    let resets = |card: &Card| {
        let accesses = card.take_accesses(&[CTRL.offset()]);
        accesses.iter().filter(|access| matches!(access, Write(_, value) if Ctrl::from(*value).reset())).count()
    };
    assert_eq!(resets(&card), 1);
    // A start after a stop resets the card anyhow, and once more if the division changes.
    for (mtu, rx_kib, xoff, expected_resets) in
        [(1500, 32, 29_720, 0), (9000, 27, 9_600, 2), (9000, 27, 9_600, 1), (9212, 28, 10_200, 2), (68, 32, 29_720, 2)]
    {
        let (control, queues) = port.configure(config(mtu)).and_then(|port| port.start()).expect("it answers");
        assert_eq!(resets(&card), expected_resets, "{mtu}");
        assert_eq!(card.value(RCTL).long_packets(), mtu > 1500, "{mtu}");
        assert_eq!((card.value(PBA).rx_kib(), card.value(PBA).tx_kib()), (rx_kib, 40 - rx_kib), "{mtu}");
        assert_eq!(card.value(FCRTH).granules() * 8, xoff, "{mtu}");
        assert!(card.value(FCRTL).granules() * 8 > 0, "{mtu}");
        port = control.stop(queues).expect("it answers");
    }
}

#[test]
fn frames_of_a_large_mtu_pass_in_one_buffer() {
    let card = Card::new(MAC, Failure::None);
    let pool = pool(9216);
    let port = Port::probe(card.clone()).expect("it answers");
    let config = |mtu| PortConfig { mtu, ..PortConfig::new(&pool, 64) };
    let why = port.check(&config(9213)).expect_err("too long").to_string();
    assert!(why.contains("an MTU of 9213 bytes: 68 to 9212 are possible"), "{why}");
    let (control, mut queues) = port.configure(config(9000)).and_then(|port| port.start()).expect("it answers");
    let base = |low, high| u64::from(card.value::<_, u32>(low)) | u64::from(card.value::<_, u32>(high)) << 32;
    let rings = (base(RDBAL.get(0), RDBAH.get(0)), base(TDBAL.get(0), TDBAH.get(0)));
    memory::pass_jumbo_frames(&card.memory(), &mut queues, &pool, rings);
    control.stop(queues).expect("it answers");
    assert_eq!(pool.census().out, 0);
}

#[test]
fn a_frame_in_segments_is_a_chain_of_descriptors_and_none_of_it_is_copied() {
    let card = Card::new(MAC, Failure::None);
    let pool = pool(2048);
    let port = Port::probe(card.clone()).and_then(|port| port.configure(PortConfig::new(&pool, 64)));
    let (control, mut queues) = port.and_then(|port| port.start()).expect("it answers");
    let base = || u64::from(card.value(TDBAL.get(0))) | u64::from(card.value(TDBAH.get(0))) << 32;
    let (pieces, descriptors) = memory::send_scattered(&card.memory(), (&control, &mut queues), &pool, base);
    // Data, extended, FCS. End of packet and report on the last only.
    assert_eq!(descriptors[0], [pieces[0].0, 0x2210_0000 | 14]);
    assert_eq!(descriptors[1], [pieces[1].0, 0x2B10_0000 | 300]);
    assert_eq!(card.value::<_, u32>(TDT.get(0)), 2);
    control.stop(queues).expect("it answers");
    assert_eq!(pool.census().out, 0);
}

#[test]
fn what_a_stopped_queue_has_not_sent_is_counted_in_packets_not_in_segments() {
    let card = Card::new(MAC, Failure::None);
    let pool = pool(2048);
    let port = Port::probe(card).and_then(|port| port.configure(PortConfig::new(&pool, 64)));
    let (control, mut queues) = port.and_then(|port| port.start()).expect("it answers");
    let lent = memory::file();
    control.map(&lent).expect("it has a file");
    let mut burst = gannet::Burst::new(3);
    for _ in 0..3 {
        burst.push(memory::scattered(&pool, &lent, &[0x5A; 14])).expect("room");
    }
    assert_eq!((queues.tx[0].send(&mut burst), queues.tx[0].stats().in_ring), (3, 6));
    let counters = control.counters();
    control.stop(queues).expect("it answers");
    assert_eq!(counters.tx_stats().map(|queue| queue.unsent).sum::<u64>(), 3);
    assert_eq!(pool.census().out, 0);
}
