//! Packets, and what the model knows of them.
//!
//! The model has no records and no counts of owners: a frame is a list of segments, each with the number of its buffer, and who shares
//! what follows from which frames name the same number.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use gannet_mempool::buffers::{Arrival, RxBuffers, TxBuffers};
use gannet_mempool::dma::{DmaMapper, DmaTable, External};
use gannet_mempool::{Account, Burst, FragCache, Metadata, Packet, Pool, Priority, Refused, Request};

use crate::common::{self, FixedMapper, fill};
use crate::op::{Change, Op, Source};

pub(crate) const BUFFERS: usize = if cfg!(miri) { 24 } else { 96 };
pub(crate) const ACCOUNTS: usize = 2;
/// Bytes of the memory that packets refer to.
pub(crate) const MEMORY: usize = 700;
const HEADROOM: usize = 64;
const DATA_ROOM: usize = 512;
const BLOCK: usize = 4096;
const PLACES: usize = 16;
const LIMITS: [u32; ACCOUNTS] = [5, 30];

#[derive(Debug, Clone)]
struct Segment {
    buffer: usize,
    content: Vec<u8>,
    /// Bytes before the content, and all that it may use. Of foreign content both mean the buffer that stands for it.
    headroom: usize,
    capacity: usize,
    is_foreign: bool,
    is_of_blocks: bool,
}

impl Segment {
    fn tailroom(&self) -> usize {
        if self.is_foreign { 0 } else { self.capacity - self.headroom - self.content.len() }
    }

    fn reported_headroom(&self) -> usize {
        if self.is_foreign { 0 } else { self.headroom }
    }

    /// As it is after its bytes were copied to a buffer of this number.
    fn copy_to(&mut self, buffer: usize) {
        self.buffer = buffer;
        self.capacity = if self.is_of_blocks { BLOCK } else { HEADROOM + DATA_ROOM };
        if self.is_foreign {
            (self.is_foreign, self.headroom) = (false, HEADROOM);
        }
    }
}

/// Why something cannot be had.
#[derive(Debug, PartialEq, Eq)]
enum Why {
    Room,
    Buffer,
    Limit,
    Shared,
}

fn why(refused: Refused) -> Why {
    match refused {
        Refused::NoRoom { .. } => Why::Room,
        Refused::NoBuffer => Why::Buffer,
        Refused::OverLimit(_) => Why::Limit,
        Refused::Shared => Why::Shared,
    }
}

struct Known {
    packet: Packet,
    segments: Vec<Segment>,
}

pub(crate) struct World {
    pool: Pool,
    blocks: Pool,
    fragments: FragCache,
    memory: External,
    accounts: [Account; ACCOUNTS],
    rx: RxBuffers,
    tx: TxBuffers,
    dma: DmaTable,
    live: VecDeque<Known>,
    /// Places of the ring that are left, and the frame.
    sent: VecDeque<(usize, Vec<Segment>)>,
    in_rx: usize,
    /// By buffer.
    charges: HashMap<usize, usize>,
    buffers: usize,
}

impl World {
    pub(crate) fn new(cache: u32) -> World {
        let pool = common::pool(BUFFERS as u32, cache);
        let blocks = Pool::of_blocks(&common::blocks(12, 4, HEADROOM as u16)).unwrap();
        let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
        let mut dma = DmaTable::new();
        dma.map(&pool, &mapper).unwrap();
        dma.map(&blocks, &mapper).unwrap();
        let memory = External::new((0..MEMORY).map(|at| at as u8).collect::<Vec<_>>(), drop);
        memory.map(&mapper).unwrap();
        World {
            fragments: FragCache::new(&blocks).unwrap(),
            accounts: LIMITS.map(|limit| Account::new("model", limit).unwrap()),
            rx: RxBuffers::new(pool.clone(), PLACES as u32).unwrap(),
            tx: TxBuffers::new(PLACES as u32).unwrap(),
            pool,
            blocks,
            memory,
            dma,
            live: VecDeque::new(),
            sent: VecDeque::new(),
            in_rx: 0,
            charges: HashMap::new(),
            buffers: 0,
        }
    }

    pub(crate) fn end(self) -> (Pool, Pool) {
        let World { pool, blocks, fragments, accounts, rx, tx, live, .. } = self;
        drop((rx, tx, live, fragments));
        assert!(accounts.iter().all(|account| account.usage().held == 0));
        (pool, blocks)
    }

