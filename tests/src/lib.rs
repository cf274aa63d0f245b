//! Tests that need more than one crate, and what they share: the programs under test, and what the host has.

#![forbid(unsafe_code)]

pub mod captures;
pub mod vm;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;
use libtest_mimic::Trial;

/// The workspace's root.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member of the workspace")
}

/// Builds a program of the workspace as it is released, and says where it is.
///
/// # Panics
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    built(name, Command::new(env!("CARGO")).args(["build", "--bin"])).unwrap_or_else(|why| panic!("{why:#}"))
}

/// The same for an example.
///
/// # Panics
/// If it cannot be built.
pub fn example(name: &str) -> PathBuf {
    built(name, Command::new(env!("CARGO")).args(["build", "--example"])).unwrap_or_else(|why| panic!("{why:#}"))
}

/// Builds a program of the workspace with its libraries inside, for where there are none. Optimised, but not across crates: that
/// takes minutes, and what needs such a program does not measure it.
///
/// # Errors
/// If it cannot be built. What is wrong with it stands on standard error.
pub fn static_program(name: &str) -> Result<PathBuf> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--config", "profile.release.lto='off'", "--config", "profile.release.codegen-units=16"]);
    // With --target the flags are not those of build scripts, which cannot be linked so.
    build.args(["--target", "x86_64-unknown-linux-gnu", "--target-dir"]).arg(workspace().join("target/lab/build"));
    built(name, build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static").arg("--bin"))
}

/// Runs a build for one program, whose name is the next argument.
fn built(name: &str, build: &mut Command) -> Result<PathBuf> {
    let mut build = build
        .args([name, "--release", "--quiet", "--message-format=json-render-diagnostics"])
        .current_dir(workspace())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    let messages = Message::parse_stream(BufReader::new(build.stdout.take().context("no pipe to cargo")?));
    let executables = messages.filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == name => artifact.executable,
        _ => None,
    });
    let path = executables.last();
    ensure!(build.wait()?.success(), "the program {name} cannot be built");
    Ok(path.with_context(|| format!("cargo does not say where it put {name}"))?.into())
}

/// Whether the host has this program.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Why a test that needs these programs cannot run, if so.
pub fn missing(programs: &[&str]) -> Option<String> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
}

/// A test that is skipped, counted as ignored, and says why, if there is a reason.
pub fn trial(name: &str, reason: Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    if let Some(reason) = &reason {
        eprintln!("skipped {name}: {reason}");
    }
    let run = move || {
        test();
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(reason.is_some())
}
