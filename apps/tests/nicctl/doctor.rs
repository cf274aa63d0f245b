//! `doctor` names exactly what is wrong, and what mends it.

use serde_json::Value;

use super::machine::{ETHERNET, Machine};
use super::{CARD, Outcome};

/// A machine of which something is broken, and the complaint that must come of it.
struct Broken {
    how: &'static str,
    breaks: fn(&Machine),
    /// Who is complained of, and the check that complains.
    complaint: (&'static str, &'static str),
    /// "missing" or "warning".
    verdict: &'static str,
    /// A part of what mends it.
    remedy: &'static str,
}

const MACHINE: &str = "machine";
const CMDLINE: &str = "/proc/cmdline";

const BROKEN: &[Broken] = &[
    Broken {
        how: "the kernel was not told to use the IOMMU",
        breaks: |machine| {
            no_iommu(machine);
            machine.replace(CMDLINE, "intel_iommu=on ", "");
        },
        complaint: (MACHINE, "iommu"),
        verdict: "missing",
        remedy: "intel_iommu=on",
    },
    Broken {
        how: "the firmware has the IOMMU off",
        breaks: no_iommu,
        complaint: (MACHINE, "iommu"),
        verdict: "missing",
        remedy: "firmware-setup, and there switch on VT-d",
    },
    Broken {
        how: "the firmware of an AMD machine has it off",
        breaks: |machine| {
            no_iommu(machine);
            machine.replace("/proc/cpuinfo", "GenuineIntel", "AuthenticAMD");
        },
        complaint: (MACHINE, "iommu"),
        verdict: "missing",
        remedy: "AMD-Vi",
    },
    Broken {
        how: "a virtual machine without an IOMMU",
        breaks: |machine| {
            no_iommu(machine);
            machine.replace("/proc/cpuinfo", "vmx", "hypervisor");
        },
        complaint: (MACHINE, "iommu"),
        verdict: "missing",
        remedy: "-device intel-iommu",
    },
    Broken {
        how: "an argument switches the IOMMU off",
        breaks: |machine| {
            no_iommu(machine);
            machine.replace(CMDLINE, "intel_iommu=on", "iommu=off");
        },
        complaint: (MACHINE, "iommu"),
        verdict: "missing",
        remedy: r"/^GRUB_CMDLINE_LINUX/s/\biommu=off\b//",
    },
    Broken {
        how: "no interrupt remapping",
        breaks: |machine| machine.replace("/proc/interrupts", "IR-PCI", "PCI"),
        complaint: (MACHINE, "interrupt remapping"),
        verdict: "missing",
        remedy: "intremap=on",
    },
    Broken {
        how: "no interrupt remapping, and VFIO may do without",
        breaks: |machine| {
            machine.replace("/proc/interrupts", "IR-PCI", "PCI");
            machine.write("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
        },
        complaint: (MACHINE, "interrupt remapping"),
        verdict: "warning",
        remedy: "switch on interrupt remapping",
    },
    Broken {
        how: "vfio-pci is not loaded",
        breaks: |machine| {
            machine.driver(CARD, Some("ixgbe")).remove("/sys/bus/pci/drivers/vfio-pci");
        },
        complaint: (MACHINE, "vfio-pci"),
        verdict: "missing",
        remedy: "sudo modprobe vfio-pci",
    },
    Broken {
        how: "vfio-pci is not installed",
        breaks: |machine| {
            machine.driver(CARD, Some("ixgbe")).remove("/sys/bus/pci/drivers/vfio-pci");
            machine.write("/lib/modules/6.12.0-1-amd64/modules.dep", "kernel/fs/ext4/ext4.ko:");
        },
        complaint: (MACHINE, "vfio-pci"),
        verdict: "missing",
        remedy: "linux-modules-extra-6.12.0-1-amd64",
    },
    Broken {
        how: "vfio-pci without its IOMMU part",
        breaks: |machine| machine.remove("/sys/module/vfio_iommu_type1"),
        complaint: (MACHINE, "vfio-pci"),
        verdict: "missing",
        remedy: "sudo modprobe vfio_iommu_type1",
    },
    Broken {
        how: "no huge pages",
        breaks: |machine| {
            machine.huge_pages(0, 10, 0);
            machine.huge_pages(1, 0, 0);
        },
        complaint: (MACHINE, "huge pages"),
        verdict: "warning",
        remedy: "echo 266 | sudo tee /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
    },
    Broken {
        how: "a low limit of locked memory",
        breaks: |machine| {
            machine.replace("/proc/self/limits", "unlimited            unlimited", "8388608              8388608");
        },
        complaint: (MACHINE, "memlock"),
        verdict: "missing",
        remedy: "/etc/security/limits.d",
    },
    Broken {
        how: "a low limit of locked memory that can be raised",
        breaks: |machine| {
            machine.replace("/proc/self/limits", "unlimited            unlimited", "8388608              unlimited");
        },
        complaint: (MACHINE, "memlock"),
        verdict: "missing",
        remedy: "ulimit -l hard",
    },
    Broken {
        how: "no isolated cores",
        breaks: |machine| machine.replace(CMDLINE, " isolcpus=2-3", ""),
        complaint: (MACHINE, "isolated cores"),
        verdict: "warning",
        remedy: "&isolcpus=managed_irq,domain,2-3 /",
    },
    Broken {
        how: "isolated cores with a timer tick",
        breaks: |machine| machine.replace(CMDLINE, " nohz_full=2-3", ""),
        complaint: (MACHINE, "isolated cores"),
        verdict: "warning",
        remedy: "&nohz_full=2-3 /",
    },
    Broken {
        how: "a core that saves power",
        breaks: |machine| machine.write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave"),
        complaint: (MACHINE, "governor"),
        verdict: "warning",
        remedy: "echo performance",
    },
    Broken {
        how: "no such card",
        breaks: |machine| machine.remove(&format!("/sys/bus/pci/devices/{CARD}")),
        complaint: (CARD, "card"),
        verdict: "missing",
        remedy: "nicctl list",
    },
    Broken {
        how: "a card without a driver of Gannet",
        breaks: |machine| machine.write(&format!("/sys/bus/pci/devices/{CARD}/device"), "0x1572"),
        complaint: (CARD, "card"),
        verdict: "missing",
        remedy: "another card",
    },
    Broken {
        how: "a card without an IOMMU group",
        breaks: |machine| machine.remove(&format!("/sys/bus/pci/devices/{CARD}/iommu_group")),
        complaint: (CARD, "iommu group"),
        verdict: "missing",
        remedy: "another slot",
    },
    Broken {
        how: "the other port of the card is with the kernel",
        breaks: |machine| {
            machine.device("0000:01:00.1", "0x10fb", ETHERNET).driver("0000:01:00.1", Some("ixgbe"));
            machine.group("0000:01:00.1", 7);
        },
        complaint: (CARD, "iommu group"),
        verdict: "missing",
        remedy: "sudo nicctl bind 0000:01:00.1",
    },
    Broken {
        how: "a disk shares the group",
        breaks: |machine| {
            machine.device("0000:02:00.0", "0x0a54", "0x010802").driver("0000:02:00.0", Some("nvme"));
            machine.group("0000:02:00.0", 7);
        },
        complaint: (CARD, "iommu group"),
        verdict: "missing",
        remedy: "sudo nicctl unbind --force 0000:02:00.0",
    },
    Broken {
        how: "the card is with the kernel",
        breaks: |machine| {
            machine.driver(CARD, Some("ixgbe")).remove("/dev/vfio/7");
        },
        complaint: (CARD, "binding"),
        verdict: "missing",
        remedy: "sudo nicctl bind 0000:01:00.0",
    },
    Broken {
        how: "the card has no driver",
        breaks: |machine| {
            machine.driver(CARD, None).remove("/dev/vfio/7");
        },
        complaint: (CARD, "binding"),
        verdict: "missing",
        remedy: "sudo nicctl bind 0000:01:00.0",
    },
    Broken {
        how: "the card carries the default route",
        breaks: |machine| {
            machine.driver(CARD, Some("ixgbe")).interface(CARD, "eth7").remove("/dev/vfio/7");
            machine.default_route("eth7");
        },
        complaint: (CARD, "binding"),
        verdict: "missing",
        remedy: "better another card",
    },
    Broken {
        how: "the node is root's",
        breaks: |machine| {
            machine.mode("/dev/vfio/7", 0o600);
            machine.replace("/proc/self/status", "1000\t1000\t1000\t1000", "4000000\t4000000\t4000000\t4000000");
        },
        complaint: (CARD, "access"),
        verdict: "missing",
        remedy: "sudo chown $USER /dev/vfio/7",
    },
    Broken {
        how: "a container without the nodes",
        breaks: |machine| machine.remove("/dev/vfio/vfio"),
        complaint: (CARD, "access"),
        verdict: "missing",
        remedy: "--device /dev/vfio/7 --device /dev/vfio/vfio",
    },
    Broken {
        how: "another program has the card",
        breaks: |machine| machine.process(4711, "l2fwd", "/dev/vfio/7"),
        complaint: (CARD, "use"),
        verdict: "missing",
        remedy: "kill 4711",
    },
    Broken {
        how: "another program has the card through iommufd",
        breaks: |machine| {
            machine.folder(&format!("/sys/bus/pci/devices/{CARD}/vfio-dev/vfio3"));
            machine.process(4711, "testpmd", "/dev/vfio/devices/vfio3");
        },
        complaint: (CARD, "use"),
        verdict: "missing",
        remedy: "kill 4711",
    },
    Broken {
        how: "huge pages on the other node only",
        breaks: |machine| machine.huge_pages(0, 200, 2),
        complaint: (CARD, "numa"),
        verdict: "warning",
        remedy: "node0/hugepages",
    },
    Broken {
        how: "cores of the other node only",
        breaks: |machine| machine.replace("/proc/self/status", "0-3", "2-3"),
        complaint: (CARD, "numa"),
        verdict: "warning",
        remedy: "taskset -pc 0,1",
    },
    Broken {
        how: "the link of an 82574 sleeps",
        breaks: |machine| an_82574(machine, ["0", "1"]),
        complaint: (CARD, "aspm"),
        verdict: "warning",
        remedy: "echo 0 | sudo tee /sys/bus/pci/devices/0000:01:00.0/link/l1_aspm",
    },
    Broken {
        how: "the link of an 82574 sleeps in two ways",
        breaks: |machine| an_82574(machine, ["1", "1"]),
        complaint: (CARD, "aspm"),
        verdict: "warning",
        remedy: "link/l0s_aspm /sys/bus/pci/devices/0000:01:00.0/link/l1_aspm",
    },
];

/// Makes the card an 82574, with the states of its link that save power on or off: L0s, L1.
fn an_82574(machine: &Machine, states: [&str; 2]) {
    machine.write(&format!("/sys/bus/pci/devices/{CARD}/device"), "0x10d3");
    for (state, on) in ["l0s", "l1"].into_iter().zip(states) {
        machine.write(&format!("/sys/bus/pci/devices/{CARD}/link/{state}_aspm"), on);
    }
}

/// The kernel makes no groups then, and so no card is with vfio-pci.
fn no_iommu(machine: &Machine) {
    machine.remove("/sys/class/iommu/dmar0");
    machine.driver(CARD, Some("ixgbe")).remove(&format!("/sys/bus/pci/devices/{CARD}/iommu_group"));
    machine.remove("/dev/vfio/7");
}

/// All findings that are complaints: subject, check, verdict, what mends it.
fn complaints(report: &Value) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut complaints = Vec::new();
    for section in report["sections"].as_array().expect("sections") {
        for finding in section["findings"].as_array().expect("findings") {
            if finding["verdict"] == "missing" || finding["verdict"] == "warning" {
                let subject = text(&section["subject"]);
                complaints.push([
                    subject,
                    text(&finding["check"]),
                    text(&finding["verdict"]),
                    text(&finding["remedy"]),
                ]);
            }
        }
    }
    complaints
}

