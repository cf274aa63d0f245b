//! Trees as the kernel would show them.

use std::os::unix::fs::symlink;

use super::*;

const CARD: &str = "0000:01:00.0";

fn address(text: &str) -> PciAddress {
    text.parse().expect("an address")
}

/// A tree with one 82599 in IOMMU group 7.
fn tree() -> (tempfile::TempDir, Sysfs) {
    let root = tempfile::tempdir().expect("a folder");
    let sysfs = Sysfs::at(root.path());
    let device = sysfs.path("/sys/bus/pci/devices").join(CARD);
    fs::create_dir_all(device.join("net/eth7")).expect("a folder");
    for (name, text) in [
        ("vendor", "0x8086\n"),
        ("device", "0x10fb\n"),
        ("class", "0x020000\n"),
        ("numa_node", "1\n"),
        ("driver_override", "(null)\n"),
        ("sriov_numvfs", "2\n"),
    ] {
        fs::write(device.join(name), text).expect("a file");
    }
    symlink("../../../../bus/pci/drivers/ixgbe", device.join("driver")).expect("a link");
    symlink("../../../../kernel/iommu_groups/7", device.join("iommu_group")).expect("a link");
    let members = sysfs.path("/sys/kernel/iommu_groups/7/devices");
    fs::create_dir_all(members.join(CARD)).expect("a folder");
    fs::create_dir_all(members.join("serial8250")).expect("a folder");
    (root, sysfs)
}

#[test]
fn addresses_are_read_and_written() {
    let expected = PciAddress { domain: 0, bus: 0x3B, device: 0x1F, function: 7 };
    assert_eq!(address("0000:3b:1f.7"), expected);
    assert_eq!(address("3B:1F.7"), expected);
    assert_eq!(expected.to_string(), "0000:3b:1f.7");
    assert_eq!(format!("{expected:14}|"), "0000:3b:1f.7  |");
    assert_eq!(address("10000:01:00.0").to_string(), "10000:01:00.0");
    assert!(address("0000:02:00.0") < address("0001:01:00.0") && address("01:00.1") < address("01:01.0"));
}

#[test]
fn what_is_no_address_is_refused() {
    for text in [
        "",
        "eth0",
        "01:00",
        "1:0.0",
        "01:20.0",
        "01:00.8",
        "01:00.0 ",
        "+1:00.0",
        "0000:01:00.00",
        "000:01:00.0",
        "123456789:01:00.0",
        "0000:0000:01:00.0",
        "01:00.ä",
    ] {
        let error = text.parse::<PciAddress>().expect_err(text).to_string();
        assert!(error.contains(&format!("{text:?}")) && error.contains("0000:01:00.0"), "{error}");
    }
}

#[test]
fn a_device_is_what_its_files_say() {
    let (_root, sysfs) = tree();
    let device = sysfs.device(address(CARD)).expect("it is there");
    assert_eq!((device.vendor(), device.device(), device.class()), (0x8086, 0x10FB, 0x02_0000));
    assert_eq!(device.driver().unwrap().as_deref(), Some("ixgbe"));
    assert_eq!(device.driver_override().unwrap(), None);
    assert_eq!((device.iommu_group().unwrap(), device.numa_node().unwrap()), (Some(7), Some(1)));
    assert_eq!(device.interfaces().unwrap(), ["eth7"]);
    assert_eq!(device.virtual_functions().unwrap(), 2);
    assert_eq!(sysfs.devices().unwrap(), std::slice::from_ref(&device));
    assert_eq!(sysfs.group_members(7).unwrap(), [device]);
}

#[test]
fn what_a_device_lacks_is_none() {
    let (_root, sysfs) = tree();
    let device = sysfs.device(address(CARD)).expect("it is there");
    for name in ["driver", "iommu_group", "driver_override", "sriov_numvfs"] {
        fs::remove_file(device.path().join(name)).expect("it was there");
    }
    fs::remove_dir_all(device.path().join("net")).expect("it was there");
    fs::create_dir_all(device.path().join("virtio2/net/eth0")).expect("a folder");
    fs::write(device.path().join("numa_node"), "-1\n").expect("a file");
    assert_eq!((device.driver().unwrap(), device.driver_override().unwrap()), (None, None));
    assert_eq!((device.iommu_group().unwrap(), device.numa_node().unwrap()), (None, None));
    assert_eq!((device.interfaces().unwrap(), device.virtual_functions().unwrap()), (vec!["eth0".to_owned()], 0));
    assert_eq!(sysfs.group_members(8).unwrap(), []);
    assert_eq!(Sysfs::at(sysfs.path("/empty")).devices().unwrap(), []);
}

#[test]
fn what_is_wrong_is_said() {
    let (_root, sysfs) = tree();
    let missing = sysfs.device(address("02:00.0")).expect_err("no such device").to_string();
    assert!(missing.contains("0000:02:00.0") && missing.contains("lspci"), "{missing}");
    let leftover = sysfs.path("/sys/bus/pci/devices/0000:02:00.0");
    symlink("../../../devices/pci0000:00/0000:02:00.0", &leftover).expect("a link");
    assert_eq!(sysfs.devices().expect("the others").len(), 1, "a link to nowhere is a device that is gone");
    let functions = sysfs.path("/sys/bus/pci/devices").join(CARD).join("sriov_numvfs");
    fs::write(&functions, "some\n").expect("a file");
    let device = sysfs.device(address(CARD)).expect("it is there");
    let wrong = device.virtual_functions().expect_err("no number").to_string();
    assert!(wrong.contains("sriov_numvfs") && wrong.contains("some"), "{wrong}");
    let vendor = sysfs.path("/sys/bus/pci/devices").join(CARD).join("vendor");
    fs::write(&vendor, "0x18086\n").expect("a file");
    let wrong = sysfs.device(address(CARD)).expect_err("17 bits").to_string();
    assert!(wrong.contains("vendor") && wrong.contains("0x18086"), "{wrong}");
    fs::remove_file(&vendor).expect("it was there");
    let unreadable = sysfs.device(address(CARD)).expect_err("no vendor").to_string();
    assert!(unreadable.contains("vendor") && unreadable.contains("No such file"), "{unreadable}");
}
