//! A driver of a few lines, and a cable whose other end is in the test's hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gannet_bus::descriptors::{DescriptorRing, RingMemory};
use gannet_bus::pci::{BusMaster, set_bus_master};
use gannet_bus::{Device, Registers};
use gannet_mempool::region::{PageSize, Pages, Region, RegionOptions};
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, Nic, NicOptions, Probe};
use gannet_sim::{Clock, SimBar, SimDevice};
use gannet_spec::x82599::desc::{RxRead, RxWriteBack, TxData, TxWriteBack, tx_command};
use gannet_spec::x82599::regs::{self, Fctrl, Rxctrl, Rxdctl, Srrctl, Txdctl};
use gannet_spec::{Readable, Reg, Writable};

use super::frames::MAC;

/// Descriptors of each ring.
pub(crate) const RING: u32 = 64;
/// Size of a receive buffer, as SRRCTL says it.
pub(crate) const BUFFER: usize = 2048;

pub(crate) const MEMORY: usize = 4 << 20;
const TX_RINGS: usize = 256 << 10;
const RX_BUFFERS: usize = 1 << 20;
const TX_BUFFERS: usize = 2 << 20;

/// The cable's end that the test holds.
#[derive(Debug, Default)]
pub(crate) struct Cable {
    pub(crate) to_card: VecDeque<(Vec<u8>, bool)>,
    pub(crate) from_card: Vec<Vec<u8>>,
    pub(crate) busy: bool,
    pub(crate) timed: bool,
    pub(crate) dark: bool,
}

struct End(Arc<Mutex<Cable>>);

impl Peer for End {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        let mut cable = self.0.lock().unwrap();
        if cable.busy {
            return Accepted::Busy;
        }
        cable.from_card.push(frame.to_vec());
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        let Some((next, bad_fcs)) = self.0.lock().unwrap().to_card.pop_front() else { return Offered::Nothing };
        frame.clear();
        frame.extend_from_slice(&next);
        if bad_fcs { Offered::BadFcs } else { Offered::Frame }
    }

    fn pacing(&self) -> Pacing {
        if self.0.lock().unwrap().timed { Pacing::Timed } else { Pacing::OnDemand }
    }

    fn carrier(&mut self, _now: u64) -> bool {
        !self.0.lock().unwrap().dark
    }
}

/// A card with its memory.
pub(crate) struct Bench {
    pub(crate) clock: Clock,
    pub(crate) device: SimDevice,
    pub(crate) bar: SimBar,
    pub(crate) nic: Nic,
    pub(crate) probe: Probe,
    pub(crate) cable: Arc<Mutex<Cable>>,
    pub(crate) memory: Arc<RingMemory>,
    words: DescriptorRing,
}

/// Memory that can be mapped for a card.
pub(crate) fn region(bytes: usize) -> Arc<Region> {
    Region::new(bytes, normal_pages()).unwrap()
}

fn normal_pages() -> RegionOptions {
    RegionOptions { pages: Pages::Exactly(PageSize::Normal), ..RegionOptions::default() }
}

impl Bench {
    /// A card as it comes out of reset; bus mastering is on.
    pub(crate) fn new() -> Bench {
        let clock = Clock::stepped();
        let cable = Arc::new(Mutex::new(Cable::default()));
        let options = NicOptions { mac: MAC, clock: clock.clone(), ..NicOptions::default() };
        let (device, nic) = x82599::new(options, Box::new(End(cable.clone())));
        set_bus_master(&device, BusMaster::On).unwrap();
        let (bar, probe) = (device.bar(0).unwrap(), nic.probe());
        let memory = RingMemory::new(device.dma(), MEMORY, normal_pages()).unwrap();
        let words = DescriptorRing::new(&memory, 0, (MEMORY / 16) as u32).unwrap();
        Bench { clock, device, bar, nic, probe, cable, memory, words }
    }

    /// A card with link, receiving frames to its address, one queue each way. The receive ring is full of buffers.
    pub(crate) fn started() -> Bench {
        let mut bench = Bench::new();
        bench.link_up();
        bench.start_tx(0, 0);
        bench.start_rx(0, Srrctl::new().with_buffer_kib(2).with_descriptor_type(1));
        bench.give(0, RING - 1);
        bench.write(regs::FCTRL, Fctrl::new().with_broadcast_accept(true));
        bench.write(regs::RXCSUM, regs::Rxcsum::new().with_packet_checksum_disable(true));
        bench.write(regs::RDRXCTL, regs::Rdrxctl::new().with_crc_strip(true));
        bench.write(regs::RXCTRL, Rxctrl::new().with_enable(true));
        assert_eq!(bench.probe.violations(), []);
        bench
    }

    pub(crate) fn link_up(&mut self) {
        self.step();
        self.clock.advance(Duration::from_millis(200));
        assert!(self.read(regs::LINKS).up());
    }

    pub(crate) fn read<A: Readable, V: From<u32>>(&self, register: Reg<A, V>) -> V {
        self.bar.read(register.offset()).into()
    }