#[test]
fn a_machine_that_is_ready() {
    let machine = Machine::ready();
    let table = machine.table(&["doctor", CARD]);
    for part in ["dmar0", "node 0: 200 of 256 2 MiB pages free", "Intel 82599", "7, nothing else", "\nready\n"] {
        assert!(table.contains(part), "no {part:?} in: {table}");
    }
    let (report, status) = machine.json(&["doctor", CARD]);
    assert_eq!((status, &report["ready"]), (Some(0), &true.into()));
    let unchecked = report.to_string().matches("not-checked").count();
    assert_eq!((complaints(&report), unchecked), (vec![], 0), "{table}");
}

#[test]
fn each_broken_thing_is_the_only_complaint() {
    for Broken { how, breaks, complaint, verdict, remedy } in BROKEN {
        let machine = Machine::ready();
        breaks(&machine);
        let (report, status) = machine.json(&["doctor", CARD]);
        let [[subject, check, its_verdict, its_remedy]] =
            complaints(&report).try_into().unwrap_or_else(|complaints: Vec<_>| panic!("{how}: {complaints:#?}"));
        assert_eq!((subject.as_str(), check.as_str()), *complaint, "{how}");
        assert_eq!(its_verdict, *verdict, "{how}");
        assert!(its_remedy.contains(remedy), "{how}: {its_remedy}");
        assert_eq!(status, Some(if *verdict == "missing" { 1 } else { 0 }), "{how}");
        assert_eq!(report["ready"], (*verdict != "missing"), "{how}");
    }
}

