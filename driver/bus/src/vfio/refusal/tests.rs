//! Trees as the kernel would show them on machines where a card cannot be had.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const CARD: &str = "0000:01:00.0";
const NEIGHBOUR: &str = "0000:01:00.1";

/// A device of a tree: class, driver, group.
fn add(sysfs: &Sysfs, address: &str, class: &str, driver: Option<&str>, group: Option<u32>) {
    let device = sysfs.path("/sys/bus/pci/devices").join(address);
    fs::create_dir_all(&device).expect("a folder");
    for (name, text) in [("vendor", "0x8086\n"), ("device", "0x10fb\n"), ("class", class)] {
        fs::write(device.join(name), text).expect("a file");
    }
    if let Some(driver) = driver {
        symlink(Path::new("../../drivers").join(driver), device.join("driver")).expect("a link");
    }
    if let Some(group) = group {
        symlink(format!("../../../../kernel/iommu_groups/{group}"), device.join("iommu_group")).expect("a link");
        let member = sysfs.path(format!("/sys/kernel/iommu_groups/{group}/devices")).join(address);
        fs::create_dir_all(member).expect("a folder");
    }
}

fn tree() -> (tempfile::TempDir, Sysfs) {
    let root = tempfile::tempdir().expect("a folder");
    let sysfs = Sysfs::at(root.path());
    (root, sysfs)
}

fn check_card(sysfs: &Sysfs) -> Result<u32> {
    check(&sysfs.device(CARD.parse()?)?)
}

fn text(sysfs: &Sysfs) -> String {
    check_card(sysfs).expect_err("a refusal").to_string()
}

#[test]
fn a_card_of_its_own_group_can_be_had() {
    let (_root, sysfs) = tree();
    add(&sysfs, CARD, "0x020000", Some("vfio-pci"), Some(7));
    assert_eq!(check_card(&sysfs).expect("no refusal"), 7);
}

#[test]
fn a_card_that_is_not_there_is_named() {
    let (_root, sysfs) = tree();
    assert!(text(&sysfs).contains("no PCI device 0000:01:00.0"), "{}", text(&sysfs));
}

#[test]
fn without_an_iommu_the_kernel_argument_is_named() {
    let (_root, sysfs) = tree();
    add(&sysfs, CARD, "0x020000", Some("vfio-pci"), None);
    assert!(text(&sysfs).starts_with("pci:0000:01:00.0: no IOMMU"), "{}", text(&sysfs));
    assert!(text(&sysfs).contains("intel_iommu=on"), "{}", text(&sysfs));
}

#[test]
fn a_card_of_the_kernel_s_says_how_to_get_it() {
    let (_root, sysfs) = tree();
    add(&sysfs, CARD, "0x020000", Some("ixgbe"), Some(7));
    let expected = "pci:0000:01:00.0: it is with the kernel's driver ixgbe, not with vfio-pci: `sudo nicctl bind 0000:01:00.0` changes that";
    assert_eq!(text(&sysfs), expected);
    let (_root, sysfs) = tree();
    add(&sysfs, CARD, "0x020000", None, Some(7));
    assert!(text(&sysfs).contains("it is without a driver, not with vfio-pci"), "{}", text(&sysfs));
}

#[test]
fn members_that_block_the_group_are_named_and_others_are_not() {
    let (_root, sysfs) = tree();
    add(&sysfs, CARD, "0x020000", Some("vfio-pci"), Some(7));
    add(&sysfs, NEIGHBOUR, "0x020000", Some("ixgbe"), Some(7));
    add(&sysfs, "0000:00:01.0", "0x060400", Some("pcieport"), Some(7));
    add(&sysfs, "0000:00:02.0", "0x060700", Some("yenta_cardbus"), Some(7));
    add(&sysfs, "0000:00:03.0", "0x088000", Some("pcieport"), Some(7));
    add(&sysfs, "0000:01:00.2", "0x020000", None, Some(7));
    add(&sysfs, "0000:01:00.3", "0x020000", Some("vfio-pci"), Some(7));
    add(&sysfs, "0000:01:00.4", "0x020000", Some("mlx5_vfio_pci"), Some(7));
    add(&sysfs, "0000:01:00.5", "0x020000", Some("pci-stub"), Some(7));
    add(&sysfs, "0000:00:00.0", "0x060000", Some("skl_uncore"), Some(7));
    let blockers = blockers(&sysfs, 7).expect("readable");
    let names: Vec<String> = blockers.iter().map(Blocker::to_string).collect();
    assert_eq!(names, ["0000:00:00.0 (skl_uncore)", "0000:01:00.1 (ixgbe)"], "a host bridge counts");
    assert_eq!(check_card(&sysfs).expect("the kernel has the last word"), 7);
    let refusal = Refusal::NotViable { group: 7, blockers: blockers[1..].to_vec() }.to_string();
    let expected = "IOMMU group 7 can only be had as a whole, and the kernel uses 0000:01:00.1 (ixgbe): ";
    assert!(refusal.starts_with(expected), "{refusal}");
}

#[test]
fn the_process_that_has_a_group_is_named() {
    let (_root, sysfs) = tree();
    for (pid, name, file) in
        [(12, "bash", "/dev/pts/0"), (4711, "testpmd", "/dev/vfio/7"), (4712, "other", "/dev/vfio/71")]
    {
        let process = sysfs.path("/proc").join(pid.to_string());
        fs::create_dir_all(process.join("fd")).expect("a folder");
        fs::write(process.join("comm"), format!("{name}\n")).expect("a file");
        symlink(file, process.join("fd/3")).expect("a link");
    }
    fs::create_dir_all(sysfs.path("/proc/sys")).expect("a folder");
    let holders = Users::find(&sysfs).of_node(Path::new("/dev/vfio/7"));
    assert_eq!(holders, [Holder { pid: 4711, name: "testpmd".into() }]);
    let refusal = Refusal::InUse { node: "/dev/vfio/7".into(), holders };
    assert_eq!(
        refusal.to_string(),
        "/dev/vfio/7 is in use by testpmd (pid 4711): a group belongs to one process at a time"
    );
}

#[test]
fn a_file_that_cannot_be_opened_says_what_mends_it() {
    let (_root, sysfs) = tree();
    let text = |errno| cannot_open("/dev/vfio/7".into(), io::Error::from_raw_os_error(errno), &sysfs).to_string();
    assert!(text(libc::ENODEV).contains("sudo modprobe vfio-pci"), "{}", text(libc::ENODEV));
    assert!(text(libc::EACCES).contains("sudo chown $USER /dev/vfio/7"), "{}", text(libc::EACCES));
    assert!(text(libc::EACCES).contains("SUBSYSTEM==\"vfio\", OWNER="), "{}", text(libc::EACCES));
    assert!(text(libc::EBUSY).starts_with("/dev/vfio/7 is in use: "), "{}", text(libc::EBUSY));
    assert!(text(libc::EIO).contains("opening /dev/vfio/7: Input/output error"), "{}", text(libc::EIO));
    assert!(text(libc::EPERM).contains("docker run --device /dev/vfio/7"), "{}", text(libc::EPERM));
    let missing = open(Path::new("/dev/vfio/7"), &sysfs).expect_err("not there").to_string();
    assert!(missing.contains("a container must be given it") && !missing.contains("modprobe"), "{missing}");
}
