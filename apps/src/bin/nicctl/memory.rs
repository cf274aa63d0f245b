//! Huge pages and NUMA nodes.

use crate::host::Host;

/// Memory that the programs' default pools and rings take, with room to spare, MiB.
pub(crate) const NEEDED_MIB: u64 = 64;

/// Huge pages that the remedy asks for, so that larger pools fit too.
const ADVISED: u64 = 256;

/// A NUMA node, or the whole machine where the kernel knows no nodes.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) number: Option<u32>,
    /// Its cores.
    pub(crate) cores: Vec<u32>,
    /// Where the kernel has the counts of its 2 MiB pages.
    folder: String,
    total: u64,
    free: u64,
    free_1g: u64,
}

impl Node {
    /// Memory in free 2 MiB pages, which pools lie on if there are any, MiB.
    pub(crate) fn free_mib(&self) -> u64 {
        self.free * 2
    }

    /// Its pages in words.
    pub(crate) fn describe(&self) -> String {
        let node = self.number.map(|number| format!("node {number}: ")).unwrap_or_default();
        let large = if self.free_1g > 0 { format!(", {} of 1 GiB free", self.free_1g) } else { String::new() };
        format!("{node}{} of {} 2 MiB pages free{large}", self.free, self.total)
    }

    /// The command that gives it enough of them.
    pub(crate) fn remedy(&self) -> String {
        let total = self.total + ADVISED.saturating_sub(self.free);
        format!("echo {total} | sudo tee {}/nr_hugepages", self.folder)
    }
}

/// All nodes; empty if the kernel has no 2 MiB pages.
pub(crate) fn nodes(host: &Host) -> Vec<Node> {
    let numbers = host.names("/sys/devices/system/node");
    let mut numbers: Vec<u32> = numbers.iter().filter_map(|name| name.strip_prefix("node")?.parse().ok()).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return node(host, None, "/sys/kernel/mm/hugepages").into_iter().collect();
    }
    let of = |number: u32| node(host, Some(number), &format!("/sys/devices/system/node/node{number}/hugepages"));
    numbers.into_iter().filter_map(of).collect()
}

fn node(host: &Host, number: Option<u32>, pages: &str) -> Option<Node> {
    let count = |file: String| host.text(file)?.parse::<u64>().ok();
    let folder = format!("{pages}/hugepages-2048kB");
    let cores = number.and_then(|number| host.text(format!("/sys/devices/system/node/node{number}/cpulist")));
    Some(Node {
        number,
        cores: parse_list(&cores.unwrap_or_default()),
        total: count(format!("{folder}/nr_hugepages"))?,
        free: count(format!("{folder}/free_hugepages"))?,
        free_1g: count(format!("{pages}/hugepages-1048576kB/free_hugepages")).unwrap_or(0),
        folder,
    })
}

/// The numbers of a list as the kernel writes it: "0,4-7". What is none is left out.
pub(crate) fn parse_list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse::<u32>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}