#[test]
fn interrupt_remapping_is_judged_where_the_kernel_tells_of_it() {
    let machine = Machine::ready();
    machine.replace("/proc/interrupts", "IR-PCI", "PCI");
    for (unit, complains) in [("dmar0", true), ("ivhd0", true), ("virtio0", false), ("smmu3.0x2b400000", false)] {
        machine.remove("/sys/class/iommu");
        machine.folder(&format!("/sys/class/iommu/{unit}"));
        let found = complaints(&machine.json(&["doctor", CARD]).0);
        assert_eq!(found.iter().any(|complaint| complaint[1] == "interrupt remapping"), complains, "{unit}");
    }
}

#[test]
fn what_follows_from_a_complaint_names_it() {
    let machine = Machine::ready();
    no_iommu(&machine);
    let Outcome { status, stdout, .. } = machine.nicctl(&["doctor", CARD]);
    assert_eq!(status, Some(1), "{stdout}");
    assert_eq!(stdout.matches("not checked: needs iommu").count(), 5, "{stdout}");
    assert!(stdout.ends_with("not ready: 1 missing, 0 warnings\n"), "{stdout}");
}

#[test]
fn privileges_lift_limits() {
    let machine = Machine::ready();
    machine.mode("/dev/vfio/7", 0o600);
    machine.replace("/proc/self/limits", "unlimited", "65536");
    let ids = ["1000\t1000\t1000\t1000", "0\t0\t0\t0"];
    machine.replace("/proc/self/status", ids[0], ids[1]);
    machine.replace("/proc/self/status", "CapEff:\t0000000000000000", "CapEff:\t000001ffffffffff");
    assert_eq!(complaints(&machine.json(&["doctor", CARD]).0), [[""; 4]; 0]);
}

