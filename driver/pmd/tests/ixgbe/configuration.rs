//! Configurations that a port takes, and those that it refuses with a text that helps.

use gannet::{Error, PortConfig, RxQueueConfig, TxQueueConfig};

use super::harness::{Rig, assert_home, pool, pool_of};

/// The text of the refusal.
fn refusal(config: PortConfig) -> String {
    let error = Rig::new().probe().unwrap().configure(config).unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    error.to_string()
}

#[test]
fn odd_ring_sizes_are_refused_each_way() {
    let pool = pool(64);
    for descriptors in [0, 1, 32, 63, 100, 4097, 8192, u32::MAX] {
        let mut receive = PortConfig::new(&pool, 512);
        receive.rx[0].descriptors = descriptors;
        let mut transmit = PortConfig::new(&pool, 512);
        transmit.tx[0].descriptors = descriptors;
        for config in [receive, transmit] {
            let text = refusal(config);
            assert!(text.contains(&format!("a ring of {descriptors} descriptors")), "{text}");
            assert!(text.contains("powers of two from 64 to 4096"), "{text}");
        }
    }
}

#[test]
fn queue_counts_out_of_range_are_refused() {
    let pool = pool(64);
    let config = |rx: usize, tx: usize| {
        let mut config = PortConfig::new(&pool, 64);
        config.rx = vec![RxQueueConfig { descriptors: 64, pool: pool.clone() }; rx];
        config.tx = vec![TxQueueConfig { descriptors: 64 }; tx];
        config
    };
    assert!(refusal(config(0, 1)).contains("0 receive queues: 1 to 16"));
    assert!(refusal(config(17, 1)).contains("17 receive queues: 1 to 16"));
    assert!(refusal(config(1, 0)).contains("0 transmit queues: 1 to 64"));
    assert!(refusal(config(1, 65)).contains("65 transmit queues: 1 to 64"));
    Rig::new().probe().unwrap().configure(config(16, 64)).unwrap();
}

#[test]
fn buffers_below_the_cards_granule_are_refused() {
    assert!(
        refusal(PortConfig::new(&pool_of(64, 1023), 64))
            .contains("buffers of 1023 bytes: the card needs at least 1024")
    );
    Rig::new().probe().unwrap().configure(PortConfig::new(&pool_of(64, 1024), 64)).unwrap();
}

#[test]
fn a_pool_too_small_for_its_rings_is_an_error_that_counts() {
    let rig = Rig::new();
    let pool = pool(383);
    let error = rig.try_start(PortConfig::new(&pool, 512)).unwrap_err();
    match error {
        Error::PoolTooSmall { free, needed, descriptors, .. } => {
            assert_eq!(descriptors, 512);
            assert_eq!(free, 383);
            assert!(needed > 383 && needed < 512, "{needed}");
        }
        other => panic!("{other}"),
    }
    assert_home(&pool);
    rig.assert_clean();
}

#[test]
fn a_pool_too_small_for_the_second_queue_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let pool = pool(100);
    let mut config = PortConfig::new(&pool, 64);
    config.rx.push(config.rx[0].clone());
    config.rx.push(config.rx[0].clone());
    let error = rig.try_start(config).unwrap_err();
    assert!(matches!(error, Error::PoolTooSmall { descriptors: 64, .. }), "{error}");
    assert_home(&pool);
    rig.nic.step(64);
    rig.assert_clean();
}
