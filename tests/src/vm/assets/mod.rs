//! What a virtual machine is made of: QEMU, a kernel with its modules, programs for the guest.
//!
//! All of it comes from the packages of the distribution's own archive, as the host's apt knows it. They are downloaded and unpacked
//! under `target/lab`, nothing is installed, and no privilege is needed. A QEMU that the host already has is used where it
//! models the cards.

mod packages;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use self::packages::Archive;
use super::accelerator::Accelerator;
use super::kernel;
use crate::{missing, workspace};

/// The packages whose programs are in the guest, with what unpacks a kernel.
const PACKAGES: [&str; 10] =
    ["bash", "busybox-static", "dash", "ethtool", "iperf3", "iproute2", "iputils-ping", "tcpdump", "xz-utils", "zstd"];

/// Programs that the host must have. On Debian they cannot be missing.
const HOST_PROGRAMS: [&str; 4] = ["apt-cache", "apt-get", "dpkg-deb", "setpriv"];

/// The package that has QEMU.
const QEMU_PACKAGE: &str = "qemu-system-x86";

/// The first version of QEMU with a model of the 82576 (`igb`).
const OLDEST_QEMU: u32 = 8;

/// Folders of libraries, in Debian's layout before and after /lib became a link to /usr/lib.
const LIBRARIES: [&str; 3] =
    ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio"];

/// The dynamic loader.
pub(super) const LOADER: &str = "ld-linux-x86-64.so.2";

/// Everything that a virtual machine is made of, ready for use.
#[derive(Clone, Debug)]
pub struct Assets {
    folder: PathBuf,
    kernel: String,
    qemu: Qemu,
    versions: Vec<String>,
}

/// Where QEMU is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Qemu {
    /// The host's, found in `PATH`.
    Host,
    /// Unpacked with its libraries.
    Unpacked,
}

impl Assets {
    /// The folder where the lab keeps what it has fetched and its logs.
    pub fn folder() -> PathBuf {
        workspace().join("target/lab")
    }

    /// What has been fetched already, if it is all there.
    pub fn present() -> Option<Assets> {
        let folder = Assets::folder();
        let record: Value = serde_json::from_slice(&fs::read(folder.join("assets.json")).ok()?).ok()?;
        let strings = |name: &str| -> Option<Vec<String>> {
            record[name].as_array()?.iter().map(|value| Some(value.as_str()?.to_owned())).collect()
        };
        let qemu = if record["qemu"] == "host" { Qemu::Host } else { Qemu::Unpacked };
        let current = strings("packages")? == PACKAGES && (qemu == Qemu::Unpacked || host_has_qemu());
        let kernel = record["kernel"].as_str()?.to_owned();
        current.then_some(Assets { folder, kernel, qemu, versions: strings("versions")? })
    }

    /// Why nothing can be fetched on this host, if so.
    pub fn unavailable() -> Option<String> {
        if !cfg!(target_arch = "x86_64") {
            return Some("the lab's virtual machines are x86-64, this host is not".into());
        }
        let missing = missing(&HOST_PROGRAMS)?;
        Some(format!("{missing}: the lab takes its parts from packages, and needs Debian or what is made from it"))
    }

    /// Finds everything, fetching what is missing.
    ///
    /// # Errors
    /// If something cannot be had, with the reason.
    pub fn prepare() -> Result<Assets> {
        let folder = Assets::folder();
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Tests and `tools/lab` may find the folder empty at the same time; one of them fills it.
        let lock = File::create(folder.join("lock")).context("cannot make the lab's lock file")?;
        lock.lock().context("cannot lock the lab's folder")?;
        match Assets::present() {
            Some(assets) => Ok(assets),
            None => fetch(&folder).context("QEMU, a kernel and programs for the lab cannot be had"),
        }
    }

    /// The packages in use, as `name version`.
    pub fn versions(&self) -> &[String] {
        &self.versions
    }

    /// The kernel's version, as in `/lib/modules`.
    pub fn kernel_version(&self) -> &str {
        &self.kernel
    }

