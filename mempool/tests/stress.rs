//! Two threads that do to packets whatever can be done, and hand them to each other.
//!
//! Each thread draws its operations from a generator (`GANNET_SEED`), so its choices repeat; how the two meet does not. Every packet
//! travels with the checksum of its bytes, which is checked whenever the packet is touched.

mod common;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use common::{assert_all_home, lent, pool, seed};
use gannet_mempool::dma::External;
use gannet_mempool::{Account, Burst, Completion, FragCache, Packet, Pool, Refused, Request};

/// Operations for each size of the caches, by both threads together.
const OPERATIONS: u64 = if cfg!(miri) { 100 } else { 2_000_000 };
const CACHES: [u32; 5] = [0, 1, 7, 64, 512];
const BUFFERS: u32 = if cfg!(miri) { 48 } else { 192 };
/// Packets that a thread holds at most: both together, with what is under way, use up a small pool now and then.
const HELD: usize = if cfg!(miri) { 16 } else { 256 };
/// Most segments of a frame.
const SEGMENTS: usize = 6;

/// The checksum of bytes behind those that `sum` is of (FNV-1a): that of a whole frame is the same however it is cut.
fn add(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn sum_of(packet: &Packet) -> u32 {
    packet.segments().fold(1, add)
}

/// A packet and the checksum of its bytes.
struct Checked {
    packet: Packet,
    sum: u32,
}

impl Checked {
    fn new(packet: Packet) -> Checked {
        let sum = sum_of(&packet);
        Checked { packet, sum }
    }

    #[track_caller]
    fn check(&self) {
        assert_eq!(sum_of(&self.packet), self.sum, "bytes have changed: {:?}", self.packet);
    }
}

/// What both threads work on.
struct World {
    pool: Pool,
    blocks: Pool,
    accounts: [Account; 3],
    memory: External,
}

impl World {
    fn new(cache: u32) -> World {
        let account = |name, limit| Account::new(name, limit).unwrap();
        World {
            pool: pool(BUFFERS, cache),
            blocks: Pool::of_blocks(&common::blocks(32, 4, 32)).unwrap(),
            // Too little, some, and one of which threads keep stock.
            accounts: [account("small", 20), account("medium", 200), account("large", 10_000)],
            memory: lent(&(0..=255).collect::<Vec<u8>>()).0,
        }
    }
}

/// One of the threads.
struct Worker<'a> {
    world: &'a World,
    random: u64,
    fragments: FragCache,
    held: Vec<Checked>,
    completions: Vec<Completion>,
    to_other: SyncSender<Vec<Checked>>,
    from_other: Receiver<Vec<Checked>>,
    refused: u64,
}

