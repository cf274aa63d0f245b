//! A host on a port: smoltcp's interface, the device below it, the sockets above it.

use gannet::MacAddress;
use gannet_apps::smoltcp_device::PortDevice;
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketSet};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};

/// Most frames that are read before others have their turn: a flood must not keep the sockets waiting.
const FRAMES: usize = 64;

/// An IP host.
pub(crate) struct Host {
    pub(crate) device: PortDevice,
    pub(crate) interface: Interface,
    pub(crate) sockets: SocketSet<'static>,
}

impl Host {
    /// A host with these addresses. `seed` makes its sequence numbers hard to guess.
    pub(crate) fn new(mut device: PortDevice, mac: MacAddress, addresses: &[IpCidr], seed: u64, now: Instant) -> Host {
        let mut config = Config::new(EthernetAddress(mac).into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, now);
        // smoltcp is built for two addresses: what is beyond is left out.
        interface.update_ip_addrs(|list| list.extend(addresses.iter().copied().take(list.capacity())));
        Host { device, interface, sockets: SocketSet::new(Vec::new()) }
    }

    /// One round: reads what has arrived, sends what sockets and interface have to say.
    pub(crate) fn poll(&mut self, now: Instant) {
        let Host { device, interface, sockets } = self;
        interface.poll_maintenance(now);
        for _ in 0..FRAMES {
            if interface.poll_ingress_single(now, device, sockets) == PollIngressSingleResult::None {
                break;
            }
        }
        interface.poll_egress(now, device, sockets);
        device.flush();
    }
}
