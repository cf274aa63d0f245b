//! A program with two ports that forwards when it is told to: its cards stand still meanwhile.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gannet::{Burst, Filter, Link, Pool, PoolOptions, Port, PortConfig, Queues, VlanTags};
use gannet_apps::monitor::{Monitor, MonitorOptions};
use gannet_apps::running::Running;
use gannet_sim::Clock;
use gannet_sim::peer::{Accepted, Offered, Pacing, Peer};
use gannet_sim::x82599::{self, Nic, NicOptions};

use super::Place;

/// The cable's end that the test holds.
#[derive(Default)]
struct Cable {
    to_card: VecDeque<Vec<u8>>,
    from_card: Vec<Vec<u8>>,
}

struct End(Arc<Mutex<Cable>>);

impl Peer for End {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        self.0.lock().unwrap().from_card.push(frame.to_vec());
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        let Some(next) = self.0.lock().unwrap().to_card.pop_front() else { return Offered::Nothing };
        frame.clear();
        frame.extend_from_slice(&next);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

/// A port, its card, and the cable's other end.
struct Side {
    nic: Nic,
    cable: Arc<Mutex<Cable>>,
    queues: Queues,
    running: Running,
}

/// The program.
pub(crate) struct Host {
    sides: [Side; 2],
    burst: Burst,
    monitor: Monitor,
    pub(crate) socket: PathBuf,
}

impl Host {
    /// A program whose control socket is in `place`, where dumpcap finds it.
    pub(crate) fn new(place: &Place) -> Host {
        Host::with_tags(place, VlanTags::Keep)
    }

    pub(crate) fn with_tags(place: &Place, tags: VlanTags) -> Host {
        let pool = Pool::new(&PoolOptions { buffers: 2048, ..PoolOptions::default() }).unwrap();
        let sides = [0, 1].map(|number| Side::new(number, &pool, tags));
        let socket = place.file("gannet/host-1.sock");
        let options = MonitorOptions { control: Some(socket.clone()), ..MonitorOptions::default() };
        let mut monitor = Monitor::start("host", &options).unwrap();
        sides.iter().for_each(|side| monitor.add_port(&side.running));
        Host { sides, burst: Burst::new(32), monitor, socket }
    }

    /// Lets these frames arrive at port 0 and forwards them to port 1. Returns what came out there.
    pub(crate) fn forward(&mut self, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let [from, to] = &mut self.sides;
        from.cable.lock().unwrap().to_card.extend(frames.iter().cloned());
        let mut idle = 0;
        while idle < 4 {
            let mut moved = from.nic.step(64) + from.queues.rx[0].receive(&mut self.burst);
            moved += to.queues.tx[0].send(&mut self.burst) + to.nic.step(64);
            // Bring about what the taps of the others have been asked for.
            from.queues.tx[0].send(&mut Burst::new(1));
            to.queues.rx[0].receive(&mut Burst::new(1));
            idle = if moved > 0 { 0 } else { idle + 1 };
        }
        assert!(self.burst.is_empty());
        std::mem::take(&mut to.cable.lock().unwrap().from_card)
    }

    /// Drops the queues of port 0, as a program does that stops a port and goes on.
    pub(crate) fn stop_port_0(&mut self) {
        let Queues { rx, tx } = &mut self.sides[0].queues;
        rx.clear();
        tx.clear();
    }

    /// Ends as programs do: first the queues, then the monitor.
    pub(crate) fn end(self) {
        drop(self.sides);
        drop(self.monitor);
    }
}

impl Side {
    fn new(number: u8, pool: &Pool, vlan_tags: VlanTags) -> Side {
        let cable = Arc::<Mutex<Cable>>::default();
        let options = NicOptions {
            name: format!("sim:ixgbe#{number}"),
            mac: [2, 0, 0, 0, 0, number],
            clock: Clock::stepped(),
            ..NicOptions::default()
        };
        let (device, nic) = x82599::new(options, Box::new(End(cable.clone())));
        let config = PortConfig { filter: Filter::promiscuous(), vlan_tags, ..PortConfig::new(pool, 256) };
        let (control, queues) = Port::probe(device).unwrap().configure(config).unwrap().start().unwrap();
        assert_ne!(control.wait_for_link(Duration::from_secs(9)), Link::Down);
        Side { nic, cable, queues, running: Running::new(control, None) }
    }
}
