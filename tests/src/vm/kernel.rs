//! The kernel as its package has it, and as a virtual machine needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::assets::{Assets, output};

/// Takes the kernel proper out of a bzImage.
///
/// QEMU starts it directly (PVH). Unpacking it here, once, and not in each guest, makes an emulated boot 3 s shorter, half of
/// what the kernel needs.
pub(super) fn unpack(assets: &Assets, image: &Path) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let payload = payload(&bytes).with_context(|| format!("{} is not a bzImage", image.display()))?;
    let (program, packed) = match payload {
        // The last four bytes are the unpacked size, which is no part of the stream.
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", &payload[..payload.len() - 4]),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", &payload[..payload.len() - 4]),
        // Packed in another way: QEMU takes it as it is, the boot takes longer.
        _ => return fs::write(assets.kernel(), &bytes).context("cannot write the kernel"),
    };
    let packed_file = assets.kernel().with_extension("packed");
    fs::write(&packed_file, packed)?;
    let mut command = assets.command(&assets.find(program)?)?;
    command.args(["--decompress", "--stdout"]).stdin(File::open(&packed_file)?);
    let unpacked = output(&mut command)?;
    ensure!(unpacked.starts_with(b"\x7fELF"), "{} holds no kernel that QEMU can start", image.display());
    fs::write(assets.kernel(), unpacked)?;
    fs::remove_file(&packed_file)?;
    Ok(())
}

/// The packed kernel inside a bzImage (Linux's boot protocol, fields `setup_sects`, `payload_offset`, `payload_length`).
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    let start = (usize::from(*image.get(0x1f1)?) + 1) * 512 + word(0x248)?;
    let payload = image.get(start..start.checked_add(word(0x24c)?)?)?;
    (payload.len() > 4).then_some(payload)
}

/// Finds modules and all that they need. Returns their contents in the order in which to load them.
pub(super) fn modules(assets: &Assets, names: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = assets.modules()?;
    let mut files = BTreeMap::new();
    collect(&folder.join("kernel"), &mut files)?;
    let builtin = fs::read_to_string(folder.join("modules.builtin")).context("the kernel's package is incomplete")?;
    let builtin = builtin.lines().filter_map(|line| module_name(Path::new(line))).collect();
    let mut loader = Loader { assets, files, builtin, ordered: Vec::new() };
    names.iter().try_for_each(|name| loader.add(&name.replace('-', "_")))?;
    Ok(loader.ordered)
}

/// Orders modules by what they need.
struct Loader<'a> {
    assets: &'a Assets,
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    ordered: Vec<(String, Vec<u8>)>,
}

impl Loader<'_> {
    /// Adds a module after those it needs.
    fn add(&mut self, name: &str) -> Result<()> {
        if self.builtin.contains(name) || self.ordered.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        let Some(path) = self.files.get(name) else { bail!("the kernel has no module {name}") };
        let module = match path.extension().and_then(|extension| extension.to_str()) {
            Some("ko") => fs::read(path)?,
            _ => output(self.assets.command(&self.assets.find("xz")?)?.args(["--decompress", "--stdout"]).arg(path))?,
        };
        for needed in dependencies(&module) {
            self.add(&needed)?;
        }
        self.ordered.push((name.to_owned(), module));
        Ok(())
    }
}

/// What a module says it depends on, in its `.modinfo` section. (The package has no modules.dep: that is made when it is
/// installed.)
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(start) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[start + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

/// Collects the files of modules by name.
fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else if let Some(name) = module_name(&entry.path()) {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

/// A module's name, from that of its file: `vfio-pci.ko.xz` is `vfio_pci`.
fn module_name(path: &Path) -> Option<String> {
    let (name, _) = path.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_say_what_they_need() {
        let module = b"\x7fELF...\0license=GPL\0depends=vfio,vfio-pci-core\0intree=Y\0";
        assert_eq!(dependencies(module), ["vfio", "vfio_pci_core"]);
        assert!(dependencies(b"license=GPL\0depends=\0intree=Y\0").is_empty());
        assert!(dependencies(b"").is_empty());
    }

    #[test]
    fn damaged_kernels_are_refused() {
        assert_eq!(payload(&[]), None);
        assert_eq!(payload(&[0xff; 0x250]), None);
        let mut image = vec![0; 0x400];
        // One sector and the boot sector; then a payload of six bytes, eight in.
        image[0x1f1] = 1;
        image[0x248] = 8;
        image[0x24c] = 6;
        image.extend_from_slice(b"12345678packed");
        assert_eq!(payload(&image), Some(b"packed".as_slice()));
        image.pop();
        assert_eq!(payload(&image), None);
    }
}
