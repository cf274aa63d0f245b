//! The guest's root: a cpio archive that the kernel unpacks into memory (its format: Linux, Documentation/driver-api/early-userspace/
//! buffer-format.rst, "newc").

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::assets::{Assets, LOADER};
use super::kernel;

/// Programs of the guest, beside those of busybox.
const PROGRAMS: [&str; 7] = ["bash", "dash", "ethtool", "ip", "iperf3", "ping", "tcpdump"];

/// Modules of the guest, beside what they need. In the order of loading: cards that are meant for vfio-pci are bound to it
/// before Linux's drivers come.
const MODULES: [&str; 10] = [
    "virtio_pci",
    "virtio_console",
    "vfio",
    "vfio_iommu_type1",
    "vfio-pci-core",
    "vfio-pci",
    "e1000e",
    "igb",
    "8021q",
    "tls",
];

/// What the guest is told of itself: shell variables.
pub(super) struct Settings(pub(super) String);

/// Packs the guest's root. `files` of the host are put into its top folder, as programs.
///
/// # Errors
/// If something cannot be read, or one of `files` is a program that needs libraries.
pub(super) fn pack(assets: &Assets, settings: &Settings, files: &[PathBuf]) -> Result<Vec<u8>> {
    let mut image = Image::default();
    for folder in [
        "bin",
        "busybox",
        "dev",
        "etc",
        "lib",
        "lib64",
        "lib/x86_64-linux-gnu",
        "modules",
        "proc",
        "root",
        "run",
        "sys",
        "tmp",
    ] {
        image.folder(folder);
    }
    image.file("init", 0o755, include_bytes!("init.sh"));
    image.file("etc/lab", 0o644, settings.0.as_bytes());
    // tcpdump gives up root for a user of its own name; here that is root again, so that it can write its captures.
    let users = "root:x:0:0:root:/root:/bin/bash\ntcpdump:x:0:0:tcpdump:/root:/bin/false\n";
    image.file("etc/passwd", 0o644, users.as_bytes());
    image.file("etc/group", 0o644, b"root:x:0:\n");
    let busybox = fs::read(assets.find("busybox")?)?;
    image.file("bin/busybox", 0o755, &busybox);
    // dash calls the program that is named. busybox's shell prefers its own `ip` and `ping`.
    image.link("bin/sh", "dash");

    let mut libraries = BTreeSet::new();
    for name in PROGRAMS {
        let program = assets.find(name)?;
        image.file(&format!("bin/{name}"), 0o755, &fs::read(&program)?);
        libraries.extend(assets.libraries(&program)?);
    }
    for library in libraries {
        let name = library.file_name().and_then(|name| name.to_str()).context("a library without a name")?;
        image.file(&format!("lib/x86_64-linux-gnu/{name}"), 0o755, &fs::read(&library)?);
    }
    image.link(&format!("lib64/{LOADER}"), &format!("/lib/x86_64-linux-gnu/{LOADER}"));

    let mut order = String::new();
    for (name, module) in kernel::modules(assets, &MODULES)? {
        order += &format!("{name}\n");
        image.file(&format!("modules/{name}.ko"), 0o644, &module);
    }
    image.file("modules/order", 0o644, order.as_bytes());
    for file in files {
        add(&mut image, file)?;
    }
    Ok(image.finish())
}

/// Adds a file of the host to the top folder.
fn add(image: &mut Image, file: &Path) -> Result<()> {
    let name =
        file.file_name().and_then(|name| name.to_str()).with_context(|| format!("{} has no name", file.display()))?;
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(
        !bytes.starts_with(b"\x7fELF") || !is_dynamic(&bytes),
        "{} needs libraries that the guest does not have: build it with RUSTFLAGS=-Ctarget-feature=+crt-static and --target",
        file.display()
    );
    image.file(name, 0o755, &bytes);
    Ok(())
}

/// Whether a 64-bit ELF program names an interpreter (a program header of type PT_INTERP), which loads its libraries.
fn is_dynamic(elf: &[u8]) -> bool {
    let number = |at: usize, size: usize| {
        let bytes = elf.get(at..at.saturating_add(size)).unwrap_or_default();
        bytes.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let (headers, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    (0..count).any(|index| number(headers.saturating_add(index * size), 4) == 3)
}

/// A cpio archive in the making.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
    entries: u32,
}

impl Image {
    fn folder(&mut self, path: &str) {
        self.entry(path, 0o040_755, &[]);
    }

    fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, 0o100_000 | mode, content);
    }

    fn link(&mut self, path: &str, target: &str) {
        self.entry(path, 0o120_777, target.as_bytes());
    }

    /// One entry: a header of thirteen hexadecimal numbers, the name, the content, each padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let name_length = path.len() as u32 + 1;
        let links = 1;
        let header = [self.entries, mode, 0, 0, links, 0, content.len() as u32, 0, 0, 0, 0, name_length, 0];
        self.bytes.extend_from_slice(b"070701");
        header.iter().for_each(|number| self.bytes.extend_from_slice(format!("{number:08x}").as_bytes()));
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_the_kernel_reads_them() {
        let mut image = Image::default();
        image.file("init", 0o755, b"hello");
        let bytes = image.finish();
        let text = String::from_utf8_lossy(&bytes);
        // Header of 110 bytes, name with its end, padding; content, padding.
        assert!(text.starts_with("07070100000001000081ed"), "{text}");
        assert_eq!(&text[54..62], "00000005", "the content's length");
        assert_eq!(&text[110..124], "init\0\0hello\0\0\0");
        assert!(text[124..].starts_with("070701"), "{text}");
        assert!(text.trim_end_matches('\0').ends_with("TRAILER!!!"), "{text}");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn programs_that_need_libraries_are_recognised() {
        let mut image = Image::default();
        let this = std::env::current_exe().expect("a test has a program");
        let refused = add(&mut image, &this).expect_err("a program that needs the C library");
        assert!(refused.to_string().contains("crt-static"), "{refused}");
        // Damaged ones are the guest's business, not a reason to panic here.
        let damaged = [b"\x7fELF".as_slice(), &[0xff; 60]].concat();
        assert!(!is_dynamic(&damaged));
        assert!(!is_dynamic(b"\x7fELF"));
    }
}
