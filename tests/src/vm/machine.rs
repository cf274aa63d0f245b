//! A virtual machine with six network cards, and how it is started.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use clap::ValueEnum;
use tempfile::TempDir;

use super::assets::Assets;
use super::guest::{Guest, Hung};
use super::image::{self, Settings};
use super::qmp::Qmp;

/// Longest wait for a guest to serve commands. Emulated on a busy host it takes half a minute.
const BOOT_PATIENCE: Duration = Duration::from_secs(120);

/// Longest wait for QEMU to open its sockets.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Files of earlier machines to keep, two a machine.
const LOGS: usize = 60;

/// How the kernel is to start. On the console only what is serious, since an emulated serial port takes its time (`dmesg` has
/// everything); without what costs an emulated machine seconds and tests nothing here: hardening against other users of the
/// processor, zeroing of memory, self-tests of cryptography. A guest that panics ends.
///
/// With a periodic tick, which asks less of the emulated interrupt controllers than single timers do; without the test whether the
/// first timer interrupts come in time, since on a busy host they do not, and the kernel gives up.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 loglevel=5 panic=-1 intel_iommu=on mitigations=off init_on_alloc=0 cryptomgr.notests \
     nohz=off highres=off no_timer_check";

/// Huge pages of 2 MiB in the guest.
const HUGE_PAGES: u32 = 200;

/// The card that the ports are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Card {
    /// The 82574.
    E1000e,
    /// The 82576.
    Igb,
}

impl Card {
    /// QEMU's name for its model, and Linux's for its driver.
    pub fn model(self) -> &'static str {
        match self {
            Card::E1000e => "e1000e",
            Card::Igb => "igb",
        }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model())
    }
}

/// Whether the machine has an IOMMU. Without it vfio-pci takes no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Iommu {
    /// Intel's, with interrupt remapping.
    On,
    /// None.
    Off,
}

/// The PCI addresses of the ports, bound to vfio-pci. Each is behind a PCIe root port of its own.
pub const PORTS: [&str; 4] = ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0"];

/// The PCI address of the kernel's card in namespace `a`, which is cabled to port 0.
pub const KERNEL_A: &str = "0000:05:00.0";

/// The PCI address of the kernel's card in namespace `b`, which is cabled to port 1.
pub const KERNEL_B: &str = "0000:06:00.0";

/// A card on the command line: QEMU's id, its cable. Its place gives bus and MAC address.
const CARDS: [(&str, u32); 6] = [("port0", 0), ("port1", 1), ("port2", 2), ("port3", 2), ("a", 0), ("b", 1)];

/// The MAC address of a card by its place: ports 0 to 3, then those of namespaces `a` and `b`.
pub fn mac(place: usize) -> String {
    format!("52:54:00:00:00:{:02x}", place + 1)
}

/// A machine to be booted. `docs/lab.md` has its cables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The ports' card.
    pub card: Card,
    /// Whether there is an IOMMU.
    pub iommu: Iommu,
    /// Files of the host that the guest has in its top folder, executable. Programs among them are linked statically.
    pub files: Vec<PathBuf>,
}

/// What the guest's console is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Console {
    /// The kernel's messages, kept in a file. Commands come over the channel.
    Log,
    /// A shell on the terminal.
    Terminal,
}

impl Machine {
    /// A machine with an IOMMU and no files.
    pub fn new(card: Card) -> Machine {
        Machine { card, iommu: Iommu::On, files: Vec::new() }
    }

    /// Boots it, and waits until it serves commands. Tries twice, since the machine itself may fail ([`Vm::has_failed`]).
    ///
    /// # Errors
    /// If something it is made of cannot be had, or the guest does not come up: with the end of its console.
    pub fn boot(&self) -> Result<Vm> {
        let assets = Assets::prepare()?;
        self.try_boot(&assets).or_else(|why| {
            eprintln!("lab: once more, since {why:#}");
            self.try_boot(&assets)
        })
    }