    fn frames(&self) -> impl Iterator<Item = &Vec<Segment>> {
        self.live.iter().map(|known| &known.segments).chain(self.sent.iter().map(|(_, segments)| segments))
    }

    /// The numbers of the buffers that are out.
    fn out(&self) -> HashSet<usize> {
        self.frames().flatten().map(|segment| segment.buffer).collect()
    }

    fn free(&self) -> usize {
        let out: HashSet<_> =
            self.frames().flatten().filter(|segment| !segment.is_of_blocks).map(|segment| segment.buffer).collect();
        BUFFERS - out.len() - self.in_rx
    }

    /// Owners are frames that begin with a buffer, and buffers that it is behind.
    fn is_shared(&self, buffer: usize) -> bool {
        let first = self.frames().filter(|frame| frame[0].buffer == buffer).count();
        let pairs = self.frames().flat_map(|frame| frame.windows(2));
        let before: HashSet<_> = pairs.filter(|pair| pair[1].buffer == buffer).map(|pair| pair[0].buffer).collect();
        first + before.len() > 1
    }

    fn is_any_shared(&self, segments: &[Segment]) -> bool {
        segments.iter().any(|segment| self.is_shared(segment.buffer))
    }

    fn held(&self, account: usize) -> usize {
        self.out().iter().filter(|buffer| self.charges.get(buffer) == Some(&account)).count()
    }

    fn is_full(&self, account: usize) -> bool {
        self.held(account) >= LIMITS[account] as usize
    }

    fn new_buffer(&mut self) -> usize {
        self.buffers += 1;
        self.buffers
    }

    /// Whether another buffer can be had for what `segment` has.
    fn can_take_for(&self, segment: &Segment) -> Result<(), Why> {
        let free = if segment.is_of_blocks { self.blocks.census().ring as usize } else { self.free() };
        match self.charges.get(&segment.buffer) {
            _ if free == 0 => Err(Why::Buffer),
            Some(&account) if self.is_full(account) => Err(Why::Limit),
            _ => Ok(()),
        }
    }

    /// A buffer beside that of `segment`, charged like it.
    fn another_buffer(&mut self, of: usize) -> usize {
        let buffer = self.new_buffer();
        if let Some(&account) = self.charges.get(&of) {
            self.charges.insert(buffer, account);
        }
        buffer
    }

    /// Makes the first segment of a frame its own in the model, as the packet must do.
    fn make_own(&mut self, known: &mut Known) -> Result<(), Why> {
        let first = &known.segments[0];
        if !first.is_foreign && !self.with([known], |world| world.is_shared(first.buffer)) {
            return Ok(());
        }
        if first.is_foreign && first.content.len() > DATA_ROOM {
            return Err(Why::Room);
        }
        let is_shared = self.with([known], |world| world.is_shared(first.buffer));
        match self.with([known], |world| world.can_take_for(first)) {
            // The charge of an only owner goes along.
            Err(Why::Limit) if !is_shared => {}
            answer => answer?,
        }
        let buffer = self.another_buffer(known.segments[0].buffer);
        known.segments[0].copy_to(buffer);
        Ok(())
    }

    /// Asks the model while frames that have been picked count.
    fn with<T, const N: usize>(&mut self, picked: [&Known; N], ask: impl FnOnce(&World) -> T) -> T {
        let before = self.sent.len();
        self.sent.extend(picked.map(|known| (0, known.segments.clone())));
        let answer = ask(self);
        self.sent.truncate(before);
        answer
    }

    fn know(&mut self, mut packet: Packet, content: &[u8], is_of_blocks: bool) -> usize {
        let capacity = packet.headroom() + packet.tailroom();
        let content = content[..content.len().min(packet.tailroom())].to_vec();
        fill(&mut packet, &content);
        let (headroom, buffer) = (packet.headroom(), self.new_buffer());
        let segment = Segment { buffer, content, headroom, capacity, is_foreign: false, is_of_blocks };
        self.live.push_back(Known { packet, segments: vec![segment] });
        buffer
    }

    /// Takes a packet out of the list.
    fn pick(&mut self, which: usize) -> Option<Known> {
        let count = self.live.len();
        (count > 0).then(|| self.live.swap_remove_back(which % count)).flatten()
    }

    fn take_packets(&mut self, count: usize) -> Vec<Packet> {
        self.live.drain(..count.min(self.live.len())).map(|known| known.packet).collect()
    }

