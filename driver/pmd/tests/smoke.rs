//! smoke
use gannet::*;
use gannet_sim::peer::sink::Sink;
use gannet_sim::{Clock, x82599};
use std::time::Duration;
#[test]
fn init() {
    let (sink, _stats) = Sink::new();
    let (device, nic) =
        x82599::new(x82599::NicOptions { clock: Clock::stepped(), ..Default::default() }, Box::new(sink));
    let probe = nic.probe();
    let pool = Pool::new(&PoolOptions::default()).unwrap();
    let port = Port::probe(device).unwrap();
    println!("{:?}", port);
    let port = port.configure(PortConfig::new(&pool, 512)).unwrap();
    let (control, queues) = port.start().unwrap();
    println!("link {:?}", control.wait_for_link(Duration::from_secs(9)));
    println!("{:?} {:?} {:?}", probe.violations(), probe.unknown_registers(), probe.dma_faults());
    let port = control.stop(queues).unwrap();
    println!("{:?}", pool.census());
    drop(port);
    println!("{:?} {:?} {:?}", probe.violations(), probe.unknown_registers(), probe.read_only_writes());
}
