//! What the machine must have, whichever card is used.

use gannet_bus::sysfs::PciDevice;

use super::{Finding, after};
use crate::host::Host;
use crate::memory::{self, NEEDED_MIB};

const IOMMU: &str = "iommu";
const REMAPPING: &str = "interrupt remapping";
const VFIO: &str = "vfio-pci";
const MEMLOCK: &str = "memlock";
const HUGE_PAGES: &str = "huge pages";
const CORES: &str = "isolated cores";
const GOVERNOR: &str = "governor";

/// IOMMUs of the machine.
const UNITS: &str = "/sys/class/iommu";

/// CAP_IPC_LOCK of the kernel's `capability.h`: locks as much memory as it wants.
const CAP_IPC_LOCK: u32 = 14;

/// The findings, of which those of a card need some.
pub(super) struct Findings {
    pub(super) iommu: Finding,
    remapping: Finding,
    pub(super) vfio: Finding,
    pub(super) huge_pages: Finding,
    others: Vec<Finding>,
}

impl Findings {
    /// Makes all checks of the machine, for these cards.
    pub(super) fn of(host: &Host, cards: &[PciDevice]) -> anyhow::Result<Findings> {
        let iommu = iommu(host);
        let remapping = after(&[&iommu], REMAPPING, || Ok(interrupt_remapping(host)))?;
        let node = cards.iter().find_map(|card| card.numa_node().ok().flatten());
        let others = vec![memlock(host), cores(host), governor(host)];
        Ok(Findings { iommu, remapping, vfio: vfio(host), huge_pages: huge_pages(host, node), others })
    }

    /// All of them.
    pub(super) fn into_list(self) -> Vec<Finding> {
        let mut list = vec![self.iommu, self.remapping, self.vfio, self.huge_pages];
        list.extend(self.others);
        list
    }
}

/// The command that adds an argument to the kernel's command line, where GRUB starts it.
fn add_kernel_argument(argument: &str) -> String {
    format!(
        r#"sudo sed -i 's/^GRUB_CMDLINE_LINUX="/&{argument} /' /etc/default/grub && sudo update-grub && sudo reboot"#
    )
}

fn iommu(host: &Host) -> Finding {
    let units = host.names(UNITS);
    if !units.is_empty() {
        return Finding::ok(IOMMU, units.join(", "));
    }
    let arguments = host.kernel_arguments();
    let switches_off =
        |argument: &&String| ["intel_iommu=off", "amd_iommu=off", "iommu=off"].contains(&argument.as_str());
    if let Some(off) = arguments.iter().find(switches_off) {
        let remedy = format!(
            r"sudo sed -i '/^GRUB_CMDLINE_LINUX/s/\b{off}\b//' /etc/default/grub && sudo update-grub && sudo reboot"
        );
        return Finding::missing(IOMMU, format!("the kernel argument {off} switches it off"), remedy);
    }
    let cpu = host.text("/proc/cpuinfo").unwrap_or_default();
    let is_intel = cpu.contains("GenuineIntel");
    if is_intel && !arguments.iter().any(|argument| argument.starts_with("intel_iommu=on")) {
        return Finding::missing(IOMMU, "the kernel has not switched it on", add_kernel_argument("intel_iommu=on"));
    }
    if cpu.split_whitespace().any(|flag| flag == "hypervisor") {
        let remedy =
            "give the virtual machine one; QEMU: -machine q35,kernel-irqchip=split -device intel-iommu,intremap=on";
        return Finding::missing(IOMMU, "this virtual machine has none", remedy);
    }
    let name = if is_intel { "VT-d" } else { "AMD-Vi (IOMMU)" };
    let remedy = format!("sudo systemctl reboot --firmware-setup, and there switch on {name} and CPU virtualisation");
    Finding::missing(IOMMU, "the firmware has it switched off, or the machine has none", remedy)
}

