//! Receive: from the cable through filters and queues into rings (datasheet 7.1).
//!
//! ```text
//!   peer ─► MAC (length, FCS) ─► filters ─► packet buffer ─► classify, RSS ─► descriptors of one queue
//!                                             └ used only while a queue has no descriptor
//! ```

use gannet_spec::x82599::desc::{RxWriteBack, rx_status};
use gannet_spec::x82599::regs;

use super::checksum;
use super::classify::{Class, classify};
use super::core::Core;
use super::fault::Faults;
use super::filter::{Cast, Filter, destination};
use super::interrupts::{Causes, Direction};
use super::probe::{Log, Violation};
use super::queue::{Doorbell, Ring};
use super::rss::Rss;
use super::rx_buffer::Waiting;
use super::stats::{Statistics, size_class};
use crate::iommu::Session;
use crate::peer::{MAX_FRAME, Offered, Pacing, Peer};

/// Bytes of the FCS: frames come without it, statistics and limits count it.
const FCS: usize = 4;
/// Shortest and longest frame without jumbo frames, with FCS.
const SHORTEST: usize = 64;
const LONGEST: usize = 1518;
const VLAN: usize = 4;
/// Where a VLAN tag lies.
const TAG: std::ops::Range<usize> = 12..16;
/// Descriptors that are fetched at once.
const FETCH: usize = 32;
/// Advanced descriptors with one buffer, in SRRCTL.
const ONE_BUFFER: u8 = 1;

/// A receive queue.
#[derive(Debug, Default)]
pub(super) struct RxQueue {
    pub(super) ring: Ring,
    /// The tail as the step found it.
    tail: u32,
    /// Buffer addresses read ahead, the first at the head.
    fetched: Fetched,
    buffer_bytes: usize,
    drop: bool,
    strip_vlan: bool,
    set: usize,
    /// Write-backs that have not been written yet.
    reports: Reports,
    /// Whether there were any in this step, and the cause of interrupts that this is.
    reported: bool,
    cause: Causes,
    /// A write-back that a fault delays.
    held: Option<(u64, RxWriteBack)>,
}

#[derive(Debug, Default)]
struct Fetched {
    words: [[u64; 2]; FETCH],
    next: usize,
    end: usize,
}

/// Write-backs of descriptors in a row, held back until there are [`FETCH`] of them or the step ends: the card writes whole cache lines
/// where it can (7.1.7), and so does the model. A line that the driver polls is then fought over once, not four times.
#[derive(Debug, Default)]
struct Reports {
    words: [[u64; 2]; FETCH],
    /// Position of the first.
    first: u32,
    count: usize,
}

/// What became of a frame that is for the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// It is in the ring, or was dropped and counted.
    Done,
    /// Its queue has no descriptor.
    Blocked,
}

impl RxQueue {
    /// Forgets what was read ahead: the queue is off.
    pub(super) fn forget(&mut self) {
        self.fetched = Fetched::default();
        self.reports.count = 0;
        self.held = None;
    }

    /// Reports the descriptor at `position`, soon.
    #[inline(always)]
    fn report(&mut self, position: u32, write_back: RxWriteBack, session: &Session<'_>) {
        let Reports { first, count, .. } = self.reports;
        // A descriptor that a DMA fault used up leaves a gap.
        if count == FETCH || (count > 0 && (first + count as u32) % self.ring.len != position) {
            self.flush(session);
        }
        let reports = &mut self.reports;
        if reports.count == 0 {
            reports.first = position;
        }
        reports.words[reports.count] = [write_back.low, write_back.high];
        reports.count += 1;
    }

    /// Writes the reports. Where the ring is not mapped they are lost, which the IOMMU records.
    fn flush(&mut self, session: &Session<'_>) {
        let Reports { words, first, count } = &mut self.reports;
        let (straight, wrapped) = words[..*count].split_at((*count).min((self.ring.len - *first) as usize));
        let at = self.ring.at(*first);
        *count = 0;
        self.reported = true;
        let _ = session.store_all(&mut self.ring.tlb, at, straight);
        if !wrapped.is_empty() {
            let _ = session.store_all(&mut self.ring.tlb, self.ring.base, wrapped);
        }
    }