    pub(crate) fn step(&mut self, op: Op) {
        match op {
            Op::Make { source, content } => self.make(source, &content),
            Op::MakeBulk { count } => {
                let mut burst = Burst::new(BUFFERS);
                assert_eq!(self.pool.alloc_bulk(&mut burst, count), count <= self.free());
                while let Some(packet) = burst.pop_front() {
                    self.know(packet, &[burst.len() as u8; 32], false);
                }
            }
            Op::Free { which } => drop(self.pick(which)),
            Op::FreeInBurst { count } => {
                let mut burst = Burst::new(BUFFERS);
                self.take_packets(count).into_iter().for_each(|packet| burst.push(packet).unwrap());
            }
            Op::FreeElsewhere { count } => {
                let packets = self.take_packets(count);
                std::thread::spawn(move || drop(packets)).join().unwrap();
            }
            Op::Arm { count } => {
                let (before, free) = (self.in_rx, self.free());
                let armed = self.rx.arm(count, |_, _| {}) as usize;
                let wanted = (count as usize).min(PLACES - before);
                assert!(armed == wanted || armed < wanted && free < wanted);
                self.in_rx += armed;
            }
            Op::Receive { count, discard_every } => self.receive(count, discard_every),
            Op::Send { count } => self.send(count),
            Op::Release { count } => self.release(count),
            Op::Change { which, .. }
            | Op::Share { which }
            | Op::Charge { which, .. }
            | Op::AppendSegment { which, .. }
            | Op::DetachTail { which }
            | Op::Split { which, .. }
            | Op::Linearize { which } => {
                if let Some(known) = self.pick(which) {
                    let known = self.rework(op, known);
                    self.live.push_back(known);
                }
            }
        }
    }

    fn make(&mut self, source: Source, content: &[u8]) {
        let free = self.free();
        match source {
            Source::Pool(priority) => match self.pool.alloc_with(&Request { priority, ..Request::default() }) {
                Ok(packet) => drop(self.know(packet, content, false)),
                Err(refused) => assert!(refused == Refused::NoBuffer && (free == 0 || priority == Priority::Low)),
            },
            Source::Account(account) => {
                let request = Request { account: Some(&self.accounts[account]), ..Request::default() };
                match self.pool.alloc_with(&request) {
                    Ok(packet) => {
                        assert!(!self.is_full(account));
                        let buffer = self.know(packet, content, false);
                        self.charges.insert(buffer, account);
                    }
                    Err(Refused::OverLimit(_)) => assert!(self.is_full(account)),
                    Err(refused) => assert_eq!((refused, free), (Refused::NoBuffer, 0)),
                }
            }
            Source::Fragment => match self.fragments.alloc(content.len()) {
                Ok(packet) => drop(self.know(packet, content, true)),
                Err(refused) => assert_eq!((refused, self.blocks.census().ring), (Refused::NoBuffer, 0)),
            },
            Source::External(start, len) => {
                let len = len.min(MEMORY - start);
                match Packet::from_external(&self.pool, &self.memory, start, len) {
                    Ok(packet) => {
                        let (content, capacity) = (self.memory.bytes()[start..][..len].to_vec(), HEADROOM + DATA_ROOM);
                        let buffer = self.new_buffer();
                        let segment =
                            Segment { buffer, content, headroom: 0, capacity, is_foreign: true, is_of_blocks: false };
                        self.live.push_back(Known { packet, segments: vec![segment] });
                    }
                    Err(refused) => assert_eq!((refused, free), (Refused::NoBuffer, 0)),
                }
            }
        }
    }