/// Without it a card could send any interrupt to the CPU, so VFIO refuses (SET_IOMMU: EPERM).
fn interrupt_remapping(host: &Host) -> Finding {
    // Other IOMMUs (virtio, Arm's) do it in ways of their own, which the kernel does not tell of.
    let told = |unit: &String| unit.starts_with("dmar") || unit.starts_with("ivhd");
    if !host.names(UNITS).iter().any(told) {
        return Finding::ok(REMAPPING, "not told by this kind of IOMMU");
    }
    // The names of remapped interrupt controllers start with "IR-".
    if host.text("/proc/interrupts").unwrap_or_default().contains(" IR-") {
        return Finding::ok(REMAPPING, "on");
    }
    let unsafe_allowed = host.text("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
    if unsafe_allowed.as_deref() == Some("Y") {
        let says = "off, and VFIO is told to do without: a card can send any interrupt";
        return Finding::warning(REMAPPING, says, "switch on interrupt remapping (x2APIC) in the firmware's set-up");
    }
    let remedy = "switch on interrupt remapping (x2APIC) in the firmware's set-up; QEMU: -machine kernel-irqchip=split \
                  -device intel-iommu,intremap=on; less safe: echo Y | sudo tee \
                  /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
    Finding::missing(REMAPPING, "off, and without it VFIO opens no card", remedy)
}

fn vfio(host: &Host) -> Finding {
    if !host.has("/sys/bus/pci/drivers/vfio-pci") {
        let release = host.text("/proc/sys/kernel/osrelease").unwrap_or_default();
        let modules = host.text(format!("/lib/modules/{release}/modules.dep")).unwrap_or_default();
        let is_there =
            modules.lines().any(|line| line.split(':').next().is_some_and(|name| name.contains("/vfio-pci.ko")));
        return if is_there {
            Finding::missing(VFIO, "the module is not loaded", "sudo modprobe vfio-pci")
        } else {
            let remedy = format!(
                "sudo apt-get install linux-modules-extra-{release} (Ubuntu), or a kernel with CONFIG_VFIO_PCI=m"
            );
            Finding::missing(VFIO, format!("the kernel {release} was installed without it"), remedy)
        };
    }
    if host.has("/sys/module/vfio_iommu_type1") || host.has("/dev/iommu") {
        Finding::ok(VFIO, "loaded")
    } else {
        Finding::missing(VFIO, "the part that programs the IOMMU is not loaded", "sudo modprobe vfio_iommu_type1")
    }
}

fn huge_pages(host: &Host, node: Option<u32>) -> Finding {
    let nodes = memory::nodes(host);
    let says = nodes.iter().map(memory::Node::describe).collect::<Vec<_>>().join("; ");
    if nodes.iter().map(memory::Node::free_mib).sum::<u64>() >= NEEDED_MIB {
        return Finding::ok(HUGE_PAGES, says);
    }
    let wanted = nodes.iter().find(|its| its.number == node).or(nodes.first());
    match wanted {
        Some(wanted) => {
            let says = format!("{says}: {NEEDED_MIB} MiB are needed, or pools lie on 4 KiB pages and are slower");
            Finding::warning(HUGE_PAGES, says, wanted.remedy())
        }
        None => Finding::warning(HUGE_PAGES, "the kernel has no 2 MiB pages", "use a kernel with CONFIG_HUGETLBFS=y"),
    }
}

/// Memory that a card reaches is locked, and counts against a limit of the process.
fn memlock(host: &Host) -> Finding {
    let capabilities = host.own_status("CapEff").and_then(|mask| u64::from_str_radix(&mask, 16).ok()).unwrap_or(0);
    if capabilities >> CAP_IPC_LOCK & 1 == 1 {
        return Finding::ok(MEMLOCK, "no limit (CAP_IPC_LOCK)");
    }
    let limits = host.text("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory")).unwrap_or_default();
    // "unlimited" or bytes: first what holds, then what it can be raised to.
    let mut limits = line.split_whitespace().map(|limit| limit.parse::<u64>().map_or(u64::MAX, |bytes| bytes >> 20));
    match (limits.next(), limits.next()) {
        (None | Some(u64::MAX), _) => Finding::ok(MEMLOCK, "no limit"),
        (Some(limit), _) if limit >= NEEDED_MIB => Finding::ok(MEMLOCK, format!("{limit} MiB")),
        (Some(limit), most) => {
            let says = format!("{limit} MiB may be locked, {NEEDED_MIB} MiB are needed");
            let remedy = if most.is_some_and(|most| most >= NEEDED_MIB) {
                "ulimit -l hard"
            } else {
                "echo \"$USER - memlock unlimited\" | sudo tee /etc/security/limits.d/90-gannet.conf, and log in anew"
            };
            Finding::missing(MEMLOCK, says, remedy)
        }
    }
}

/// A core that polls should have nothing else to do.
fn cores(host: &Host) -> Finding {
    let online = memory::parse_list(&host.text("/sys/devices/system/cpu/online").unwrap_or_default());
    if online.len() < 2 {
        return Finding::ok(CORES, "one core, nothing to isolate");
    }
    let arguments = host.kernel_arguments();
    let given = |name: &str| arguments.iter().find(|argument| argument.starts_with(name));
    match (given("isolcpus="), given("nohz_full=")) {
        (Some(isolated), Some(tickless)) => Finding::ok(CORES, format!("{isolated} {tickless}")),
        (isolated, tickless) => {
            // The first half has the system's own work.
            let (first, last) = (online[online.len() / 2], online[online.len() - 1]);
            let list = if first == last { format!("{last}") } else { format!("{first}-{last}") };
            let missing = [
                isolated.is_none().then(|| format!("isolcpus=managed_irq,domain,{list}")),
                tickless.is_none().then(|| format!("nohz_full={list}")),
            ];
            let missing = missing.into_iter().flatten().collect::<Vec<_>>().join(" ");
            let says = "other programs and timer ticks share all cores with those that poll";
            Finding::warning(CORES, says, add_kernel_argument(&missing))
        }
    }
}

fn governor(host: &Host) -> Finding {
    let cores = host.names("/sys/devices/system/cpu");
    let governors =
        cores.iter().filter_map(|core| host.text(format!("/sys/devices/system/cpu/{core}/cpufreq/scaling_governor")));
    let mut others: Vec<String> = governors.collect();
    let known = !others.is_empty();
    others.retain(|governor| governor != "performance");
    match others.first() {
        Some(governor) => Finding::warning(
            GOVERNOR,
            format!("{} cores are on {governor}: their clock changes", others.len()),
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        ),
        None if known => Finding::ok(GOVERNOR, "performance"),
        None => Finding::ok(GOVERNOR, "the kernel does not change the clock"),
    }
}