impl Worker<'_> {
    /// A number below `limit` (xorshift64*).
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    /// Takes a packet that is held out; `None` if there is none.
    fn pick(&mut self) -> Option<Checked> {
        if self.held.is_empty() {
            return None;
        }
        let which = self.below(self.held.len());
        let picked = self.held.swap_remove(which);
        picked.check();
        Some(picked)
    }

    fn hold(&mut self, packet: Packet) {
        self.held.push(Checked::new(packet));
    }

    /// Writes new bytes, of the number of which only the first segment's are known.
    fn fill(&mut self, packet: &mut Packet, len: usize) {
        let first = self.below(256) as u8;
        if let Ok(bytes) = packet.append(len) {
            (first..=255).cycle().zip(bytes).for_each(|(value, byte)| *byte = value);
        }
    }

    /// A new packet of one of the kinds there are.
    fn make(&mut self) -> Result<Packet, Refused> {
        let len = self.below(40);
        let world = self.world;
        let account = Some(&world.accounts[self.below(3)]);
        let mut packet = match self.below(5) {
            0 | 1 => world.pool.alloc().ok_or(Refused::NoBuffer),
            2 => world.pool.alloc_with(&Request { account, ..Request::default() }),
            3 => self.fragments.alloc(len),
            _ => return Packet::from_external(&world.pool, &world.memory, self.below(200), len),
        }?;
        self.fill(&mut packet, len);
        Ok(packet)
    }

    fn make_bulk(&mut self) {
        let count = self.below(33);
        let mut burst = Burst::new(32);
        if !self.world.pool.alloc_bulk(&mut burst, count) {
            self.refused += 1;
        }
        while let Some(mut packet) = burst.pop_front() {
            self.fill(&mut packet, 8);
            self.hold(packet);
        }
    }

    fn free_bulk(&mut self) {
        let count = self.below(self.held.len() + 1).min(32);
        let mut burst = Burst::new(32);
        for checked in self.held.split_off(self.held.len() - count) {
            checked.check();
            burst.push(checked.packet).unwrap();
        }
        drop(burst);
        self.completions.retain(|completion| !completion.is_done());
    }

    /// What is done to one packet. It is held again, with what becomes of it; `Err` leaves it as it was.
    fn change(&mut self, Checked { mut packet, sum }: Checked) {
        let world = self.world;
        let answer = match self.below(8) {
            0 => {
                let share = packet.share();
                self.held.push(Checked { packet: share, sum });
                Ok(())
            }
            1 => return self.append_one(Checked { packet, sum }),
            2 => return self.split(Checked { packet, sum }),
            3 => packet.linearize(),
            4 => packet.charge(&world.accounts[self.below(3)]).map_err(Refused::from),
            5 => {
                let (completion, token) = Completion::new();
                self.completions.push(completion);
                packet.complete_with(token).map(drop)
            }
            6 => packet.make_own(),
            _ => match packet.data_mut() {
                Ok(bytes) => {
                    bytes.iter_mut().for_each(|byte| *byte = !*byte);
                    return self.hold(packet);
                }
                Err(why) => Err(why),
            },
        };
        self.refused += u64::from(answer.is_err());
        let checked = Checked { packet, sum };
        checked.check();
        self.held.push(checked);
    }

    fn append_one(&mut self, mut front: Checked) {
        if let Some(back) = self.pick() {
            let fits = front.packet.segments().count() + back.packet.segments().count() <= SEGMENTS;
            let sum = back.packet.segments().fold(front.sum, add);
            match fits.then(|| front.packet.append_segment(back.packet)) {
                Some(Ok(())) => front.sum = sum,
                Some(Err((why, back))) => {
                    assert_eq!(why, Refused::Shared);
                    self.refused += 1;
                    self.hold(back);
                }
                None => {}
            }
        }
        front.check();
        self.held.push(front);
    }

    fn split(&mut self, Checked { mut packet, sum }: Checked) {
        let at = self.below(packet.total_len() + 1);
        match packet.split(at) {
            Ok(Some(rest)) => {
                let front = Checked::new(packet);
                assert_eq!((front.packet.total_len(), rest.segments().fold(front.sum, add)), (at, sum));
                self.held.push(front);
                self.hold(rest);
            }
            other => {
                self.refused += u64::from(other.is_err());
                let checked = Checked { packet, sum };
                checked.check();
                self.held.push(checked);
            }
        }
    }

    /// Gives some to the other thread, which may be behind, and takes what that has given.
    fn hand_over(&mut self) {
        let count = self.below(self.held.len() + 1).min(64);
        let packets = self.held.split_off(self.held.len() - count);
        if let Err(full) = self.to_other.try_send(packets) {
            let (std::sync::mpsc::TrySendError::Full(back) | std::sync::mpsc::TrySendError::Disconnected(back)) = full;
            self.held.extend(back);
        }
        self.held.extend(self.from_other.try_iter().flatten());
    }

    fn step(&mut self) {
        match self.below(16) {
            0..=4 => match self.make() {
                Ok(packet) => self.hold(packet),
                Err(_) => self.refused += 1,
            },
            5 => self.make_bulk(),
            6 => self.free_bulk(),
            7 | 8 => drop(self.pick()),
            9 => self.hand_over(),
            _ => {
                if let Some(picked) = self.pick() {
                    self.change(picked);
                }
            }
        }
        while self.held.len() > HELD {
            self.free_bulk();
        }
    }
}

/// The numbers of refused operations of both threads, and the completions that were waited for at the end.
fn run(world: &World, seed: u64) -> (u64, Vec<Completion>) {
    let (to_b, from_a) = sync_channel(4);
    let (to_a, from_b) = sync_channel(4);
    thread::scope(|scope| {
        let threads = [(to_b, from_b), (to_a, from_a)].into_iter().zip(1..).map(|((to_other, from_other), number)| {
            scope.spawn(move || {
                let mut worker = Worker {
                    world,
                    random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number | 1 << 40,
                    fragments: FragCache::new(&world.blocks).unwrap(),
                    held: Vec::new(),
                    completions: Vec::new(),
                    to_other,
                    from_other,
                    refused: 0,
                };
                for _ in 0..OPERATIONS / 2 {
                    worker.step();
                }
                worker.held.iter().for_each(Checked::check);
                (worker.refused, worker.completions)
            })
        });
        let threads: Vec<_> = threads.collect();
        let mut sum = (0, Vec::new());
        for thread in threads {
            let (refused, completions) = thread.join().unwrap();
            sum.0 += refused;
            sum.1.extend(completions);
        }
        sum
    })
}

#[test]
fn two_threads_do_ten_million_things_and_all_comes_home() {
    let seed = seed();
    for cache in CACHES {
        let world = World::new(cache);
        let (refused, completions) = run(&world, seed.wrapping_add(cache.into()));
        println!("cache of {cache}: {refused} refused, {:?}", world.pool.stats());
        // Under miri there is not enough time to meet one.
        assert!(refused > 0 || cfg!(miri), "no limit was met");
        assert!(completions.iter().all(Completion::is_done));
        let World { pool, blocks, accounts, memory } = world;
        assert_all_home(&pool);
        assert_all_home(&blocks);
        assert_eq!(accounts.each_ref().map(|account| account.usage().held), [0; 3]);
        assert_eq!(memory.bytes().len(), 256);
        assert_eq!(pool.stats().allocated, pool.stats().freed);
    }
}
