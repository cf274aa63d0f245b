//! Descriptor rings lie on the card's NUMA node, if memory can be had there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gannet::{Burst, Port, PortConfig};

use super::frames::numbered;
use super::harness::{LINK_DELAY, Rig, bytes, pool};
use super::meddler::Meddled;

/// Counts warnings about a node.
struct Log(Arc<AtomicUsize>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text<'a>(&'a AtomicUsize);
        impl tracing::field::Visit for Text<'_> {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.fetch_add(usize::from(format!("{value:?}").contains("the card's NUMA node")), Ordering::Relaxed);
            }
        }
        event.record(&mut Text(&self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Warnings about the node while a port of a card on `node` starts. The port works.
fn warnings(node: u32) -> usize {
    let mut rig = Rig::new();
    let pool = pool(256);
    let count = Arc::new(AtomicUsize::new(0));
    let port = Port::probe(Meddled::on_node(&rig.device, node)).unwrap();
    assert_eq!(port.info().numa_node, Some(node));
    let port = port.configure(PortConfig::new(&pool, 64)).unwrap();
    let (control, mut queues) = tracing::subscriber::with_default(Log(count.clone()), || port.start()).unwrap();
    control.wait_for_link(2 * LINK_DELAY);
    rig.offer([numbered(1, 60)]);
    let mut burst = Burst::new(4);
    rig.settle();
    queues.rx[0].receive(&mut burst);
    assert_eq!(bytes(&burst), [numbered(1, 60)]);
    drop(burst);
    control.stop(queues).unwrap();
    count.load(Ordering::Relaxed)
}

#[test]
fn rings_are_where_the_card_is() {
    assert_eq!(warnings(0), 0);
}

#[test]
fn a_node_without_memory_is_a_warning_and_the_rings_lie_elsewhere() {
    // Node 7 of a machine that has at most seven.
    if std::fs::exists("/sys/devices/system/node/node7").unwrap_or(false) {
        return gannet_harness::skip("this machine has a NUMA node 7");
    }
    assert_eq!(warnings(7), 1);
}
