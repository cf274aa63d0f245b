//! Cards that run on a thread of their own.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use gannet_bus::{Device, Registers};
use gannet_harness::{PATIENCE, wait_until};
use gannet_sim::x82599::Engine;
use gannet_spec::x82599::desc::{rx_status, tx_command};
use gannet_spec::x82599::regs::{self, Allocation, Gpie, Ivar, Rxdctl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::frames::{MAC, plain};
use super::harness::{Bench, MEMORY, RING, region};

const WHOLE: u32 = tx_command::EOP | tx_command::RS;

#[test]
fn an_engine_runs_cards_until_it_is_stopped() {
    let mut bench = Bench::started();
    let (probe, bar) = (bench.probe.clone(), bench.bar.clone());
    let other = Bench::new();
    let nic = std::mem::replace(&mut bench.nic, other.nic);
    bench.put(0, &plain(MAC, 60), 60, WHOLE);
    bench.write(regs::TDT.get(0), 1);
    let engine = Engine::spawn(vec![nic]);
    wait_until("the frame to be sent", || {
        assert_ne!(bar.read(regs::STATUS.offset()), u32::MAX);
        bench.done(0)
    });
    assert_eq!(engine.stop().len(), 1);
    assert_eq!((bench.sent().len(), probe.violations().len()), (1, 0));
}

#[test]
fn an_engine_wakes_a_thread_that_waits_for_a_frame() {
    let mut bench = Bench::started();
    let signal = EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap();
    bench.device.connect_interrupts(&[signal.as_fd()]).unwrap();
    bench.write(regs::GPIE, Gpie::new().with_msix(true));
    bench.write(regs::IVAR.get(0), Ivar::new().with_rx(0, Allocation::new().with_valid(true)));
    bench.write(regs::EIMS, 1);
    bench.cable.lock().unwrap().to_card.push_back((plain(MAC, 60), false));
    let nic = std::mem::replace(&mut bench.nic, Bench::new().nic);
    let engine = Engine::spawn(vec![nic]);
    let woken = poll(&mut [PollFd::new(signal.as_fd(), PollFlags::POLLIN)], PollTimeout::from(60_000_u16));
    assert_eq!((woken, signal.read()), (Ok(1), Ok(1)));
    assert_ne!(bench.write_back(0, 0).status() & rx_status::DD, 0, "the frame is there before the message");
    assert_eq!(engine.stop().len(), 1);
}

#[test]
fn a_queue_that_reads_disabled_is_left_alone_and_its_memory_can_go() {
    let mut bench = Bench::started();
    let nic = std::mem::replace(&mut bench.nic, Bench::new().nic);
    bench.cable.lock().unwrap().to_card.extend((0..100_000).map(|_| (plain(MAC, 60), false)));
    let engine = Engine::spawn(vec![nic]);
    // Asked all the time: the ring is to be full of frames on their way when the queue is turned off.
    let start = Instant::now();
    while bench.read(regs::QPRC.get(0)) == 0 {
        assert!(start.elapsed() < PATIENCE, "no frame arrives");
        thread::yield_now();
    }
    for tail in (0..RING).cycle().take(2000) {
        bench.write(regs::RDT.get(0), tail);
    }
    bench.write(regs::RXDCTL.get(0), Rxdctl::new());
    bench.device.delay(Duration::from_micros(10));
    assert!(!bench.read(regs::RXDCTL.get(0)).enable());
    // Descriptors that were handed over again as the card left them were faults; no more may come.
    let faults = bench.probe.dma_fault_count();
    bench.give(0, 0);
    bench.device.dma().unmap(bench.memory.iova(), &region(MEMORY));
    thread::sleep(Duration::from_millis(5));
    assert!((0..RING).all(|position| bench.write_back(0, position).high == 0), "no write-back after the end");
    assert_eq!(engine.stop().len(), 1);
    assert_eq!(bench.probe.dma_fault_count(), faults);
}
