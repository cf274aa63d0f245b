//! Transmit: from rings through the offloads onto the cable (datasheet 7.2).

use gannet_spec::x82599::context::TxContext;
use gannet_spec::x82599::desc::{TxData, TxWriteBack, tx_command};
use gannet_spec::x82599::{TX_ON_CHIP_DESCRIPTORS, regs};

use super::core::Core;
use super::fault::Faults;
use super::filter::{Cast, destination};
use super::interrupts::{Causes, Direction};
use super::offload;
use super::probe::{Log, Violation};
use super::queue::{Doorbell, Ring};
use super::stats::{Statistics, size_class};
use crate::iommu::Session;
use crate::peer::{Accepted, MAX_FRAME, Peer};

/// Bytes of the FCS, which statistics count.
const FCS: usize = 4;
/// Shortest frame without FCS.
const SHORTEST: usize = 60;
/// Descriptors that are fetched at once: more than any packet may have.
const FETCH: usize = 64;
const _: () = assert!(FETCH > TX_ON_CHIP_DESCRIPTORS as usize);

/// A transmit queue.
#[derive(Debug, Default)]
pub(super) struct TxQueue {
    pub(super) ring: Ring,
    /// 40 - WTHRESH (7.2.3.4).
    pub(super) most_descriptors: u32,
    contexts: [Option<TxContext>; 2],
    set: usize,
    /// Where the head is written instead of done bits, if it is (7.2.3.5.4).
    head_at: Option<u64>,
    /// Whether done bits or the head were written in this step, and the cause of interrupts that this is.
    reported: bool,
    cause: Causes,
    /// Descriptors of the packet at the head, which a fault reported as done, over their content, before it was sent.
    reported_early: Option<Vec<[u64; 2]>>,
}

impl TxQueue {
    /// Forgets its contexts: the queue is off.
    pub(super) fn forget(&mut self) {
        self.contexts = [None; 2];
        self.reported_early = None;
    }
}

/// What the transmit path makes of the registers, until one of them changes.
pub(super) struct TransmitSettings {
    enabled: bool,
    pad: bool,
    /// Ethertype of inserted VLAN tags, DMATXCTL bits 31:16.
    tag: u16,
    running: Vec<u8>,
}

impl TransmitSettings {
    fn new(core: &mut Core) -> TransmitSettings {
        let mut running = Vec::new();
        for index in 0..regs::TDT.count() {
            let sets = core.get_at(regs::TQSM, index / 4).to_le_bytes();
            let (low, high) = (core.get_at(regs::TDWBAL, index), core.get_at(regs::TDWBAH, index));
            let cause = core.cause_of_queue(index, Direction::Transmit);
            let queue = &mut core.tx[index as usize];
            queue.cause = cause;
            queue.set = usize::from(sets[index as usize % 4] & 0xF);
            queue.head_at = (low & 1 != 0).then_some(u64::from(high) << 32 | u64::from(low & !3));
            if queue.ring.runs() {
                running.push(index as u8);
            }
        }
        TransmitSettings {
            enabled: core.get(regs::DMATXCTL).enable(),
            pad: core.get(regs::HLREG0).tx_pad(),
            tag: (u32::from(core.get(regs::DMATXCTL)) >> 16) as u16,
            running,
        }
    }
}

/// What is between fetching descriptors and the cable.
pub(super) struct Transmitter {
    /// The frame is the first `len` bytes.
    buffer: Box<[u8]>,
    len: usize,
    /// Which of the running queues begins.
    turn: usize,
}

impl Default for Transmitter {
    fn default() -> Transmitter {
        Transmitter { buffer: vec![0; MAX_FRAME + offload::VLAN].into(), len: 0, turn: 0 }
    }
}

/// What came of the packet at a queue's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Its descriptors were used up.
    Used,
    /// Some descriptors were used up, but no frame came of it.
    Skipped,
    /// It stays: it is not complete, or the peer is busy, or its descriptors cannot be read.
    Stays,
}

/// A packet's place in the fetched descriptors.
struct Packet<'a> {
    descriptors: &'a [[u64; 2]],
    /// Ring index of the first.
    first: u32,
}

impl Transmitter {
    /// Moves up to `budget` frames from the rings to the peer, one queue after the other.
    pub(super) fn step(
        &mut self,
        core: &mut Core,
        session: &Session<'_>,
        bells: &[Doorbell],
        peer: &mut dyn Peer,
        (budget, now): (usize, u64),
    ) -> usize {
        let settings = core.transmit.take().unwrap_or_else(|| TransmitSettings::new(core));
        let mut moved = 0;
        if settings.enabled && core.link.is_up() && core.may_master() {
            let mut causes = 0;
            let count = settings.running.len();
            for turn in 0..count {
                // Each queue gets an even share of what is left of the budget, and a different one begins each time.
                let share = (budget - moved).div_ceil(count - turn);
                let index = usize::from(settings.running[(self.turn + turn) % count]);
                let (queue, tail) = (&mut core.tx[index], bells[index].tail());
                if queue.ring.available(tail) == 0 && queue.reported_early.is_none() {
                    continue;
                }
                session.refresh(&mut queue.ring.tlb);
                let mut wire = Wire { peer: &mut *peer, now, settings: &settings };
                moved += self.drain(core, index, tail, session, &mut wire, share);
                let queue = &mut core.tx[index];
                if std::mem::take(&mut queue.reported) {
                    causes |= queue.cause;
                }
            }
            if causes != 0 {
                core.raise(causes);
            }
            self.turn = self.turn.wrapping_add(1);
        }
        core.transmit = Some(settings);
        moved
    }