    /// Takes over what the registers of queue `index` say.
    fn load(&mut self, core: &mut Core, index: u32) {
        let srrctl = core.get_at(regs::SRRCTL, index);
        let sets = core.get_at(regs::RQSMR, index / 4).to_le_bytes();
        self.set = usize::from(sets[index as usize % 4] & 0xF);
        self.drop = srrctl.drop_enable();
        self.strip_vlan = core.get_at(regs::RXDCTL, index).vlan_strip();
        self.cause = core.cause_of_queue(index, Direction::Receive);
        self.buffer_bytes = usize::from(srrctl.buffer_kib()) * 1024;
        if srrctl.descriptor_type() != ONE_BUFFER || self.buffer_bytes == 0 {
            core.log.violation(Violation::Unsupported, || format!("SRRCTL({index}) = {:#x}", srrctl.into_bits()));
            // A buffer of no bytes takes no frame: all are dropped and counted.
            self.buffer_bytes = 0;
        }
    }

    #[inline(always)]
    fn available(&self) -> u32 {
        self.ring.available(self.tail)
    }

    /// Buffer of the descriptor at the head, which then is the card's.
    #[inline(always)]
    fn next_buffer(&mut self, session: &Session<'_>, log: &mut Log) -> Option<u64> {
        if self.fetched.next == self.fetched.end {
            let ring = &mut self.ring;
            let count = ring.available(self.tail).min(ring.len - ring.head).min(FETCH as u32) as usize;
            let head = ring.at(ring.head);
            (self.fetched.next, self.fetched.end) = (0, 0);
            session.load(&mut ring.tlb, head, &mut self.fetched.words[..count])?;
            self.fetched.end = count;
        }
        let [buffer, header] = self.fetched.words[self.fetched.next];
        self.fetched.next += 1;
        if header & u64::from(rx_status::DD) != 0 {
            log.violation(Violation::DoneBitSet, || format!("descriptor {}", self.ring.head));
        }
        Some(buffer)
    }
}

/// What the receive path makes of the registers, until one of them changes.
pub(super) struct ReceiveSettings {
    enabled: bool,
    filter: Filter,
    longest: usize,
    tag: u16,
    strip_fcs: bool,
    store_bad: bool,
    hash_in_descriptor: bool,
    buffer_bytes: usize,
    running: Vec<u8>,
}

impl ReceiveSettings {
    fn new(core: &mut Core) -> ReceiveSettings {
        let hlreg0 = core.get(regs::HLREG0);
        let maxfrs: u32 = core.get(regs::MAXFRS);
        let mut settings = ReceiveSettings {
            enabled: core.get(regs::RXCTRL).enable() && !core.get(regs::SECRXCTRL).rx_disable(),
            filter: Filter::new(core),
            longest: if hlreg0.jumbo() { (maxfrs >> 16) as usize } else { LONGEST },
            tag: core.get(regs::VLNCTRL).ethertype(),
            strip_fcs: hlreg0.rx_crc_strip(),
            store_bad: core.get(regs::FCTRL).store_bad(),
            hash_in_descriptor: core.get(regs::RXCSUM).packet_checksum_disable(),
            buffer_bytes: core.get_at(regs::RXPBSIZE, 0) as usize,
            running: Vec::new(),
        };
        let mut queues = std::mem::take(&mut core.rx);
        for (index, queue) in (0..).zip(&mut queues).filter(|(_, queue)| queue.ring.runs()) {
            settings.running.push(index as u8);
            queue.load(core, index);
        }
        core.rx = queues;
        settings
    }
}