#[test]
fn the_link_matters_for_the_82574_only_and_where_the_kernel_shows_it() {
    let verdict = |machine: &Machine| {
        let (report, status) = machine.json(&["doctor", CARD]);
        assert_eq!((status, complaints(&report)), (Some(0), vec![]));
        let findings = report["sections"][1]["findings"].as_array().expect("the card's").clone();
        findings.into_iter().find(|finding| finding["check"] == "aspm").map(|finding| finding["verdict"].clone())
    };
    let machine = Machine::ready();
    an_82574(&machine, ["0", "0"]);
    assert_eq!(verdict(&machine), Some("ok".into()));
    machine.remove(&format!("/sys/bus/pci/devices/{CARD}/link"));
    assert_eq!(verdict(&machine), Some("not-checked".into()));
    an_82574(&machine, ["1", "1"]);
    machine.write(&format!("/sys/bus/pci/devices/{CARD}/device"), "0x10fb");
    assert_eq!(verdict(&machine), None);
}

#[test]
fn without_an_address_the_cards_for_vfio_are_checked() {
    let machine = Machine::ready();
    let other = "0000:03:00.0";
    machine.device(other, "0x10c9", ETHERNET).driver(other, Some("igb")).group(other, 8);
    let subjects = |machine: &Machine| {
        let (report, _) = machine.json(&["doctor"]);
        let sections = report["sections"].as_array().expect("sections").clone();
        sections.iter().map(|section| section["subject"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(subjects(&machine), [MACHINE, CARD]);
    machine.driver(CARD, Some("ixgbe"));
    assert_eq!(subjects(&machine), [MACHINE, CARD, other]);
}

#[test]
fn a_machine_without_cards() {
    let machine = Machine::ready();
    machine.remove(&format!("/sys/bus/pci/devices/{CARD}"));
    let found = complaints(&machine.json(&["doctor"]).0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0][3].contains("software cards"), "{found:?}");
}

#[test]
fn a_machine_that_says_nothing_ends_in_complaints_not_in_errors() {
    let Outcome { status, stdout, stderr, .. } = Machine::empty().nicctl(&["doctor", CARD]);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.contains("not ready"), "{stdout}");
}
