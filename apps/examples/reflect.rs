//! Sends every frame back with its addresses swapped, and tells what the card said of the first.

use std::time::{Duration, Instant};

use gannet::{Burst, Filter, Pool, PoolOptions, Port, PortConfig};
use gannet_sim::peer::generator::{Generator, GeneratorOptions};
use gannet_sim::x82599::{self, Engine, NicOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The other end of the cable: a thousand numbered frames. It expects what it sent itself.
    let options = GeneratorOptions { count: Some(1000), ..GeneratorOptions::new(0) };
    let options = GeneratorOptions { expects: options.sends, ..options };
    let (generator, cable) = Generator::new(&options)?;

    // A software card has two halves: one for the driver, one that runs by itself.
    let (device, nic) = x82599::new(NicOptions::default(), Box::new(generator));
    let _engine = Engine::spawn(vec![nic]);

    let pool = Pool::new(&PoolOptions { buffers: 2048, ..PoolOptions::default() })?;
    let config = PortConfig { filter: Filter::promiscuous(), ..PortConfig::new(&pool, 512) };
    let (mut control, mut queues) = Port::probe(device)?.configure(config)?.start()?;
    let link = control.wait_for_link(Duration::from_secs(9));
    println!("{}: {link:?}", control.info().name);

    let (rx, tx) = (&mut queues.rx[0], &mut queues.tx[0]);
    let mut burst = Burst::new(32);
    let (mut first, mut sent) = (true, 0);
    let deadline = Instant::now() + Duration::from_secs(5);
    while sent < 1000 && Instant::now() < deadline {
        let old = burst.len();
        rx.receive(&mut burst);
        for packet in &mut burst[old..] {
            if std::mem::take(&mut first) {
                println!(
                    "first: {} bytes, {:?}/{:?}, hash {:x?}",
                    packet.len(),
                    packet.l3(),
                    packet.l4(),
                    packet.rss_hash()
                );
            }
            let (destination, source) = packet.data_mut()?[..12].split_at_mut(6);
            destination.swap_with_slice(source);
        }
        sent += tx.send(&mut burst);
    }
    // Until the card has sent what it was given.
    while tx.stats().in_ring > 0 && Instant::now() < deadline {
        tx.reclaim();
    }
    let stats = control.stats();
    control.stop(queues)?;
    println!("card: received {} frames, sent {}", stats.rx_packets, stats.tx_packets);
    println!("cable: {cable:?}");
    println!("pool: {:?}", pool.census());
    Ok(())
}