/// The receive path's own state.
#[derive(Default)]
pub(super) struct Receiver {
    /// The frame on its way.
    frame: Vec<u8>,
    rss: Rss,
    noise: u64,
}

impl Receiver {
    /// Moves up to `budget` frames from the packet buffer and the peer to the rings.
    pub(super) fn step(
        &mut self,
        core: &mut Core,
        session: &Session<'_>,
        bells: &[Doorbell],
        peer: &mut dyn Peer,
        (budget, now): (usize, u64),
    ) -> usize {
        let settings = match core.receive.take() {
            Some(settings) => settings,
            None => {
                self.rss.load(core);
                ReceiveSettings::new(core)
            }
        };
        for &index in &settings.running {
            let queue = &mut core.rx[usize::from(index)];
            queue.tail = bells[usize::from(index)].tail();
            session.refresh(&mut queue.ring.tlb);
        }
        let dma = core.may_master();
        let mut moved = if dma { self.drain_buffer(core, &settings, session, budget) } else { 0 };
        moved += self.take_from_peer(core, &settings, session, peer, (budget - moved, now, dma));
        let mut causes = 0;
        for &index in &settings.running {
            let queue = &mut core.rx[usize::from(index)];
            if queue.reports.count > 0 {
                queue.flush(session);
            }
            if std::mem::take(&mut queue.reported) {
                causes |= queue.cause;
            }
        }
        if causes != 0 {
            core.raise(causes);
        }
        core.receive = Some(settings);
        moved
    }

    fn drain_buffer(
        &mut self,
        core: &mut Core,
        settings: &ReceiveSettings,
        session: &Session<'_>,
        budget: usize,
    ) -> usize {
        let mut moved = 0;
        while moved < budget {
            let Some(Waiting { frame, bad_fcs }) = core.buffer.pop() else { break };
            self.frame = frame;
            let delivery = self.deliver(core, settings, session, bad_fcs);
            let frame = std::mem::take(&mut self.frame);
            if delivery == Delivery::Blocked {
                core.buffer.unpop(Waiting { frame, bad_fcs });
                break;
            }
            core.buffer.recycle(frame);
            moved += 1;
        }
        moved
    }

    fn take_from_peer(
        &mut self,
        core: &mut Core,
        settings: &ReceiveSettings,
        session: &Session<'_>,
        peer: &mut dyn Peer,
        (budget, now, dma): (usize, u64, bool),
    ) -> usize {
        let timed = peer.pacing() == Pacing::Timed;
        let listening = settings.enabled && core.link.is_up() && !core.in_reset();
        let may_ask = timed || (listening && dma);
        if !may_ask {
            return 0;
        }
        let mut moved = 0;
        while moved < budget {
            // A peer that waits is not asked while there is no room: nothing of what it sends is lost to overload.
            let room = || settings.running.iter().any(|index| core.rx[usize::from(*index)].available() > 0);
            let may_ask = timed || (core.buffer.is_empty() && room());
            if !may_ask {
                break;
            }
            let bad_fcs = match peer.offer(&mut self.frame, now) {
                Offered::Nothing => break,
                Offered::Frame => false,
                Offered::BadFcs => true,
            };
            moved += 1;
            if !listening || !admit(&mut core.stats, settings, &self.frame, bad_fcs) {
                continue;
            }
            let free = dma && core.buffer.is_empty();
            if free && self.deliver(core, settings, session, bad_fcs) == Delivery::Done {
                continue;
            }
            if !core.buffer.push(&mut self.frame, bad_fcs, settings.buffer_bytes) {
                core.stats.missed += 1;
            }
        }
        moved
    }

