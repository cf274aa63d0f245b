//! Hunting for leaks: packets that are lost on purpose, and what a tracked pool tells of them.

mod common;

use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{FixedMapper, chain, drain, frame, lent, options};
use gannet_mempool::buffers::{Arrival, RxBuffers, TxBuffers};
use gannet_mempool::dma::{DmaMapper, DmaTable};
use gannet_mempool::{
    Account, BlockOptions, Burst, FragCache, Holding, Metadata, Packet, Place, Pool, PoolOptions, Request, Tracking,
};

fn tracked(buffers: u32) -> Pool {
    Pool::new(&PoolOptions { tracking: Tracking::On, ..options(buffers, 4) }).unwrap()
}

/// Runs `work` on a thread of that name.
fn on<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.into()).spawn_scoped(scope, work).unwrap();
        thread.join().unwrap()
    })
}

/// Place, thread and owners of each buffer that is not home.
fn told(pool: &Pool) -> Vec<(Place, String, u64)> {
    pool.holdings().0.into_iter().map(|Holding { place, thread, owners, .. }| (place, thread, owners)).collect()
}

#[test]
fn a_leaked_packet_is_told_with_its_thread_account_and_age() {
    let pool = tracked(16);
    let account = Account::new("careless tenant", 10).unwrap();
    let before = Instant::now();
    on("leaker", || {
        let request = Request { account: Some(&account), ..Request::default() };
        mem::forget(pool.alloc_with(&request).unwrap());
        drop(frame(&pool, b"this one comes home"));
    });
    thread::sleep(Duration::from_millis(2));
    let holdings = pool.holdings();
    let [Holding { index, place, age, thread, account, owners }] = &holdings.0[..] else { panic!("{holdings}") };
    assert!(*index < 16 && *age >= Duration::from_millis(1) && *age <= before.elapsed() + Duration::from_millis(1));
    assert_eq!(
        (*place, &thread[..], account.as_deref(), *owners),
        (Place::Packet, "leaker", Some("careless tenant"), 1)
    );
    let table = holdings.to_string();
    assert!(table.contains("leaker") && table.contains("careless tenant"), "{table}");
    let refused = pool.destroy(Duration::ZERO).unwrap_err().to_string();
    assert!(refused.contains("1 in packets of thread `leaker`"), "{refused}");
}

#[test]
fn leaks_in_shares_and_chains_are_told() {
    let pool = tracked(16);
    on("sharer", || {
        let mut packet = frame(&pool, b"shared");
        mem::forget(packet.share());
        mem::forget(packet.share());
    });
    // Two forgotten owners of one buffer; the third has left.
    assert_eq!(told(&pool), [(Place::Packet, "sharer".into(), 2)]);
    on("chainer", || mem::forget(chain(&pool, &[b"a", b"b", b"c"])));
    let told = told(&pool);
    assert_eq!(told.len(), 4);
    assert_eq!(told.iter().filter(|(_, thread, owners)| thread == "chainer" && *owners == 1).count(), 3);
}

#[test]
fn buffers_in_a_cards_hands_are_told_with_their_ring() {
    let pool = tracked(16);
    let mapper: Arc<dyn DmaMapper> = Arc::new(FixedMapper::default());
    let mut dma = DmaTable::new();
    dma.map(&pool, &mapper).unwrap();
    let mut tx = TxBuffers::new(8).unwrap();
    let mut rx = RxBuffers::new(pool.clone(), 4).unwrap();
    let mut burst = Burst::new(8);
    on("sender", || {
        burst.push(frame(&pool, b"frame")).unwrap();
        burst.push(chain(&pool, &[b"a", b"b"])).unwrap();
        assert_eq!(tx.send(&mut burst, 8, &dma, 1..=100, |_, _| {}), 2);
    });
    on("receiver", || assert_eq!(rx.arm(3, |_, _| {}), 3));
    let count =
        |place, thread: &str| told(&pool).iter().filter(|told| (told.0, &told.1[..]) == (place, thread)).count();
    assert_eq!((count(Place::Transmit, "sender"), count(Place::Receive, "receiver")), (3, 3));

    // Received, it is a packet of who received it.
    on("reader", || rx.receive(&mut burst, 1, |_| Arrival::Frame { len: 1, metadata: Metadata::default() }));
    on("reader", || rx.receive(&mut Burst::new(1), 1, |_| Arrival::Discard));
    assert_eq!((count(Place::Receive, "receiver"), count(Place::Packet, "reader")), (1, 1));
    tx.release(1);
    assert_eq!((count(Place::Transmit, "sender"), told(&pool).len()), (2, 4));
    drop((tx, rx, burst));
    assert!(told(&pool).is_empty() && pool.destroy(Duration::ZERO).is_ok());
}

#[test]
fn the_name_of_leaked_foreign_bytes_is_told() {
    let pool = tracked(4);
    let (memory, releases) = lent(b"never given back");
    mem::forget(Packet::from_external(&pool, &memory, 0, 16).unwrap());
    drop(memory);
    assert_eq!((told(&pool).len(), releases.load(std::sync::atomic::Ordering::SeqCst)), (1, 0));
}

#[test]
fn leaked_pieces_are_told_each_for_itself() {
    let pool = Pool::of_blocks(&BlockOptions { tracking: Tracking::On, ..common::blocks(4, 4, 0) }).unwrap();
    let mut cache = FragCache::new(&pool).unwrap();
    let pieces: Vec<_> = (0..10).map(|number| cache.copy(&[number; 100]).unwrap()).collect();
    for (number, piece) in pieces.into_iter().enumerate() {
        if number % 3 == 2 {
            mem::forget(piece);
        }
    }
    drop(cache);
    // Pieces of two granules each, of one block: a piece's name is its first granule.
    let indices: Vec<_> = pool.holdings().0.iter().map(|holding| holding.index % 64).collect();
    assert_eq!((indices, pool.census().out), (vec![4, 10, 16], 1));
}

#[test]
fn nothing_is_told_of_what_is_home_or_not_followed() {
    let pool = tracked(8);
    for _ in 0..3 {
        assert_eq!(drain(&pool).len(), 8);
        assert!(pool.holdings().0.is_empty());
    }
    let packets = drain(&pool);
    assert_eq!(pool.holdings().0.len(), 8);
    drop(packets);
    let untracked = common::pool(8, 4);
    let packets = drain(&untracked);
    assert!(untracked.holdings().0.is_empty());
    drop(packets);
}