    pub(crate) fn write<A: Writable, V: Into<u32>>(&self, register: Reg<A, V>, value: V) {
        self.bar.write(register.offset(), value.into());
    }

    /// Lets the card do all that it can.
    pub(crate) fn step(&mut self) {
        while self.nic.step(32) > 0 {}
    }

    pub(crate) fn rx_ring(&self, queue: u32) -> DescriptorRing {
        DescriptorRing::new(&self.memory, queue as usize * DescriptorRing::bytes(RING), RING).unwrap()
    }

    pub(crate) fn tx_ring(&self, queue: u32) -> DescriptorRing {
        DescriptorRing::new(&self.memory, TX_RINGS + queue as usize * DescriptorRing::bytes(RING), RING).unwrap()
    }

    pub(crate) fn start_rx(&self, queue: u32, srrctl: Srrctl) {
        let base = self.rx_ring(queue).iova().0;
        self.write(regs::RDBAL.get(queue), base as u32);
        self.write(regs::RDBAH.get(queue), (base >> 32) as u32);
        self.write(regs::RDLEN.get(queue), RING * 16);
        self.write(regs::SRRCTL.get(queue), srrctl);
        self.write(regs::RXDCTL.get(queue), Rxdctl::new().with_enable(true));
        self.clock.advance(Duration::from_micros(100));
        assert!(self.read(regs::RXDCTL.get(queue)).enable());
    }

    pub(crate) fn start_tx(&self, queue: u32, write_back: u8) {
        let base = self.tx_ring(queue).iova().0;
        self.write(regs::TDBAL.get(queue), base as u32);
        self.write(regs::TDBAH.get(queue), (base >> 32) as u32);
        self.write(regs::TDLEN.get(queue), RING * 16);
        self.write(regs::DMATXCTL, regs::Dmatxctl::from(0x8100_0005));
        self.write(regs::TXDCTL.get(queue), Txdctl::new().with_write_back(write_back).with_enable(true));
        self.clock.advance(Duration::from_micros(100));
        assert!(self.read(regs::TXDCTL.get(queue)).enable());
    }

    /// IOVA of the receive buffer at a ring position.
    pub(crate) fn rx_buffer(&self, queue: u32, position: u32) -> u64 {
        self.memory.iova().0 + (RX_BUFFERS + (queue * RING + position) as usize * BUFFER) as u64
    }

    /// Fills all descriptors with buffers and hands over those before `tail`.
    pub(crate) fn give(&self, queue: u32, tail: u32) {
        let ring = self.rx_ring(queue);
        for position in 0..RING {
            ring.descriptors().store(position, RxRead { buffer: self.rx_buffer(queue, position) }.words());
        }
        self.write(regs::RDT.get(queue), tail);
    }

    pub(crate) fn write_back(&self, queue: u32, position: u32) -> RxWriteBack {
        let ring = self.rx_ring(queue);
        RxWriteBack { high: ring.descriptors().load_high(position), low: ring.descriptors().load_low(position) }
    }

    /// What lies in memory at `iova`.
    pub(crate) fn bytes(&self, iova: u64, len: usize) -> Vec<u8> {
        let offset = (iova - self.memory.iova().0) as usize;
        assert!(offset.is_multiple_of(16));
        let words = (offset / 16..).flat_map(|at| {
            [self.words.descriptors().load_low(at as u32), self.words.descriptors().load_high(at as u32)]
        });
        words.flat_map(u64::to_le_bytes).take(len).collect()
    }

    /// Writes to memory at `iova`.
    pub(crate) fn fill(&self, iova: u64, bytes: &[u8]) {
        let offset = (iova - self.memory.iova().0) as usize;
        assert!(offset.is_multiple_of(16));
        for (at, chunk) in (offset / 16..).zip(bytes.chunks(16)) {
            let mut padded = [0; 16];
            padded[..chunk.len()].copy_from_slice(chunk);
            let (low, high) = padded.split_at(8);
            self.words
                .descriptors()
                .store(at as u32, [low, high].map(|half| u64::from_le_bytes(half.try_into().unwrap())));
        }
    }

    /// Offers a frame to the card and lets it work.
    pub(crate) fn receive(&mut self, frame: Vec<u8>) {
        self.cable.lock().unwrap().to_card.push_back((frame, false));
        self.step();
    }

    /// Frames that came out of the card so far.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.cable.lock().unwrap().from_card)
    }

    /// Writes a data descriptor for `piece` of a packet of `total` bytes, with `command` bits.
    pub(crate) fn put(&self, position: u32, piece: &[u8], total: usize, command: u32) {
        let buffer = self.memory.iova().0 + (TX_BUFFERS + position as usize * BUFFER) as u64;
        self.fill(buffer, piece);
        let command = command | tx_command::DTYP_DATA | tx_command::DEXT | tx_command::IFCS;
        let data = TxData { buffer, length: piece.len() as u16, command, payload_length: total as u32 };
        self.tx_ring(0).descriptors().store(position, data.words());
    }

    pub(crate) fn done(&self, position: u32) -> bool {
        TxWriteBack { high: self.tx_ring(0).descriptors().load_high(position) }.done()
    }
}