    /// Puts the frame into the ring of its queue.
    #[inline]
    fn deliver(
        &mut self,
        core: &mut Core,
        settings: &ReceiveSettings,
        session: &Session<'_>,
        bad_fcs: bool,
    ) -> Delivery {
        let Core { rx, stats, faults, log, .. } = core;
        let class = classify(&self.frame, settings.tag);
        let (index, rss_type, hash) = self.rss.steer(&class, &self.frame);
        let queue = &mut rx[usize::from(index)];
        let wire_bytes = self.frame.len() + FCS;
        let strip_vlan = queue.strip_vlan && class.vlan.is_some();
        let mut len = self.frame.len();
        len -= if strip_vlan { VLAN } else { 0 };
        len += if settings.strip_fcs { 0 } else { FCS };
        let needed = if len <= queue.buffer_bytes { 1 } else { len.div_ceil(queue.buffer_bytes.max(1)) };
        let fits = queue.buffer_bytes > 0 && needed < queue.ring.len as usize;
        if !queue.ring.runs() || !fits {
            stats.sets[queue.set].rx_dropped += 1;
            return Delivery::Done;
        }
        if queue.available() < needed as u32 {
            if !queue.drop {
                return Delivery::Blocked;
            }
            stats.sets[queue.set].rx_dropped += 1;
            return Delivery::Done;
        }
        let write_back = self.describe(settings, &class, (rss_type, hash), (strip_vlan, bad_fcs));
        if write_back.status() & (rx_status::IPE | rx_status::L4E) != 0 {
            stats.checksum_errors += 1;
        }
        let set = &mut stats.sets[queue.set];
        let last = Last { write_back, class: &class };
        if write_frame(queue, &self.frame, last, session, (faults, log), &mut self.noise).is_some() {
            set.rx_frames += 1;
            set.rx_bytes.count += wire_bytes as u64;
        }
        Delivery::Done
    }

    /// Brings the frame into the form that goes to memory, and makes its write-back, but for the length.
    #[inline(always)]
    fn describe(
        &mut self,
        settings: &ReceiveSettings,
        class: &Class,
        (rss_type, hash): (u32, u32),
        (strip_vlan, bad_fcs): (bool, bool),
    ) -> RxWriteBack {
        let mut status = class.checksums(&self.frame) | rx_status::DD | rx_status::EOP;
        if bad_fcs {
            status |= rx_status::RXE;
        }
        if Cast::of(destination(&self.frame)) != Cast::Uni {
            status |= rx_status::PIF;
        }
        let mut vlan = 0;
        if strip_vlan {
            status |= rx_status::VP;
            vlan = class.vlan.unwrap_or(0);
        }
        if strip_vlan || !settings.strip_fcs {
            self.rework(strip_vlan, settings.strip_fcs, bad_fcs);
        }
        match settings.hash_in_descriptor {
            true => RxWriteBack::new(class.types | rss_type, hash, status, 0, vlan),
            false => RxWriteBack::new(class.types, 0, status, 0, vlan),
        }
    }

    /// Appends the FCS, takes the tag out.
    #[cold]
    fn rework(&mut self, strip_vlan: bool, strip_fcs: bool, bad_fcs: bool) {
        if !strip_fcs {
            let fcs = checksum::fcs(&self.frame).map(|byte| if bad_fcs { !byte } else { byte });
            self.frame.extend_from_slice(&fcs);
        }
        if strip_vlan {
            self.frame.drain(TAG);
        }
    }
}

/// The write-back of a frame's last descriptor, but for its length.
struct Last<'a> {
    write_back: RxWriteBack,
    class: &'a Class,
}

