//! What a card must have.

use std::fs;
use std::os::unix::fs::MetadataExt;

use gannet::Pmd;
use gannet_bus::sysfs::{PciAddress, PciDevice};
use gannet_bus::vfio::{Blocker, Users};

use super::{Finding, Verdict, after, machine};
use crate::cards;
use crate::driver_switch::VFIO_PCI;
use crate::group;
use crate::host::Host;
use crate::memory::{self, NEEDED_MIB, parse_list};
use crate::routes;

const CARD: &str = "card";
const GROUP: &str = "iommu group";
const BINDING: &str = "binding";
const ACCESS: &str = "access";
const USE: &str = "use";
const NUMA: &str = "numa";
const ASPM: &str = "aspm";

/// Makes all checks of a card.
pub(super) fn findings(
    host: &Host,
    machine: &machine::Findings,
    users: &Users,
    address: PciAddress,
) -> anyhow::Result<Vec<Finding>> {
    let device = match host.sysfs.device(address) {
        Ok(device) => device,
        Err(why @ gannet_bus::Error::NoDevice { .. }) => {
            let mut findings = vec![Finding::missing(CARD, why.to_string(), "nicctl list")];
            findings.extend([GROUP, BINDING, ACCESS, USE, NUMA].map(|check| Finding::not_checked(check, CARD)));
            return Ok(findings);
        }
        Err(why) => return Err(why.into()),
    };
    let card = card(&device);
    let group = after(&[&card, &machine.iommu], GROUP, || group(host, &device))?;
    let mut needs = vec![&card, &machine.iommu, &machine.vfio];
    if device.iommu_group()?.is_none() {
        needs.push(&group);
    }
    let binding = after(&needs, BINDING, || binding(host, &device))?;
    let access = after(&[&binding], ACCESS, || access(host, &device))?;
    let usage = after(&[&binding], USE, || usage(users, &device))?;
    let numa = after(&[&card], NUMA, || numa(host, machine, &device))?;
    let aspm = aspm(host, &device);
    Ok([card, group, binding, access, usage, numa].into_iter().chain(aspm).collect())
}

/// Whether Gannet has a driver for it.
fn card(device: &PciDevice) -> Finding {
    match cards::known(device) {
        Some(known) => {
            let tested = known.tested_on.map_or("not tested yet".into(), |on| format!("tested on {on}"));
            Finding::ok(CARD, format!("{}, Gannet's driver {} ({tested})", known.name, known.driver.name()))
        }
        None => {
            let says = format!("Gannet has no driver for {} (class {:#08x})", cards::id(device), device.class());
            Finding::missing(CARD, says, "take another card: nicctl list")
        }
    }
}

/// Whether its IOMMU group can be given to user space.
fn group(host: &Host, device: &PciDevice) -> anyhow::Result<Finding> {
    let Some(number) = device.iommu_group()? else {
        let remedy = "put the card into another slot; a virtual machine's: behind its own pcie-root-port";
        return Ok(Finding::missing(GROUP, "none: no IOMMU stands before this card", remedy));
    };
    let blockers = group::blockers(host, device)?;
    if blockers.is_empty() {
        return Ok(Finding::ok(GROUP, format!("{number}, nothing else in the way")));
    }
    let names: Vec<String> = blockers.iter().map(Blocker::to_string).collect();
    let says = format!("{number} has others with drivers of the kernel: {}", names.join(", "));
    let remedy: Vec<String> = blockers.iter().map(group::remedy).collect();
    Ok(Finding::missing(GROUP, says, remedy.join("; ")))
}

fn binding(host: &Host, device: &PciDevice) -> anyhow::Result<Finding> {
    let address = device.address();
    let driver = device.driver()?;
    if driver.as_deref() == Some(VFIO_PCI) {
        return Ok(Finding::ok(BINDING, VFIO_PCI));
    }
    let says = driver.map_or_else(|| "it has no driver".into(), |driver| format!("it is with the kernel's {driver}"));
    Ok(match routes::need(host, device)? {
        None => Finding::missing(BINDING, says, format!("sudo nicctl bind {address}")),
        Some(need) => {
            let says = format!("{says}, and the machine's network needs it: {need}");
            let remedy = format!("better another card; if it must be this one: sudo nicctl bind --force {address}");
            Finding::missing(BINDING, says, remedy)
        }
    })
}

