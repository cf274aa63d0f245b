//! The drivers themselves, without a program around them: `card-trials` in the guest, on ports 2 and 3 and the cable between them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gannet_tests::vm::Vm;
use gannet_tests::vm::guest::Output;
use gannet_tests::vm::machine::PORTS;

/// Longest time that a trial may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Trials with these names have the IOMMU refuse what the card wants.
const REFUSED: &str = "a_stray_";

/// The ports, as programs are told them.
fn ports() -> [String; 2] {
    [PORTS[2], PORTS[3]].map(|port| format!("pci:{port}"))
}

/// The trials' names, as the program tells them on the host.
pub(crate) fn names() -> Result<Vec<String>> {
    let list = Command::new(env!("CARGO_BIN_EXE_card-trials")).args(ports()).arg("--list").output();
    let list = list.context("card-trials cannot be started")?;
    let text = String::from_utf8_lossy(&list.stdout);
    let names: Vec<String> = text.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect();
    ensure!(list.status.success() && !names.is_empty(), "card-trials has no trials:\n{text}");
    Ok(names)
}

/// Runs one of them in the guest.
pub(crate) fn run(name: &str, vm: &mut Vm) -> Result<()> {
    vm.guest.expect_ok("dmesg -c >/dev/null")?;
    let [first, second] = ports();
    let command = format!("/card-trials {first} {second} --exact {name} 2>&1");
    let Output { status, text } = vm.guest.run_within(&command, LIMIT)?;
    ensure!(status == 0 && text.contains("1 passed"), "status {status}:\n{text}");
    let refused = vm.guest.dmesg()?.contains("DMAR: [DMA ");
    ensure!(refused == name.starts_with(REFUSED), "the kernel has {}refused DMA", if refused { "" } else { "not " });
    Ok(())
}