/// Writes the frame into as many buffers as it needs, then each descriptor. `None` if the memory was not mapped: the
/// descriptor is used up, nothing is reported.
#[inline]
fn write_frame(
    queue: &mut RxQueue,
    frame: &[u8],
    last: Last<'_>,
    session: &Session<'_>,
    (faults, log): (&mut Faults, &mut Log),
    noise: &mut u64,
) -> Option<()> {
    let mut rest = frame;
    loop {
        let buffer = queue.next_buffer(session, log)?;
        let (piece, more) = rest.split_at(rest.len().min(queue.buffer_bytes));
        rest = more;
        let position = queue.ring.head;
        queue.ring.head = queue.ring.after(position);
        session.write(&mut queue.ring.tlb, buffer, piece)?;
        let length = piece.len() as u16;
        if rest.is_empty() {
            let write_back = RxWriteBack { high: last.write_back.high | u64::from(length) << 32, ..last.write_back };
            if faults.any || queue.held.is_some() {
                queue.flush(session);
                return misreport(queue, position, write_back, session, faults, noise);
            }
            queue.report(position, write_back, session);
            return Some(());
        }
        // Until the end of the packet the status holds the number of the next descriptor (7.1.6.2, NEXTP).
        let status = rx_status::DD | queue.ring.head << 4;
        queue.report(position, RxWriteBack::new(last.class.types, 0, status, length, 0), session);
    }
}

/// Writes a last descriptor back as the faults want it.
#[cold]
fn misreport(
    queue: &mut RxQueue,
    position: u32,
    mut write_back: RxWriteBack,
    session: &Session<'_>,
    faults: &mut Faults,
    noise: &mut u64,
) -> Option<()> {
    let at = queue.ring.at(position);
    if faults.length_beyond_buffer.hits() {
        write_back.high |= 0xFFFF << 32;
    }
    if faults.no_end_of_packet.hits() {
        write_back.high &= !u64::from(rx_status::EOP);
    }
    if faults.garbage_status.hits() {
        let mut next = || {
            // Knuth's MMIX generator: repeatable noise.
            *noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *noise ^ *noise >> 29
        };
        write_back = RxWriteBack { low: next(), high: next() | u64::from(rx_status::DD) };
    }
    if faults.done_out_of_order.hits() && queue.held.is_none() {
        queue.held = Some((at, write_back));
        return Some(());
    }
    queue.reported = true;
    let result = session.store(&mut queue.ring.tlb, at, [write_back.low, write_back.high]);
    if let Some((at, held)) = queue.held.take() {
        session.store(&mut queue.ring.tlb, at, [held.low, held.high])?;
    }
    result
}

/// The MAC and the filters: whether the frame goes on. Counts it.
#[inline]
fn admit(stats: &mut Statistics, settings: &ReceiveSettings, frame: &[u8], bad_fcs: bool) -> bool {
    let bytes = frame.len() + FCS;
    stats.rx_total += 1;
    stats.rx_total_bytes.count += bytes as u64;
    let tag = frame.get(TAG).filter(|tag| tag[..2] == settings.tag.to_be_bytes());
    let vlan = tag.map(|tag| u16::from_be_bytes([tag[2], tag[3]]));
    let longest = settings.longest + if vlan.is_some() { VLAN } else { 0 };
    let misfit = match bytes {
        0..SHORTEST if bad_fcs => Some(&mut stats.fragments),
        0..SHORTEST => Some(&mut stats.undersize),
        _ if (bytes > longest || bytes > MAX_FRAME + FCS) && bad_fcs => Some(&mut stats.jabber),
        _ if bytes > longest || bytes > MAX_FRAME + FCS => Some(&mut stats.oversize),
        _ if bad_fcs => Some(&mut stats.crc_errors),
        _ => None,
    };
    if let Some(counter) = misfit {
        *counter += 1;
        // Bad packets are stored on request, but frames beyond all limits have no place (8.2.3.7.1, SBP).
        return settings.store_bad && bad_fcs && (SHORTEST..=longest).contains(&bytes);
    }
    let destination = destination(frame);
    let cast = Cast::of(destination);
    if !settings.filter.accepts(destination, cast) || !settings.filter.accepts_vlan(vlan) {
        return false;
    }
    stats.rx_good += 1;
    stats.rx_good_bytes.count += bytes as u64;
    stats.rx_sizes[size_class(bytes)] += 1;
    match cast {
        Cast::Uni => {}
        Cast::Multi => stats.rx_multicast += 1,
        Cast::Broad => stats.rx_broadcast += 1,
    }
    true
}