    /// What QEMU says of its version.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn qemu_version(&self) -> Result<String> {
        let text = output(self.qemu()?.arg("--version"))?;
        Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
    }

    /// The kernel, as QEMU takes it.
    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }

    /// The folder with the kernel's modules.
    pub(super) fn modules(&self) -> Result<PathBuf> {
        let found = ["usr/lib/modules", "lib/modules"].map(|modules| self.root().join(modules).join(&self.kernel));
        found.into_iter().find(|folder| folder.is_dir()).context("the kernel's package has no modules")
    }

    /// The file of a program or library of the unpacked packages.
    pub(super) fn find(&self, name: &str) -> Result<PathBuf> {
        let folders = ["usr/sbin", "usr/bin", "sbin", "bin"].iter().chain(&LIBRARIES);
        let mut found = folders.map(|folder| self.root().join(folder).join(name)).filter(|path| path.is_file());
        found.next().with_context(|| format!("no package has {name}: remove {} and try again", self.folder.display()))
    }

    /// A command that runs a program of the unpacked packages on the host, with their own libraries.
    pub(super) fn command(&self, program: &Path) -> Result<Command> {
        let mut command = self.loader()?;
        command.arg(program);
        Ok(command)
    }

    /// The libraries that a program of the unpacked packages needs, the loader among them.
    pub(super) fn libraries(&self, program: &Path) -> Result<Vec<PathBuf>> {
        let text = String::from_utf8(output(self.loader()?.arg("--list").arg(program))?)?;
        // name => path (address)
        let paths = text.lines().filter_map(|line| Some(PathBuf::from(line.split_once("=> ")?.1.split(' ').next()?)));
        Ok(paths.filter(|path| path.is_file()).chain([self.find(LOADER)?]).collect())
    }

    /// The dynamic loader of the unpacked C library, told where the libraries are.
    fn loader(&self) -> Result<Command> {
        let mut command = Command::new(self.find(LOADER)?);
        let libraries: Vec<PathBuf> = LIBRARIES.iter().map(|folder| self.root().join(folder)).collect();
        command.arg("--library-path").arg(std::env::join_paths(libraries)?);
        Ok(command)
    }

    /// QEMU, ready for arguments. It is killed when the thread that starts it ends.
    pub(super) fn qemu(&self) -> Result<Command> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if self.qemu == Qemu::Host {
            command.arg("qemu-system-x86_64");
            return Ok(command);
        }
        let qemu = self.command(&self.find("qemu-system-x86_64")?)?;
        command.arg(qemu.get_program()).args(qemu.get_args());
        for firmware in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.root().join(firmware));
        }
        command.env("QEMU_MODULE_DIR", self.root().join("usr/lib/x86_64-linux-gnu/qemu"));
        Ok(command)
    }

    /// The accelerator to use, and why.
    ///
    /// # Errors
    /// If QEMU cannot be started.
    pub fn accelerator(&self) -> Result<Accelerator> {
        Accelerator::choose(self, &self.folder.join("accelerator.json"))
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

/// Whether the host has a QEMU with models of both cards.
fn host_has_qemu() -> bool {
    let output = Command::new("qemu-system-x86_64").args(["-device", "help"]).output();
    output.is_ok_and(|output| {
        let models = String::from_utf8_lossy(&output.stdout);
        ["e1000e", "igb"].iter().all(|model| models.contains(&format!("name \"{model}\"")))
    })
}

/// Fetches and unpacks everything, and leaves a record when it is complete.
fn fetch(folder: &Path) -> Result<Assets> {
    if let Some(reason) = Assets::unavailable() {
        bail!("{reason}");
    }
    let qemu = if host_has_qemu() { Qemu::Host } else { Qemu::Unpacked };
    eprintln!("fetching packages for the lab (about 110 MB, once)");
    let mut archive = Archive::open(&folder.join("apt"))?;
    let mut wanted = PACKAGES.to_vec();
    if qemu == Qemu::Unpacked {
        wanted.push(QEMU_PACKAGE);
        archive.require(QEMU_PACKAGE, OLDEST_QEMU)?;
    }
    let kernel_package = archive.dependency("linux-image-amd64", "linux-image-")?;
    let kernel = kernel_package.replacen("linux-image-", "", 1);
    archive.download(&wanted, &kernel_package)?;

    let root = folder.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot clear {}", root.display()))?;
    }
    let versions = archive.unpack(&root)?;
    let assets = Assets { folder: folder.to_owned(), kernel, qemu, versions };
    kernel::unpack(&assets, &root.join(format!("boot/vmlinuz-{}", assets.kernel)))?;
    let record = json!({
        "packages": PACKAGES,
        "qemu": if assets.qemu == Qemu::Host { "host" } else { "unpacked" },
        "kernel": assets.kernel,
        "versions": assets.versions,
    });
    // Last: a fetch that was interrupted leaves no record, and starts again.
    fs::write(folder.join("assets.json"), format!("{record:#}\n")).context("cannot record what was fetched")?;
    Ok(assets)
}

/// Runs a command to its end. Returns what it printed.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} cannot be started: is it installed?"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{program} ended with {}:\n{}", output.status, errors.trim_end());
    }
    Ok(output.stdout)
}