    fn try_boot(&self, assets: &Assets) -> Result<Vm> {
        let (folder, mut command) = self.command(assets, Console::Log)?;
        let log = log_file()?;
        let errors = File::create(log.with_extension("qemu"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        command.arg("-chardev").arg(format!("file,id=console,path={}", log.display()));
        for name in ["channel", "killer", "qmp"] {
            let path = folder.path().join(name);
            command.args(["-chardev", &format!("socket,id={name},path={},server=on,wait=off", path.display())]);
        }
        command.args([
            "-device",
            "virtio-serial-pci,max_ports=3,bus=pcie.0,addr=0x8",
            "-mon",
            "chardev=qmp,mode=control",
        ]);
        for (number, name) in [(1, "channel"), (2, "killer")] {
            command.args(["-device", &format!("virtserialport,nr={number},chardev={name},name={name}")]);
        }
        let mut process = Process::start(command)?;
        let connected = connect(&mut process, folder.path());
        // QEMU has read and opened what is in the folder, which goes away here: nobody else could remove it if this program
        // were killed later.
        drop(folder);
        let (guest, qmp) = connected.with_context(|| told(&log)).context("the virtual machine does not come up")?;
        Ok(Vm { guest, qmp, _process: process, log })
    }

    /// Boots it with a shell on the terminal, and waits until that ends.
    ///
    /// # Errors
    /// If something it is made of cannot be had.
    pub fn interact(&self) -> Result<()> {
        let assets = Assets::prepare()?;
        let (_folder, mut command) = self.command(&assets, Console::Terminal)?;
        command.args(["-chardev", "stdio,id=console,signal=off"]);
        let status = Process::start(command)?.child.wait()?;
        if !status.success() {
            bail!("QEMU ended with {status}");
        }
        Ok(())
    }

    /// QEMU with all but its connections to the outside, and the folder of what only this machine needs.
    fn command(&self, assets: &Assets, console: Console) -> Result<(TempDir, Command)> {
        // Paths of sockets may have 107 bytes, so they are not below the workspace.
        let folder =
            tempfile::Builder::new().prefix("gannet-lab").tempdir().context("no folder for the machine's files")?;
        let image = folder.path().join("image");
        fs::write(&image, image::pack(assets, &self.settings(console), &self.files)?)
            .context("cannot write the guest's root")?;

        let mut command = assets.qemu()?;
        command.args(["-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-smp", "2", "-m", "1536"]);
        command.args(["-machine", "q35,kernel-irqchip=split"]).args(assets.accelerator()?.arguments());
        command.arg("-kernel").arg(assets.kernel()).arg("-initrd").arg(&image);
        command.arg("-append").arg(format!("{KERNEL_ARGUMENTS} hugepages={HUGE_PAGES}"));
        if self.iommu == Iommu::On {
            // Before the cards, which are then behind it.
            command.args(["-device", "intel-iommu,intremap=on"]);
        }
        self.cards(&mut command);
        command.args(["-serial", "chardev:console"]);
        Ok((folder, command))
    }

    /// Cards, each behind a root port of its own, and their cables.
    fn cards(&self, command: &mut Command) {
        for (place, (name, hub)) in CARDS.into_iter().enumerate() {
            let (slot, mac) = (place + 1, mac(place));
            let model = if name.starts_with("port") { self.card } else { Card::E1000e }.model();
            // Slot by slot, so that the firmware numbers the buses in this order.
            let root_port =
                format!("pcie-root-port,id=slot{slot},bus=pcie.0,addr={:#x},chassis={slot},slot={slot}", 0x10 + slot);
            command.args(["-device", &root_port]);
            command.args(["-netdev", &format!("hubport,id=cable-{name},hubid={hub}")]);
            // No boot ROM: nobody boots from these.
            let card = format!("{model},id={name},bus=slot{slot},netdev=cable-{name},mac={mac},romfile=");
            command.args(["-device", &card]);
        }
    }

    fn settings(&self, console: Console) -> Settings {
        let mode = if console == Console::Log { "serve" } else { "shell" };
        let iommu = if self.iommu == Iommu::On { "on" } else { "off" };
        let ports = PORTS.join(" ");
        Settings(format!("mode={mode}\niommu={iommu}\nports='{ports}'\nkernel_a={KERNEL_A}\nkernel_b={KERNEL_B}\n"))
    }
}

/// A running machine. It ends when this is dropped, or the program ends in whatever way.
#[derive(Debug)]
pub struct Vm {
    /// Commands in the guest.
    pub guest: Guest,
    /// QEMU's monitor.
    pub qmp: Qmp,
    _process: Process,
    log: PathBuf,
}

impl Vm {
    /// The guest's console so far: serious messages of its kernel, such as refused DMA.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn console(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Whether it is this machine that failed, and not what ran on it. Now and then an interrupt of an emulated processor never
    /// ends: it stays in service, and the processor gets no timer's and no card's any more. The guest's kernel says so after a
    /// while, unless it has hung.
    pub fn has_failed(&self, why: &Error) -> bool {
        let signs = ["Possible timer handling issue", "timer wakeup didn't happen"];
        why.is::<Hung>() || self.console().is_ok_and(|text| signs.iter().any(|sign| text.contains(sign)))
    }
}

/// QEMU, which ends with this value or this program.
#[derive(Debug)]
struct Process {
    child: Child,
    /// Lets go of the thread that started QEMU, when it is dropped.
    _keeper: Sender<()>,
}

impl Process {
    /// Starts QEMU. The kernel kills it when the thread that started it ends; so that thread lives as long as this value, or as
    /// the program.
    fn start(mut command: Command) -> Result<Process> {
        let (started, child) = mpsc::channel();
        let (keeper, dropped) = mpsc::channel::<()>();
        thread::spawn(move || {
            if started.send(command.spawn()).is_ok() {
                // Ends with an error when the other half is dropped, which is what it waits for.
                let _ = dropped.recv();
            }
        });
        let child = child.recv().context("the thread that starts QEMU has ended")?;
        let child = child.context("setpriv (package util-linux) cannot be started")?;
        Ok(Process { child, _keeper: keeper })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects to QEMU's sockets and waits for the guest.
fn connect(process: &mut Process, folder: &Path) -> Result<(Guest, Qmp)> {
    let start = Instant::now();
    let mut open = |name: &str| loop {
        match UnixStream::connect(folder.join(name)) {
            Ok(stream) => return Ok(stream),
            Err(why) if start.elapsed() > START_PATIENCE => return Err(why).context("QEMU does not open its sockets"),
            Err(_) => {}
        }
        if let Some(status) = process.child.try_wait()? {
            bail!("QEMU has ended at once with {status}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let (qmp, channel, killer) = (open("qmp")?, open("channel")?, open("killer")?);
    let qmp = Qmp::connect(qmp)?;
    Ok((Guest::connect(channel, killer, BOOT_PATIENCE)?, qmp))
}

/// A file for the console of one more machine. Old ones are removed.
fn log_file() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = Assets::folder().join("logs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let age = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    logs.sort_by_key(age);
    for old in &logs[..logs.len().saturating_sub(LOGS)] {
        // Another program may remove it at the same time.
        let _ = fs::remove_file(old);
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(folder.join(format!("{}-{number}.console", std::process::id())))
}

/// What QEMU and the guest's console said last.
fn told(log: &Path) -> String {
    let errors = fs::read(log.with_extension("qemu")).unwrap_or_default();
    let console = fs::read(log).unwrap_or_default();
    let text = format!("{}{}", String::from_utf8_lossy(&errors), String::from_utf8_lossy(&console));
    let lines: Vec<&str> = text.lines().collect();
    format!("console, see {}:\n{}", log.display(), lines[lines.len().saturating_sub(20)..].join("\n"))
}
