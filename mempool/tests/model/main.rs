//! Random operations on packets, beside a model that knows what must become of them.

#[path = "../common/mod.rs"]
mod common;
mod op;
mod world;

use common::assert_all_home;
use op::op;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use world::World;

/// `GANNET_SEED` (a number) repeats a run or makes another.
#[test]
fn random_operations_keep_every_packet_and_every_buffer() {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&common::seed().to_le_bytes());
    let (cases, steps) = if cfg!(miri) { (1, 24) } else { (200, 400) };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let caches = prop_oneof![Just(0), Just(1), 2..40u32, Just(512)];
    let outcome = runner.run(&(caches, vec(op(), steps / 2..steps)), |(cache, ops)| {
        let mut world = World::new(cache);
        for op in ops {
            world.step(op);
            world.check();
        }
        let (pool, blocks) = world.end();
        assert_all_home(&pool);
        assert_all_home(&blocks);
        Ok(())
    });
    outcome.unwrap();
}
