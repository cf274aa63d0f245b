//! Machines that are folders of files, and a kernel for them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::CARD;

/// A machine's `/sys`, `/proc`, `/dev` and `/run`.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

/// Ethernet controllers.
pub(crate) const ETHERNET: &str = "0x020000";

/// The head of the kernel's table of IPv4 routes.
const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";

impl Machine {
    /// One without anything.
    pub(crate) fn empty() -> Machine {
        Machine { root: tempfile::tempdir().expect("a folder") }
    }

    /// One on which everything is as it should be: two NUMA nodes of two cores, an 82599 bound to vfio-pci in group 7 on node 0.
    pub(crate) fn ready() -> Machine {
        let machine = Machine::empty();
        machine.folder("/sys/class/iommu/dmar0");
        for (path, text) in [
            ("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 intel_iommu=on isolcpus=2-3 nohz_full=2-3"),
            ("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx"),
            (
                "/proc/interrupts",
                "            CPU0       CPU1\n 24:          7          0  IR-PCI-MSI-0000:00:1d.0  0-edge",
            ),
            ("/proc/sys/kernel/osrelease", "6.12.0-1-amd64"),
            (
                "/lib/modules/6.12.0-1-amd64/modules.dep",
                "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz",
            ),
            (
                "/proc/self/limits",
                "Limit  Soft Limit  Hard Limit  Units\nMax locked memory         unlimited            unlimited            bytes",
            ),
            (
                "/proc/self/status",
                concat!(
                    "Name:\tnicctl\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n",
                    "Groups:\t27 1000\nCapEff:\t0000000000000000\nCpus_allowed_list:\t0-3",
                ),
            ),
            ("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N"),
            ("/sys/devices/system/cpu/online", "0-3"),
            ("/proc/net/route", ROUTES),
            ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
            ("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance"),
            ("/dev/vfio/vfio", ""),
            ("/dev/vfio/7", ""),
        ] {
            machine.write(path, text);
        }
        for node in ["/dev/vfio/vfio", "/dev/vfio/7"] {
            machine.mode(node, 0o666);
        }
        for (node, cores) in [(0, "0-1"), (1, "2-3")] {
            machine.write(&format!("/sys/devices/system/node/node{node}/cpulist"), cores);
            machine.huge_pages(node, 256, 200);
        }
        machine.folder("/sys/bus/pci/drivers/vfio-pci");
        machine.device(CARD, "0x10fb", ETHERNET).driver(CARD, Some("vfio-pci")).group(CARD, 7);
        machine
    }

    /// The same, but the card is with the kernel's ixgbe and has interface eth7.
    pub(crate) fn with_kernel_card() -> Machine {
        let machine = Machine::ready();
        machine.driver(CARD, Some("ixgbe")).interface(CARD, "eth7");
        machine
    }

