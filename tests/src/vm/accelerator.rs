//! How the guest's instructions are run: by the processor where that works, else emulated.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::assets::Assets;

/// Longest wait for the kernel of the probe. With KVM it takes one or two.
const PROBE_LIMIT: Duration = Duration::from_secs(6);

/// How the guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By the processor: the host's KVM.
    Kvm,
    /// By QEMU's translator. Slower by an order of magnitude, and works anywhere.
    Tcg,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Accelerator::Kvm => "KVM",
            Accelerator::Tcg => "TCG (emulation)",
        })
    }
}

impl Accelerator {
    /// KVM where a kernel was seen to start with it. The answer is kept until the host starts anew.
    pub(super) fn choose(assets: &Assets, cache: &Path) -> Result<Accelerator> {
        if File::options().read(true).write(true).open("/dev/kvm").is_err() {
            return Ok(Accelerator::Tcg);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("the host has no boot id")?;
        let boot = boot.trim();
        let known = fs::read(cache).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if let Some(known) = known.filter(|known| known["boot"] == boot) {
            return Ok(if known["kvm"] == true { Accelerator::Kvm } else { Accelerator::Tcg });
        }
        let works = kvm_works(assets)?;
        fs::write(cache, format!("{:#}\n", json!({ "boot": boot, "kvm": works }))).context("cannot keep the answer")?;
        Ok(if works { Accelerator::Kvm } else { Accelerator::Tcg })
    }

    /// QEMU's arguments.
    pub(super) fn arguments(self) -> [&'static str; 4] {
        match self {
            Accelerator::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Accelerator::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

/// Whether a kernel starts under KVM. /dev/kvm alone does not tell: where the host is a virtual machine itself, KVM may take a guest
/// and never run it.
fn kvm_works(assets: &Assets) -> Result<bool> {
    let mut command = assets.qemu()?;
    command.args(Accelerator::Kvm.arguments()).args([
        "-machine",
        "q35",
        "-m",
        "512",
        "-nodefaults",
        "-display",
        "none",
    ]);
    // Without a root the kernel comes as far as looking for one, and `panic=-1` with `-no-reboot` ends QEMU.
    command.args(["-no-reboot", "-serial", "stdio", "-append", "console=ttyS0 panic=-1", "-kernel"]);
    command.arg(assets.kernel());
    let log = tempfile::NamedTempFile::new().context("no temporary file")?;
    command.stdin(Stdio::null()).stdout(log.reopen()?).stderr(Stdio::null());
    let mut probe = Probe::start(&mut command)?;
    let start = Instant::now();
    while start.elapsed() < PROBE_LIMIT && probe.0.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(50));
    }
    drop(probe);
    Ok(String::from_utf8_lossy(&fs::read(log.path())?).contains("Unable to mount root"))
}

/// A QEMU that does not outlive its probe.
struct Probe(Child);

impl Probe {
    fn start(command: &mut Command) -> Result<Probe> {
        command.spawn().map(Probe).context("QEMU cannot be started")
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