    /// What is done to one packet.
    fn rework(&mut self, op: Op, mut known: Known) -> Known {
        match op {
            Op::Change { change, .. } => self.change(change, &mut known),
            Op::Share { .. } => {
                let share = known.packet.share();
                self.live.push_back(Known { packet: share, segments: known.segments.clone() });
            }
            Op::Charge { account, .. } => {
                let is_its = self.charges.get(&known.segments[0].buffer) == Some(&account);
                let is_full = !is_its && self.with([&known], |world| world.is_full(account));
                assert_eq!(known.packet.charge(&self.accounts[account]).is_err(), is_full);
                if !is_full {
                    self.charges.insert(known.segments[0].buffer, account);
                }
            }
            Op::AppendSegment { behind, .. } => {
                let Some(back) = self.pick(behind) else { return known };
                let shared = self.with([&known, &back], |world| world.is_any_shared(&known.segments));
                match known.packet.append_segment(back.packet) {
                    Ok(()) => {
                        assert!(!shared);
                        known.segments.extend(back.segments);
                    }
                    Err((refused, packet)) => {
                        assert_eq!((refused, shared), (Refused::Shared, true));
                        self.live.push_back(Known { packet, ..back });
                    }
                }
            }
            Op::DetachTail { .. } => {
                let shared = self.with([&known], |world| world.is_any_shared(&known.segments[..1]));
                match known.packet.detach_tail() {
                    Ok(tail) => {
                        assert!(!shared && tail.is_some() == (known.segments.len() > 1));
                        let segments = known.segments.split_off(1);
                        self.live.extend(tail.map(|packet| Known { packet, segments }));
                    }
                    Err(refused) => assert_eq!((refused, shared), (Refused::Shared, true)),
                }
            }
            Op::Split { at, .. } => self.split(at, &mut known),
            _ => self.linearize(&mut known),
        }
        known
    }

    fn change(&mut self, change: Change, known: &mut Known) {
        let first = &known.segments[0];
        match change {
            Change::Append(more) => {
                let expected = if more.len() > first.tailroom() { Err(Why::Room) } else { self.make_own(known) };
                let answer = known.packet.append(more.len()).map(|bytes| bytes.copy_from_slice(&more));
                assert_eq!(answer.map_err(why), expected);
                if expected.is_ok() {
                    known.segments[0].content.extend(more);
                }
            }
            Change::Prepend(more) => {
                let has_room = more.len() <= first.reported_headroom();
                let expected = if has_room { self.make_own(known) } else { Err(Why::Room) };
                let answer = known.packet.prepend(more.len()).map(|bytes| bytes.copy_from_slice(&more));
                assert_eq!(answer.map_err(why), expected);
                if expected.is_ok() {
                    known.segments[0].headroom -= more.len();
                    known.segments[0].content.splice(..0, more);
                }
            }
            Change::Trim(count) => {
                let content = &mut known.segments[0].content;
                assert_eq!(known.packet.trim(count).is_ok(), count <= content.len());
                content.truncate(content.len().checked_sub(count).unwrap_or(content.len()));
            }
            Change::Adjust(count) => {
                let Segment { content, headroom, .. } = &mut known.segments[0];
                assert_eq!(known.packet.adjust(count).is_ok(), count <= content.len());
                if count <= content.len() {
                    *headroom += count;
                    content.drain(..count);
                }
            }
            Change::Invert => {
                let expected = self.make_own(known);
                let answer = known.packet.data_mut().map(|bytes| bytes.iter_mut().for_each(|byte| *byte = !*byte));
                assert_eq!(answer.map_err(why), expected);
                if expected.is_ok() {
                    known.segments[0].content.iter_mut().for_each(|byte| *byte = !*byte);
                }
            }
        }
    }

    fn split(&mut self, at: usize, known: &mut Known) {
        // The segment that the cut goes through, or behind.
        let (mut cut, mut left) = (0, at);
        while left > known.segments[cut].content.len() && cut + 1 < known.segments.len() {
            left -= known.segments[cut].content.len();
            cut += 1;
        }
        let is_shared = self.with([known], |world| world.is_any_shared(&known.segments[..=cut]));
        let is_through = left < known.segments[cut].content.len();
        let expected = match is_through {
            _ if is_shared => Err(Why::Shared),
            true => self.with([known], |world| world.can_take_for(&known.segments[cut])),
            false => Ok(()),
        };
        let answer = known.packet.split(at).map_err(why);
        assert_eq!(answer.as_ref().map(|_| ()), expected.as_ref().map(|_| ()));
        let Ok(rest) = answer else { return };
        let mut segments = known.segments.split_off(cut + 1);
        if is_through {
            let front = &mut known.segments[cut];
            let mut back = front.clone();
            back.content = front.content.split_off(left);
            back.headroom += left;
            let buffer = self.another_buffer(back.buffer);
            if back.is_foreign {
                back.buffer = buffer;
            } else {
                back.copy_to(buffer);
            }
            segments.insert(0, back);
        }
        assert_eq!(rest.is_some(), !segments.is_empty());
        self.live.extend(rest.map(|packet| Known { packet, segments }));
    }

