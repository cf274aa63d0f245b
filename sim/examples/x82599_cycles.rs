//! How many cycles the software 82599 takes for a forwarded 64-byte frame.
//!
//! A driver of a few lines sends each received buffer on, in the thread that steps the card; only the steps are timed. The peer
//! writes and drops frames, and what that costs is measured alone and taken off.
//!
//!     cargo run --release -p gannet-sim --example x82599_cycles

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gannet_bus::descriptors::{DescriptorRing, RingMemory};
use gannet_bus::pci::{BusMaster, set_bus_master};
use gannet_bus::{Device, Registers};
use gannet_mempool::region::RegionOptions;
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, NicOptions};
use gannet_sim::{Clock, SimBar};
use gannet_spec::x82599::desc::{RxRead, RxWriteBack, TxData, rx_status, tx_command};
use gannet_spec::x82599::regs;

const RING: u32 = 512;
const BURST: usize = 32;
const BUFFER: u64 = 2048;
/// Frames of a round, and rounds: the best one counts, as other programs can only slow it down.
const FRAMES: u64 = 100_000;
const ROUNDS: usize = 100;
const RX_RING: usize = 0;
const TX_RING: usize = 64 << 10;
const BUFFERS: u64 = 1 << 20;

/// Offers the same UDP frame for ever.
struct Flood(Vec<u8>);

impl Peer for Flood {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        black_box(frame);
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        frame.extend_from_slice(&self.0);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

fn udp() -> Vec<u8> {
    let mut frame = vec![
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    frame.extend([0x10, 0x92, 0x10, 0x92, 0, 26, 0, 0]);
    frame.resize(60, 0x5A);
    frame
}

fn ring(bar: &SimBar, memory: &Arc<RingMemory>, at: usize, base: u32) -> DescriptorRing {
    let ring = DescriptorRing::new(memory, at, RING).expect("the ring fits");
    bar.write(base, ring.iova().0 as u32);
    bar.write(base + 4, (ring.iova().0 >> 32) as u32);
    bar.write(base + 8, RING * 16);
    ring
}

fn main() {
    let clock = Clock::stepped();
    let options = NicOptions { clock: clock.clone(), link_delay: Duration::ZERO, ..NicOptions::default() };
    let (device, mut nic) = x82599::new(options, Box::new(Flood(udp())));
    set_bus_master(&device, BusMaster::On).expect("configuration space");
    let bar = device.bar(0).expect("BAR 0");
    let memory = RingMemory::new(device.dma(), 4 << 20, RegionOptions::default()).expect("mapped");
    let rx = ring(&bar, &memory, RX_RING, regs::RDBAL.get(0).offset());
    let tx = ring(&bar, &memory, TX_RING, regs::TDBAL.get(0).offset());
    let srrctl = regs::Srrctl::new().with_buffer_kib(2).with_descriptor_type(1);
    bar.write(regs::SRRCTL.get(0).offset(), srrctl.into());
    bar.write(regs::DMATXCTL.offset(), regs::Dmatxctl::new().with_enable(true).into());
    bar.write(regs::RXDCTL.get(0).offset(), regs::Rxdctl::new().with_enable(true).into());
    bar.write(regs::TXDCTL.get(0).offset(), regs::Txdctl::new().with_enable(true).into());
    clock.advance(Duration::from_millis(1));
    bar.read(regs::RXDCTL.get(0).offset());
    bar.write(regs::FCTRL.offset(), regs::Fctrl::new().with_unicast_promiscuous(true).into());
    bar.write(regs::RXCSUM.offset(), regs::Rxcsum::new().with_packet_checksum_disable(true).into());
    bar.write(regs::RDRXCTL.offset(), regs::Rdrxctl::new().with_crc_strip(true).into());
    bar.write(regs::RXCTRL.offset(), regs::Rxctrl::new().with_enable(true).into());
    for index in 0..10 {
        bar.write(regs::RSSRK.get(index).offset(), 0x9E37_79B9 * (index + 1));
    }

    for at in 0..RING - 1 {
        rx.descriptors().store(at, RxRead { buffer: buffer(&memory, at) }.words());
    }
    bar.write(regs::RDT.get(0).offset(), RING - 1);

    let peer = best(peer_alone);
    let mut position = 0;
    for (what, mrqc) in [
        ("without RSS", regs::Mrqc::new()),
        ("with RSS over addresses and ports", regs::Mrqc::new().with_mode(1).with_ipv4_udp(true)),
    ] {
        bar.write(regs::MRQC.offset(), mrqc.into());
        let cycles = best(|| forward(&mut nic, &bar, &memory, (&rx, &tx), &mut position)) - peer;
        println!("{what}: {cycles:.1} TSC cycles a frame in the card, {peer:.1} in the peer");
    }
    let probe = nic.probe();
    assert_eq!((probe.violations().len(), probe.dma_fault_count()), (0, 0));
}

fn best(mut round: impl FnMut() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn peer_alone() -> f64 {
    let tsc = quanta::Clock::new();
    let mut peer: Box<dyn Peer> = black_box(Box::new(Flood(udp())));
    let mut frame = Vec::new();
    let start = tsc.raw();
    for now in 0..FRAMES {
        peer.offer(&mut frame, now);
        peer.accept(&frame, now);
    }
    (tsc.raw() - start) as f64 / FRAMES as f64
}

/// IOVA of the buffer that belongs to a position of the rings.
fn buffer(memory: &RingMemory, position: u32) -> u64 {
    memory.iova().0 + BUFFERS + u64::from(position % RING) * BUFFER
}

/// Forwards [`FRAMES`] frames, from `position` of both rings on; cycles of the steps a frame.
fn forward(
    nic: &mut x82599::Nic,
    bar: &SimBar,
    memory: &RingMemory,
    (rx, tx): (&DescriptorRing, &DescriptorRing),
    position: &mut u32,
) -> f64 {
    let tsc = quanta::Clock::new();
    let (rdt, tdt) = (regs::RDT.get(0).offset(), regs::TDT.get(0).offset());
    let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::IFCS | tx_command::EOP;
    let (mut forwarded, mut cycles) = (0, 0);
    while forwarded < FRAMES {
        let start = tsc.raw();
        nic.step(BURST);
        cycles += tsc.raw() - start;
        for _ in 0..BURST {
            let done = RxWriteBack { high: rx.descriptors().load_high(*position), low: 0 };
            if done.status() & rx_status::DD == 0 {
                break;
            }
            let report = if position.is_multiple_of(32) { tx_command::RS } else { 0 };
            let length = done.length();
            let data = TxData {
                buffer: buffer(memory, *position),
                length,
                command: command | report,
                payload_length: length.into(),
            };
            tx.descriptors().store(*position, data.words());
            // The buffer left by the time its place in the ring comes round: the steps send all that is queued.
            rx.descriptors()
                .store(*position + RING - 1, RxRead { buffer: buffer(memory, *position + RING - 1) }.words());
            *position += 1;
            forwarded += 1;
        }
        bar.write(tdt, *position % RING);
        bar.write(rdt, (*position + RING - 1) % RING);
    }
    cycles as f64 / forwarded as f64
}
