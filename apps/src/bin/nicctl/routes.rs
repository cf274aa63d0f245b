//! What of the machine's network goes through a card: taking it away may end the session that takes it.
//!
//! Seen are the routes of the main table (`/proc/net/route`; IPv6: of all tables) and the interfaces above the card's. Where an interface leads
//! that is part of a bridge, a bond, a VRF or a switch is not followed: there, any is reason enough.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};

use gannet_bus::sysfs::PciDevice;

use crate::host::Host;

/// Why the machine may lose its network with a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// The card's interface.
    interface: String,
    /// What needs it.
    what: String,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.interface)
    }
}

/// What needs the card. Where that cannot be found out, this is what it says.
///
/// # Errors
/// The card's files cannot be read.
pub(crate) fn need(host: &Host, device: &PciDevice) -> anyhow::Result<Option<Need>> {
    let of = |interface: String| {
        let what = match routes(host, &interface) {
            Err(unreadable) => Some(unreadable),
            // The default route says most.
            Ok(routes) if routes.iter().any(|route| route == DEFAULT) => Some(DEFAULT.to_owned()),
            Ok(routes) => routes.into_iter().next().or_else(|| above(host, &interface)),
        };
        Some(Need { what: what?, interface })
    };
    Ok(device.interfaces()?.into_iter().find_map(of))
}

const DEFAULT: &str = "default route";

/// An interface that is made of this one.
fn above(host: &Host, interface: &str) -> Option<String> {
    let names = host.names(format!("/sys/class/net/{interface}"));
    names.iter().find_map(|name| Some(format!("part of {}", name.strip_prefix("upper_")?)))
}

/// The routes through an interface, in words.
fn routes(host: &Host, interface: &str) -> Result<Vec<String>, String> {
    let read = |file: &str| {
        std::fs::read_to_string(host.sysfs.path(file))
            .map_err(|why| (why.kind(), format!("{file} is unreadable: {why}")))
    };
    let ipv4 = read("/proc/net/route").map_err(|(_, says)| says)?;
    let ipv6 = match read("/proc/net/ipv6_route") {
        // A kernel without IPv6, or told to do without.
        Err((ErrorKind::NotFound, _)) => String::new(),
        Err((_, says)) => return Err(says),
        Ok(text) => text,
    };
    let ipv4 = ipv4.lines().filter_map(|line| ipv4_route(line, interface));
    let ipv6 = ipv6.lines().filter_map(|line| ipv6_route(line, interface));
    Ok(ipv4.chain(ipv6).collect())
}

/// Interface, destination, gateway, flags, reference count, use, metric, mask, ...: addresses as the kernel has them in memory.
fn ipv4_route(line: &str, interface: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.first() != Some(&interface) {
        return None;
    }
    let number = |field: usize| u32::from_str_radix(fields.get(field)?, 16).ok();
    Some(match (number(1), number(7)) {
        (Some(0), Some(0)) => DEFAULT.to_owned(),
        (Some(destination), Some(mask)) => {
            format!("route to {}/{}", Ipv4Addr::from(destination.to_ne_bytes()), mask.count_ones())
        }
        _ => "a route".to_owned(),
    })
}

/// Destination and prefix length, source and prefix length, next hop, metric, reference count, use, flags, interface. Each interface that is up
/// has routes of link-local and multicast addresses; they do not count.
fn ipv6_route(line: &str, interface: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if fields.last() != Some(&interface) {
        return None;
    }
    let length = fields.get(1).and_then(|length| u8::from_str_radix(length, 16).ok());
    let destination = u128::from_str_radix(fields[0], 16).map(Ipv6Addr::from);
    match (destination, length) {
        (Ok(destination), _) if destination.is_unicast_link_local() || destination.is_multicast() => None,
        (Ok(Ipv6Addr::UNSPECIFIED), Some(0)) => Some(DEFAULT.to_owned()),
        (Ok(destination), Some(length)) => Some(format!("route to {destination}/{length}")),
        _ => Some("a route".to_owned()),
    }
}