    /// Where it lies.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.folder(Path::new(path).parent().and_then(Path::to_str).expect("a folder"));
        fs::write(self.path(path), format!("{text}\n")).expect("a file");
    }

    pub(crate) fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).expect("a folder");
    }

    /// Takes away a file or a folder.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }

    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path}: no {from:?} in {text}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let text = fs::read_to_string(self.path(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
        text.trim_end().to_owned()
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("our own file");
    }

    pub(crate) fn huge_pages(&self, node: u32, total: u32, free: u32) {
        let folder = format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB");
        self.write(&format!("{folder}/nr_hugepages"), &total.to_string());
        self.write(&format!("{folder}/free_hugepages"), &free.to_string());
    }

    /// A device of Intel's, on NUMA node 0.
    pub(crate) fn device(&self, address: &str, device: &str, class: &str) -> &Machine {
        for (name, text) in [
            ("vendor", "0x8086"),
            ("device", device),
            ("class", class),
            ("numa_node", "0"),
            ("driver_override", "(null)"),
            ("sriov_numvfs", "0"),
        ] {
            self.write(&format!("/sys/bus/pci/devices/{address}/{name}"), text);
        }
        self
    }

    pub(crate) fn driver(&self, address: &str, driver: Option<&str>) -> &Machine {
        set_driver(&self.path("/sys/bus/pci/devices").join(address), driver);
        if let Some(driver) = driver {
            self.folder(&format!("/sys/bus/pci/drivers/{driver}"));
        }
        self
    }

    pub(crate) fn group(&self, address: &str, group: u32) -> &Machine {
        let link = self.path("/sys/bus/pci/devices").join(address).join("iommu_group");
        symlink(format!("../../../../kernel/iommu_groups/{group}"), link).expect("a link");
        self.folder(&format!("/sys/kernel/iommu_groups/{group}/devices/{address}"));
        self
    }

    /// An interface of the kernel with a link of 10 Gb/s.
    pub(crate) fn interface(&self, address: &str, name: &str) -> &Machine {
        self.folder(&format!("/sys/bus/pci/devices/{address}/net/{name}"));
        for (file, text) in [("carrier", "1"), ("speed", "10000")] {
            self.write(&format!("/sys/class/net/{name}/{file}"), text);
        }
        self
    }

    /// A program that has a node open.
    pub(crate) fn process(&self, pid: u32, name: &str, node: &str) {
        self.write(&format!("/proc/{pid}/comm"), name);
        self.folder(&format!("/proc/{pid}/fd"));
        symlink(node, self.path(&format!("/proc/{pid}/fd/5"))).expect("a link");
    }

    /// An IPv4 default route, and the one to the network of its gateway.
    pub(crate) fn default_route(&self, interface: &str) {
        self.route(interface);
        let routes = self.read("/proc/net/route");
        self.write(
            "/proc/net/route",
            &format!("{routes}\n{interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"),
        );
    }

    /// An IPv4 route to 192.0.2.0/24, the only one.
    pub(crate) fn route(&self, interface: &str) {
        let local = format!("{interface}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0");
        self.write("/proc/net/route", &format!("{ROUTES}\n{local}"));
    }

    /// Starts a kernel that moves devices between these drivers. ixgbe takes a device by itself (`drivers_probe`).
    pub(crate) fn kernel(&self, drivers: &[&str]) {
        drivers.iter().for_each(|driver| self.kernel_driver(driver));
        let devices = self.path("/sys/bus/pci/devices");
        on_write(&self.path("/sys/bus/pci/drivers_probe"), move |address| {
            set_driver(&devices.join(address), Some("ixgbe"));
        });
    }

    /// Another driver of that kernel.
    pub(crate) fn kernel_driver(&self, driver: &str) {
        let (devices, folder) = (self.path("/sys/bus/pci/devices"), self.path("/sys/bus/pci/drivers").join(driver));
        fs::create_dir_all(&folder).expect("a folder");
        let (name, at) = (driver.to_owned(), devices.clone());
        on_write(&folder.join("bind"), move |address| {
            let device = at.join(address);
            let only = fs::read_to_string(device.join("driver_override")).expect("a file");
            // As in the kernel: a driver takes what it knows, vfio-pci what it is told to.
            let fits = if name == "vfio-pci" { only == "vfio-pci\n" } else { only.trim().is_empty() };
            if fits && !device.join("driver").is_symlink() {
                set_driver(&device, Some(&name));
            }
        });
        on_write(&folder.join("unbind"), move |address| set_driver(&devices.join(address), None));
    }
}

fn set_driver(device: &Path, driver: Option<&str>) {
    let link = device.join("driver");
    match fs::remove_file(&link) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => panic!("{}: {why}", link.display()),
        _ => {}
    }
    if let Some(driver) = driver {
        symlink(format!("../../../../bus/pci/drivers/{driver}"), link).expect("a link");
    }
}

/// Makes a file whose writers are answered: a pipe with a name, and a thread that reads it as long as the tests run.
fn on_write(path: &Path, act: impl Fn(&str) + Send + 'static) {
    mkfifo(path, Mode::from_bits_truncate(0o600)).expect("a pipe");
    // Open for both, it has no end when a writer leaves. Each waits for the effect, so what is read at once was written at once.
    let mut pipe = File::options().read(true).write(true).open(path).expect("our own pipe");
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok(length) = pipe.read(&mut buffer) {
            act(String::from_utf8_lossy(&buffer[..length]).trim());
        }
    });
}
