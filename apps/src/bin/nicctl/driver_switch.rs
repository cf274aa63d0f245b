//! Moving a device between the kernel's drivers, by writing to the kernel's files.
//!
//! The kernel works while it is written to, and some drivers take seconds to let go, or never do while somebody has the device. All waits here
//! are bounded: another process writes, and is left behind. (A thread would not do: a process whose thread is in the kernel's hands cannot
//! end, nor give up its locks.)

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use gannet_bus::sysfs::PciDevice;

use crate::host::{Host, refused};

/// The driver through which user space has a card.
pub(crate) const VFIO_PCI: &str = "vfio-pci";

/// The command of this program that writes: [`kernel_write`].
pub(crate) const KERNEL_WRITE: &str = "kernel-write";

/// Longest wait for the kernel. Letting go of a card with many queues takes it about a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for a driver that nobody has promised.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Error number of Linux for a write that ended otherwise.
const EIO: i32 = 5;
/// How often to look whether it has finished.
const TICK: Duration = Duration::from_millis(5);

/// Where drivers of PCI devices are.
pub(crate) fn folder(driver: &str) -> String {
    format!("/sys/bus/pci/drivers/{driver}")
}

/// Moves `device` from its driver to vfio-pci. If vfio-pci refuses it, it goes back.
///
/// # Errors
/// Not root; the kernel refuses, or takes too long.
pub(crate) fn to_vfio(host: &Host, device: &PciDevice) -> anyhow::Result<()> {
    let before = device.driver()?;
    // First, while nothing has happened yet: whoever may not write this may do none of the rest.
    set_override(host, device, VFIO_PCI)?;
    let moved = release(host, device).and_then(|()| attach(host, device, VFIO_PCI));
    moved.map_err(|why| match give_back(host, device, before.as_deref()) {
        Ok(()) => why.context("it is left where it was"),
        Err(also) => why.context(format!("it has lost its driver ({also:#})")),
    })
}

/// After a failed move: leaves `device` as it was before.
fn give_back(host: &Host, device: &PciDevice, before: Option<&str>) -> anyhow::Result<()> {
    set_override(host, device, "")?;
    match before {
        Some(driver) if device.driver()?.is_none() => attach(host, device, driver),
        _ => Ok(()),
    }
}

/// Takes `device` from its driver, if it has one, and leaves it without.
///
/// # Errors
/// As [`to_vfio`].
pub(crate) fn to_nobody(host: &Host, device: &PciDevice) -> anyhow::Result<()> {
    set_override(host, device, "")?;
    release(host, device)
}

/// Gives `device` to the kernel's `driver`; to whichever wants it, if that is not known. There may be none.
///
/// # Errors
/// As [`to_vfio`].
pub(crate) fn to_kernel(host: &Host, device: &PciDevice, driver: Option<&str>) -> anyhow::Result<()> {
    to_nobody(host, device)?;
    if let Some(driver) = driver {
        return attach(host, device, driver);
    }
    write(host, "/sys/bus/pci/drivers_probe".into(), &device.address().to_string())?;
    let end = Instant::now() + PROBE_PATIENCE;
    while device.driver()?.is_none() && Instant::now() < end {
        thread::sleep(TICK);
    }
    Ok(())
}

/// Lets only the driver of this name take the device; "" lets all.
fn set_override(host: &Host, device: &PciDevice, driver: &str) -> anyhow::Result<()> {
    let file = format!("/sys/bus/pci/devices/{}/driver_override", device.address());
    write(host, file, &format!("{driver}\n"))
}

fn release(host: &Host, device: &PciDevice) -> anyhow::Result<()> {
    let Some(driver) = device.driver()? else { return Ok(()) };
    write(host, folder(&driver) + "/unbind", &device.address().to_string())?;
    wait(device, &format!("for {driver} to let go"), |driver| driver.is_none())
}

fn attach(host: &Host, device: &PciDevice, driver: &str) -> anyhow::Result<()> {
    let asked = write(host, folder(driver) + "/bind", &device.address().to_string());
    asked.with_context(|| format!("{driver} refuses it; `dmesg | tail` may say why"))?;
    wait(device, &format!("for {driver} to take it"), |now| now == Some(driver))
}

/// Writes to a file of the kernel, through a process of its own.
fn write(host: &Host, file: String, text: &str) -> anyhow::Result<()> {
    let mut command = Command::new(env::current_exe().context("finding this program")?);
    command.arg(KERNEL_WRITE).arg(host.sysfs.path(&file)).arg(text);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut writer = command.spawn().with_context(|| format!("starting a process that writes to {file}"))?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let Some(status) = writer.try_wait()? else {
            thread::sleep(TICK);
            continue;
        };
        return match status.code() {
            Some(0) => Ok(()),
            Some(number) => Err(refused(file, &io::Error::from_raw_os_error(number))),
            None => bail!("{file}: the process that writes to it has ended ({status})"),
        };
    }
    // It ends when the kernel has done with it, be that never.
    let _ = writer.kill();
    Err(too_late(&format!("to take what is written to {file}")))
}

/// Writes `text` to `file`, for as long as that takes. The exit status is the number of the error, 0 if there is none.
pub(crate) fn kernel_write(file: &Path, text: &str) -> ExitCode {
    let opened = File::options().write(true).truncate(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    let number = written.map_or_else(|why| why.raw_os_error().unwrap_or(EIO), |()| 0);
    ExitCode::from(u8::try_from(number).unwrap_or(EIO as u8))
}

/// Waits until the device's driver is what it shall be.
fn wait(device: &PciDevice, what: &str, is_so: impl Fn(Option<&str>) -> bool) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_so(device.driver()?.as_deref()) {
        if Instant::now() > end {
            bail!(too_late(what));
        }
        thread::sleep(TICK);
    }
    Ok(())
}

fn too_late(what: &str) -> anyhow::Error {
    anyhow!("waited {} s {what}: does somebody use the card? `dmesg | tail` may say why", PATIENCE.as_secs())
}