    fn drain(
        &mut self,
        core: &mut Core,
        index: usize,
        tail: u32,
        session: &Session<'_>,
        wire: &mut Wire<'_>,
        budget: usize,
    ) -> usize {
        let mut moved = 0;
        if let Some(descriptors) = core.tx[index].reported_early.take() {
            let packet = Packet { descriptors: &descriptors, first: core.tx[index].ring.head };
            match self.send(core, index, &packet, session, wire) {
                Outcome::Stays => {
                    core.tx[index].reported_early = Some(descriptors);
                    return 0;
                }
                Outcome::Used | Outcome::Skipped => moved += 1,
            }
        }
        let mut batch = [[0; 2]; FETCH];
        while moved < budget {
            let ring = &mut core.tx[index].ring;
            let available = ring.available(tail).min(FETCH as u32) as usize;
            if available == 0 {
                break;
            }
            let (fetched, wrapped) = batch[..available].split_at_mut(available.min((ring.len - ring.head) as usize));
            let head = ring.at(ring.head);
            let first = session.load(&mut ring.tlb, head, fetched);
            if first.is_none() || (!wrapped.is_empty() && session.load(&mut ring.tlb, ring.base, wrapped).is_none()) {
                break;
            }
            let mut rest = &batch[..available];
            while moved < budget && !rest.is_empty() {
                let queue = &mut core.tx[index];
                let end = rest.iter().position(|words| !continues(words[1])).map_or(rest.len(), |last| last + 1);
                let complete = end < rest.len() || !continues(rest[end - 1][1]);
                if !complete && rest.len() < FETCH {
                    if rest.len() == available {
                        return moved;
                    }
                    break;
                }
                let packet = Packet { descriptors: &rest[..end], first: queue.ring.head };
                match self.packet(core, index, &packet, session, wire) {
                    Outcome::Stays => return moved,
                    Outcome::Used => moved += 1,
                    Outcome::Skipped => {}
                }
                rest = &rest[end..];
            }
        }
        moved
    }

    /// Handles the descriptors at the head, up to an end of packet, or a context.
    #[inline]
    fn packet(
        &mut self,
        core: &mut Core,
        index: usize,
        packet: &Packet<'_>,
        session: &Session<'_>,
        wire: &mut Wire<'_>,
    ) -> Outcome {
        let Core { tx, faults, log, .. } = core;
        let queue = &mut tx[index];
        let last = packet.descriptors[packet.descriptors.len() - 1];
        if !is_data(last[1]) {
            match packet.descriptors {
                [words] if is_context(words[1]) => {
                    let context = TxContext::from_words(*words);
                    if let Some(place) = queue.contexts.get_mut(usize::from(context.index)) {
                        *place = Some(context);
                    }
                }
                _ => log.violation(Violation::DescriptorType, || format!("queue {index}: {:#018x}", last[1])),
            }
            queue.complete(packet, session, Report::Done);
            return Outcome::Skipped;
        }
        if faults.any && faults.early_done.hits() {
            queue.report(packet, session);
            queue.reported_early = Some(packet.descriptors.to_vec());
            return Outcome::Stays;
        }
        self.send(core, index, packet, session, wire)
    }

    /// Sends a packet of data descriptors.
    #[inline]
    fn send(
        &mut self,
        core: &mut Core,
        index: usize,
        packet: &Packet<'_>,
        session: &Session<'_>,
        wire: &mut Wire<'_>,
    ) -> Outcome {
        let Core { tx, stats, faults, log, .. } = core;
        let queue = &mut tx[index];
        match self.gather(queue, packet, session, wire.settings, log) {
            Gathered::Unmapped => {
                queue.complete(packet, session, Report::Nothing);
                Outcome::Skipped
            }
            Gathered::Bad(violation) => {
                log.violation(violation, || format!("queue {index}, descriptor {}", packet.first));
                queue.complete(packet, session, Report::Done);
                Outcome::Skipped
            }
            Gathered::Frame if wire.peer.accept(self.frame(), wire.now) == Accepted::Busy => Outcome::Stays,
            Gathered::Frame => {
                count(stats, queue.set, self.frame());
                queue.complete(packet, session, done(faults));
                Outcome::Used
            }
        }
    }

