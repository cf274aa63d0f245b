//! The house rules that Cargo does not enforce by itself: who may import whom, where `unsafe` may be, which licences are used.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};
use gannet_tests::workspace;

/// Which crates of ours a crate may import.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("gannet-ring", &[]),
    ("gannet-mempool", &["gannet-ring"]),
    ("gannet-spec", &[]),
    ("gannet-bus", &["gannet-mempool"]),
    ("gannet", &["gannet-bus", "gannet-spec", "gannet-mempool"]),
    ("gannet-sim", &["gannet-bus", "gannet-spec", "gannet-mempool"]),
    ("gannet-apps", &ALL),
    ("gannet-harness", &[]),
    ("gannet-tests", &ALL),
];

const ALL: [&str; 7] =
    ["gannet-ring", "gannet-mempool", "gannet-spec", "gannet-bus", "gannet", "gannet-sim", "gannet-apps"];

/// The lower floors: not even their tests import the drivers or the software cards.
const LOWER: [&str; 4] = ["gannet-ring", "gannet-mempool", "gannet-spec", "gannet-bus"];

/// Crates that may hold `unsafe`, and their folders.
const MAY_BE_UNSAFE: [(&str, &str); 3] =
    [("gannet-ring", "ring"), ("gannet-mempool", "mempool"), ("gannet-bus", "driver/bus")];

/// Licences under which a dependency may be used here.
const LICENCES: [&str; 11] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
];

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace().join("Cargo.toml"));
    // What other systems would need is not downloaded.
    let options = ["--filter-platform", "x86_64-unknown-linux-gnu", "--locked"];
    command.other_options(options.map(str::to_owned).to_vec());
    command.exec().expect("cargo metadata runs")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// A path as it is written in the documentation.
fn in_workspace(path: &Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_import_only_what_is_below_them() {
    let metadata = metadata();
    let members: Vec<&Package> = metadata.workspace_packages();
    let rules = BTreeMap::from(MAY_IMPORT);
    let mut wrong = Vec::new();
    for package in &members {
        let name = package.name.as_str();
        let Some(allowed) = rules.get(name) else {
            wrong.push(format!("{name} is new: say in MAY_IMPORT what it may import"));
            continue;
        };
        for dependency in &package.dependencies {
            let imported = dependency.name.as_str();
            let ours = members.iter().any(|member| member.name.as_str() == imported);
            let allowed = match dependency.kind {
                DependencyKind::Development => !LOWER.contains(&name) || !["gannet", "gannet-sim"].contains(&imported),
                _ => allowed.contains(&imported),
            };
            if ours && !allowed {
                wrong.push(format!("{name} must not import {imported} ({:?})", dependency.kind));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(members.len(), MAY_IMPORT.len(), "MAY_IMPORT names a crate that is not there");
}

#[test]
fn every_crate_has_the_lints_and_the_licence_of_the_workspace() {
    for package in metadata().workspace_packages() {
        let manifest: String = read(&package.manifest_path).split_whitespace().collect();
        let inherits = manifest.contains("[lints]workspace=true") || manifest.contains("lints.workspace=true");
        assert!(inherits, "{}: lints.workspace = true is missing", package.name);
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{}", package.name);
    }
}

#[test]
fn all_other_crates_forbid_unsafe() {
    for package in metadata().workspace_packages() {
        if MAY_BE_UNSAFE.iter().any(|(name, _)| *name == package.name.as_str()) {
            continue;
        }
        let is_root = |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::Bin);
        for target in package.targets.iter().filter(|target| target.kind.iter().any(is_root)) {
            let forbids = read(&target.src_path).lines().any(|line| line == "#![forbid(unsafe_code)]");
            assert!(forbids, "{}: #![forbid(unsafe_code)] is missing", target.src_path);
        }
    }
}

#[test]
fn every_file_that_may_be_unsafe_is_in_the_list() {
    let listed = read(workspace().join("docs/unsafe.md"));
    let mut files = Vec::new();
    for package in metadata().workspace_packages() {
        source_files(package.manifest_path.parent().expect("a folder").as_std_path(), &mut files);
    }
    let allows = |line: &str| {
        let line = line.trim_start();
        line.starts_with('#') && line.contains("unsafe_code") && (line.contains("allow(") || line.contains("expect("))
    };
    files.retain(|file| read(file).lines().any(allows));
    assert!(!files.is_empty(), "the rings and the pools have unsafe code");
    for file in files.iter().map(|file| in_workspace(file)) {
        assert!(listed.contains(&format!("`{file}`")), "docs/unsafe.md does not list `{file}`");
        let home = MAY_BE_UNSAFE.iter().any(|(_, folder)| Path::new(&file).starts_with(folder));
        assert!(home, "{file}: no unsafe code in this crate");
    }
    // A file that has gone is taken off the list.
    for name in listed.split('`').skip(1).step_by(2).filter(|name| name.contains('/') && name.ends_with(".rs")) {
        assert!(workspace().join(name).is_file(), "docs/unsafe.md lists `{name}`, which is not there");
    }
}

/// All Rust files of a package.
fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    for path in entries.map(|entry| entry.expect("a folder's entry").path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn all_licences_are_compatible() {
    let metadata = metadata();
    let resolved = &metadata.resolve.as_ref().expect("a resolved graph").nodes;
    let mut wrong = Vec::new();
    for package in resolved.iter().map(|node| &metadata[&node.id]) {
        let licence = package.license.as_deref().unwrap_or("not stated");
        if !is_compatible(licence) {
            wrong.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(resolved.len() > 50, "the graph is not complete: {}", resolved.len());
    assert_eq!(wrong, [""; 0]);
}

/// Whether an SPDX expression lets us choose from [`LICENCES`]: one side of every OR, both of every AND.
fn is_compatible(expression: &str) -> bool {
    // Before SPDX, a slash was OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let compatible = any_of(&mut words);
    compatible && words.peek().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>) -> bool {
    let mut compatible = all_of(words);
    while words.next_if_eq(&"OR").is_some() {
        compatible |= all_of(words);
    }
    compatible
}

fn all_of(words: &mut Words<'_>) -> bool {
    let mut compatible = one(words);
    while words.next_if_eq(&"AND").is_some() {
        compatible &= one(words);
    }
    compatible
}

fn one(words: &mut Words<'_>) -> bool {
    match words.next() {
        Some("(") => {
            let compatible = any_of(words);
            words.next_if_eq(&")").is_some() && compatible
        }
        Some(licence) => {
            // An exception only allows more.
            if words.next_if_eq(&"WITH").is_some() {
                words.next();
            }
            LICENCES.contains(&licence)
        }
        None => false,
    }
}

#[test]
fn licence_expressions_are_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-2.0-only OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
        "Unlicense OR MIT",
    ] {
        assert!(is_compatible(good), "{good}");
    }
    for bad in ["GPL-2.0-only", "MIT AND GPL-2.0-only", "LGPL-3.0", "", "not stated", "(MIT"] {
        assert!(!is_compatible(bad), "{bad}");
    }
}