    fn linearize(&mut self, known: &mut Known) {
        if known.segments.len() == 1 {
            return known.packet.linearize().unwrap();
        }
        let behind: usize = known.segments[1..].iter().map(|segment| segment.content.len()).sum();
        let first = &known.segments[0];
        let room = if first.is_foreign { DATA_ROOM.saturating_sub(first.content.len()) } else { first.tailroom() };
        let expected = if behind > room { Err(Why::Room) } else { self.make_own(known) };
        assert_eq!(known.packet.linearize().map_err(why), expected);
        if expected.is_ok() {
            for segment in known.segments.split_off(1) {
                known.segments[0].content.extend(segment.content);
            }
        }
    }

    fn receive(&mut self, count: u32, discard_every: u32) {
        let mut burst = Burst::new(PLACES);
        let passed = self.rx.receive(&mut burst, count, |position| match position % discard_every {
            1 => Arrival::Discard,
            _ => Arrival::Frame { len: 0, metadata: Metadata::default() },
        });
        assert_eq!(passed as usize, self.in_rx.min(count as usize));
        self.in_rx -= passed as usize;
        while let Some(packet) = burst.pop_front() {
            self.know(packet, &[0xEE; 64], false);
        }
    }

    fn send(&mut self, count: usize) {
        let mut burst = Burst::new(BUFFERS);
        let known: Vec<_> = self.live.drain(..count.min(self.live.len())).collect();
        let mut rest = VecDeque::new();
        for Known { packet, segments } in known {
            burst.push(packet).unwrap();
            rest.push_back(segments);
        }
        let mut armed = VecDeque::new();
        let sent = self.tx.send(&mut burst, u32::MAX, &self.dma, 0..=u16::MAX, |_, segment| armed.push_back(segment));
        let mut room = PLACES - self.sent.iter().map(|(places, _)| places).sum::<usize>();
        for _ in 0..sent {
            let segments: Vec<Segment> = rest.pop_front().unwrap();
            let lens: Vec<_> = segments.iter().map(|segment| segment.content.len()).filter(|&len| len > 0).collect();
            let places = lens.len().max(1);
            assert!(armed.drain(..places).map(|segment| usize::from(segment.len)).eq(if lens.is_empty() {
                vec![0]
            } else {
                lens
            }));
            room -= places;
            self.sent.push_back((places, segments));
        }
        assert!(armed.is_empty());
        let places = |frame: &Vec<Segment>| frame.iter().filter(|segment| !segment.content.is_empty()).count().max(1);
        assert!(rest.front().is_none_or(|frame| places(frame) > room), "there was room for another");
        for segments in rest {
            self.live.push_back(Known { packet: burst.pop_front().unwrap(), segments });
        }
        assert!(burst.is_empty());
    }

    fn release(&mut self, count: u32) {
        self.tx.release(count);
        let mut left = count as usize;
        while let Some((places, _)) = self.sent.front_mut() {
            let done = left.min(*places);
            (*places, left) = (*places - done, left - done);
            if *places > 0 {
                break;
            }
            self.sent.pop_front();
        }
    }

    pub(crate) fn check(&mut self) {
        let census = self.pool.census();
        assert_eq!(census.ring + census.cached + census.out, census.total);
        assert_eq!(census.out as usize, BUFFERS - self.free());
        let in_tx = self.sent.iter().map(|(places, _)| places).sum::<usize>();
        assert_eq!((self.rx.len() as usize, self.tx.len() as usize), (self.in_rx, in_tx));
        for (number, account) in self.accounts.iter().enumerate() {
            assert_eq!(account.usage().held as usize, self.held(number));
        }
        let mut places = HashMap::new();
        for Known { packet, segments } in &self.live {
            let first = &segments[0];
            assert_eq!((packet.headroom(), packet.tailroom()), (first.reported_headroom(), first.tailroom()));
            assert_eq!((packet.is_shared(), packet.is_foreign()), (self.is_shared(first.buffer), first.is_foreign));
            assert!(packet.segments().eq(segments.iter().map(|segment| &segment.content[..])));
            for (bytes, segment) in packet.segments().zip(segments).filter(|(_, segment)| !segment.is_foreign) {
                let place = bytes.as_ptr() as usize - segment.headroom;
                assert_eq!(*places.entry(place).or_insert(segment.buffer), segment.buffer, "two in one buffer");
            }
        }
        let out = self.out();
        self.charges.retain(|buffer, _| out.contains(buffer));
    }
}
