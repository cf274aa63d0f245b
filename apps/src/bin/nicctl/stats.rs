//! `stats`: what a card has counted, as far as one can tell without taking it away from who counts.
//!
//! The counters of a card clear when they are read. The kernel's drivers keep sums, which are shown. A program's sums are in its
//! report, and reading the registers here would take from them.

use std::collections::BTreeMap;

use gannet_bus::sysfs::PciAddress;
use gannet_bus::vfio::Users;
use serde::Serialize;

use crate::answer::Answer;
use crate::driver_switch::VFIO_PCI;
use crate::host::Host;
use crate::process::Process;
use crate::table;

/// A network interface and its counters.
#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    counters: BTreeMap<String, u64>,
}

/// Shows the counters of a card.
///
/// # Errors
/// There is no such card; its files cannot be read.
pub(crate) fn run(host: &Host, address: PciAddress) -> anyhow::Result<Answer> {
    let device = host.sysfs.device(address)?;
    let driver = device.driver()?;
    let users = Users::find(&host.sysfs);
    let processes = Process::all_of(&users, &device)?;
    let names = device.interfaces()?;
    let interfaces: Vec<Interface> = names.into_iter().map(|name| counters(host, name)).collect();
    let table = if !interfaces.is_empty() {
        interfaces.iter().map(show).collect()
    } else if let Some(process) = processes.first() {
        let Process { pid, name } = process;
        format!(
            "{address} is in use by {process}: its counters are in the report of that program.\n\
             They clear when they are read, so reading them here would take them from {name}; its registers: nicctl regs {address}\n\
             To end it and have its report: kill -INT {pid}\n"
        )
    } else {
        let who = match driver.as_deref() {
            Some(VFIO_PCI) if users.some_hidden() => "no program of yours uses it (root sees those of others)",
            Some(VFIO_PCI) => "no program uses it",
            Some(_) => "its kernel driver has made no network interface of it",
            None => "it has no driver",
        };
        format!("{address} counts nothing: {who}\n")
    };
    let json = serde_json::json!({
        "address": address.to_string(),
        "kernel_driver": driver,
        "interfaces": interfaces,
        "processes": processes,
    });
    Ok(Answer::fine(table, json))
}

fn counters(host: &Host, name: String) -> Interface {
    let folder = format!("/sys/class/net/{name}/statistics");
    let names = host.names(&folder).into_iter();
    let counters = names.filter_map(|counter| {
        let value = host.text(format!("{folder}/{counter}"))?.parse().ok()?;
        Some((counter, value))
    });
    Interface { counters: counters.collect(), name }
}

fn show(interface: &Interface) -> String {
    let counted = interface.counters.iter().filter(|(_, value)| **value != 0);
    let rows: Vec<[String; 2]> = counted.map(|(name, value)| [name.clone(), value.to_string()]).collect();
    match rows.as_slice() {
        [] => format!("{} has counted nothing yet\n", interface.name),
        rows => table::columns([&interface.name, ""], rows),
    }
}