/// Whether this user may open the nodes.
fn access(host: &Host, device: &PciDevice) -> anyhow::Result<Finding> {
    let group = device.iommu_group()?.map(|group| format!("/dev/vfio/{group}"));
    let nodes: Vec<String> = group.into_iter().chain(["/dev/vfio/vfio".to_owned()]).collect();
    for node in &nodes {
        let Ok(metadata) = fs::metadata(host.sysfs.path(node)) else {
            let remedy = format!("start udev; a container: docker run --device {}", nodes.join(" --device "));
            return Ok(Finding::missing(ACCESS, format!("{node} is not there"), remedy));
        };
        if !may_open(host, metadata.mode(), metadata.uid(), metadata.gid()) {
            let says = format!("this user may not open {node}");
            return Ok(Finding::missing(ACCESS, says, format!("sudo chown $USER {node}")));
        }
    }
    Ok(Finding::ok(ACCESS, nodes.join(", ")))
}

/// Whether this process may read and write a file of this mode and these owners.
fn may_open(host: &Host, mode: u32, owner: u32, group: u32) -> bool {
    // Real, effective, saved and file-system ids; files are judged by the last.
    let id = |key| host.own_status(key).and_then(|ids| ids.split_whitespace().nth(3)?.parse::<u32>().ok());
    let groups = host.own_status("Groups").unwrap_or_default();
    let mut groups = groups.split_whitespace().filter_map(|id| id.parse().ok()).chain(id("Gid"));
    let bits = match id("Uid") {
        Some(0) => return true,
        Some(user) if user == owner => mode >> 6,
        _ if groups.any(|its| its == group) => mode >> 3,
        _ => mode,
    };
    bits & 0o6 == 0o6
}

fn usage(users: &Users, device: &PciDevice) -> anyhow::Result<Finding> {
    Ok(match users.of(device)?.first() {
        Some(process) => Finding::missing(USE, format!("in use by {process}"), format!("kill {}", process.pid)),
        None if users.some_hidden() => Finding::ok(USE, "no program of yours uses it (root sees those of others)"),
        None => Finding::ok(USE, "no program uses it"),
    })
}

/// Whether cores and memory can be had next to the card.
fn numa(host: &Host, machine: &machine::Findings, device: &PciDevice) -> anyhow::Result<Finding> {
    let nodes = memory::nodes(host);
    let Some(number) = device.numa_node()?.filter(|_| nodes.len() > 1) else {
        return Ok(Finding::ok(NUMA, "one node, or the machine does not tell which"));
    };
    let Some(node) = nodes.iter().find(|node| node.number == Some(number)) else {
        return Ok(Finding::ok(NUMA, format!("node {number}, which has no huge pages of its own")));
    };
    let allowed = parse_list(&host.own_status("Cpus_allowed_list").unwrap_or_default());
    if !node.cores.iter().any(|core| allowed.contains(core)) {
        let says = format!("the card is on node {number}, and this shell may use none of its cores");
        let cores: Vec<String> = node.cores.iter().map(u32::to_string).collect();
        return Ok(Finding::warning(NUMA, says, format!("taskset -pc {} $$", cores.join(","))));
    }
    // Where none are free anywhere, that is the complaint.
    if machine.huge_pages.is_ok() && node.free_mib() < NEEDED_MIB {
        let says = format!("the card is on node {number}, and the free huge pages are not");
        return Ok(Finding::warning(NUMA, says, node.remedy()));
    }
    Ok(Finding::ok(NUMA, format!("node {number}")))
}

/// Whether the link stays awake, for the cards that lose PCIe completions when it does not (82574, errata).
fn aspm(host: &Host, device: &PciDevice) -> Option<Finding> {
    cards::known(device).filter(|known| known.driver == Pmd::E1000e)?;
    let files = ["l0s_aspm", "l1_aspm"].map(|state| format!("/sys/bus/pci/devices/{}/link/{state}", device.address()));
    let shown: Vec<(&String, String)> = files.iter().filter_map(|file| Some((file, host.text(file)?))).collect();
    if shown.is_empty() {
        // A kernel without the control, a link without the states, or a virtual machine.
        let says = "not checked: the kernel does not show whether the link saves power";
        return Some(Finding { verdict: Verdict::NotChecked, ..Finding::ok(ASPM, says) });
    }
    let on: Vec<&str> = shown.iter().filter(|(_, state)| state != "0").map(|(file, _)| file.as_str()).collect();
    if on.is_empty() {
        return Some(Finding::ok(ASPM, "off"));
    }
    let says = "the link saves power, and this card loses completions then: it hangs";
    Some(Finding::warning(ASPM, says, format!("echo 0 | sudo tee {}", on.join(" "))))
}
