//! The numbers of pools. One test, since it uses up those of the whole process.

mod common;

use common::{options, pool};
use gannet_mempool::{Error, Pool};

#[test]
#[cfg_attr(miri, ignore = "127 pools take more than a minute there")]
fn there_are_127_pools_at_once_and_any_number_in_turn() {
    for _ in 0..1000 {
        let pool = pool(2, 2);
        assert_eq!(pool.number(), 1, "the number of the pool before");
        drop(pool.alloc());
    }
    // The handle may go before the last packet.
    for _ in 0..1000 {
        let pool = pool(2, 2);
        let packet = pool.alloc();
        drop(pool);
        drop(packet);
    }

    let mut pools: Vec<Pool> = (0..127).map(|_| pool(1, 0)).collect();
    let mut numbers: Vec<u8> = pools.iter().map(Pool::number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=127));

    let too_many = Pool::new(&options(1, 0));
    assert!(matches!(too_many, Err(Error::TooManyPools { max: 127 })), "{too_many:?}");
    assert_eq!(too_many.unwrap_err().to_string(), "127 pools exist already: drop one, or share a pool between ports");

    // Each pool has its own memory.
    let mut packets: Vec<_> = pools.iter().map(|pool| pool.alloc().unwrap()).collect();
    for (packet, number) in packets.iter_mut().zip(0..) {
        packet.append(1).unwrap()[0] = number;
    }
    assert!(packets.iter().zip(0u8..).all(|(packet, number)| packet.data() == [number]));

    // A pool without handles keeps its number until its packets are home.
    let number = pools.swap_remove(100).number();
    assert!(matches!(Pool::new(&options(1, 0)), Err(Error::TooManyPools { .. })));
    drop(packets.remove(100));
    let again = pool(1, 0);
    assert_eq!(again.number(), number);
    drop(packets);
    drop(pools);
    drop(again);
    assert_eq!(pool(1, 0).number(), 1);
}