    #[inline(always)]
    fn frame(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Reads the packet's buffers and applies its offloads.
    #[inline]
    fn gather(
        &mut self,
        queue: &mut TxQueue,
        packet: &Packet<'_>,
        session: &Session<'_>,
        settings: &TransmitSettings,
        log: &mut Log,
    ) -> Gathered {
        if packet.descriptors.len() > queue.most_descriptors as usize {
            return Gathered::Bad(Violation::TooManyDescriptors);
        }
        self.len = 0;
        for words in packet.descriptors {
            let data = TxData::from_words(*words);
            let end = self.len + usize::from(data.length);
            if end > MAX_FRAME {
                return Gathered::Bad(Violation::FrameTooLong);
            }
            let read = session.read(&mut queue.ring.tlb, data.buffer, &mut self.buffer[self.len..end]);
            if read.is_none() {
                return Gathered::Unmapped;
            }
            self.len = end;
        }
        // The first descriptor speaks for the packet.
        let data = TxData::from_words(packet.descriptors[0]);
        if data.command & tx_command::TSE != 0 {
            return Gathered::Bad(Violation::Unsupported);
        }
        if data.payload_length as usize != self.len {
            log.violation(Violation::PayloadLength, || format!("{} for {} bytes", data.payload_length, self.len));
        }
        if data.command & tx_command::IFCS == 0 {
            log.violation(Violation::NoFcs, || format!("descriptor {}", packet.first));
        }
        let shortest = if settings.pad { offload::ETHERNET } else { SHORTEST };
        if self.len < shortest {
            return Gathered::Bad(Violation::FrameTooShort);
        }
        let options = (packet.descriptors[0][1] >> 32) as u32;
        if offload::wanted(data.command, options) {
            let frame = (&mut *self.buffer, self.len);
            match offload::apply(frame, data.command, options, &queue.contexts, settings.tag) {
                Some(len) => self.len = len,
                None => return Gathered::Bad(Violation::Context),
            }
        }
        if self.len < SHORTEST {
            self.buffer[self.len..SHORTEST].fill(0);
            self.len = SHORTEST;
        }
        Gathered::Frame
    }
}

/// The cable's end and what the registers say about it.
struct Wire<'a> {
    peer: &'a mut dyn Peer,
    now: u64,
    settings: &'a TransmitSettings,
}

/// What reading a packet gave.
enum Gathered {
    /// A frame.
    Frame,
    /// A packet that cannot be sent.
    Bad(Violation),
    /// Memory that is not mapped: the read was aborted.
    Unmapped,
}

/// What is written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// The done bits that were asked for.
    Done,
    /// Nothing.
    Nothing,
}

fn done(faults: &mut Faults) -> Report {
    if faults.any && faults.never_done.hits() { Report::Nothing } else { Report::Done }
}

impl TxQueue {
    /// Moves the head past the packet and reports it.
    #[inline]
    fn complete(&mut self, packet: &Packet<'_>, session: &Session<'_>, report: Report) {
        let next = packet.first + packet.descriptors.len() as u32;
        self.ring.head = if next >= self.ring.len { next - self.ring.len } else { next };
        if report == Report::Done {
            self.report(packet, session);
        }
    }

    /// Writes the done bits, or the head, that the packet's descriptors ask for (7.2.3.5). A fault is recorded; the packet is
    /// out already.
    #[inline]
    fn report(&mut self, packet: &Packet<'_>, session: &Session<'_>) {
        let mut index = packet.first;
        let mut asked = false;
        for words in packet.descriptors {
            if words[1] as u32 & tx_command::RS != 0 {
                asked = true;
                if self.head_at.is_none() {
                    // Only the high word: the low one is undefined after a write-back.
                    let at = self.ring.at(index).wrapping_add(8);
                    session.store_word(&mut self.ring.tlb, at, TxWriteBack::DONE.high.to_le());
                }
            }
            index = self.ring.after(index);
        }
        if let Some(at) = self.head_at.filter(|_| asked) {
            session.store_word(&mut self.ring.tlb, at, self.ring.head.to_le());
        }
        self.reported |= asked;
    }
}

#[inline(always)]
fn kind(high: u64) -> u32 {
    high as u32 & (tx_command::DEXT | tx_command::DTYP_MASK)
}

#[inline(always)]
fn is_data(high: u64) -> bool {
    kind(high) == tx_command::DEXT | tx_command::DTYP_DATA
}

#[inline(always)]
fn is_context(high: u64) -> bool {
    kind(high) == tx_command::DEXT | tx_command::DTYP_CONTEXT
}

/// Whether the packet goes on after this descriptor.
#[inline(always)]
fn continues(high: u64) -> bool {
    is_data(high) && high as u32 & tx_command::EOP == 0
}

#[inline(always)]
fn count(stats: &mut Statistics, set: usize, frame: &[u8]) {
    let bytes = frame.len() + FCS;
    stats.tx_total += 1;
    stats.tx_good += 1;
    stats.tx_good_bytes.count += bytes as u64;
    stats.tx_sizes[size_class(bytes)] += 1;
    match Cast::of(destination(frame)) {
        Cast::Uni => {}
        Cast::Multi => stats.tx_multicast += 1,
        Cast::Broad => stats.tx_broadcast += 1,
    }
    let set = &mut stats.sets[set];
    set.tx_frames += 1;
    set.tx_bytes.count += bytes as u64;
}
