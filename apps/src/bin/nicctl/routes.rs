//! Which card the machine's default route goes through: taking it away may end the session that takes it.

use std::collections::BTreeSet;

use gannet_bus::sysfs::PciDevice;

use crate::host::Host;

/// RTF_UP of the kernel's `route.h`.
const UP: u32 = 0x0001;
/// RTF_REJECT: a route that drops what takes it.
const REJECT: u32 = 0x0200;

/// The interfaces of the default routes, IPv4 and IPv6.
fn default_interfaces(host: &Host) -> BTreeSet<String> {
    let usable = |flags: &str| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP);
    let mut interfaces = BTreeSet::new();
    // Interface, destination, gateway, flags, reference count, use, metric, mask, ...; numbers in hexadecimal.
    for line in host.text("/proc/net/route").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let &[interface, "00000000", _, flags, _, _, _, "00000000", ..] = fields.as_slice()
            && usable(flags)
        {
            interfaces.insert(interface.to_owned());
        }
    }
    // Destination and prefix length, source and prefix length, next hop, metric, reference count, use, flags, interface.
    for line in host.text("/proc/net/ipv6_route").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let &[_, "00", _, "00", _, _, _, _, flags, interface] = fields.as_slice()
            && usable(flags)
        {
            interfaces.insert(interface.to_owned());
        }
    }
    interfaces
}

/// The interface through which a default route reaches this card: its own, or a bridge, bond or VLAN above it.
///
/// # Errors
/// The card's files cannot be read.
pub(crate) fn default_route(host: &Host, device: &PciDevice) -> anyhow::Result<Option<String>> {
    let routed = default_interfaces(host);
    let mut seen = BTreeSet::new();
    let mut above = device.interfaces()?;
    while let Some(interface) = above.pop() {
        if routed.contains(&interface) {
            return Ok(Some(interface));
        }
        if seen.insert(interface.clone()) {
            let names = host.names(format!("/sys/class/net/{interface}"));
            above.extend(names.iter().filter_map(|name| name.strip_prefix("upper_")).map(str::to_owned));
        }
    }
    Ok(None)
}
