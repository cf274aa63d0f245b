//! Packages of the host's distribution: downloaded by its own apt, unpacked into a folder, never installed.
//!
//! apt is given a package list, a state and a cache of its own. Its record of installed packages is empty, so that what is
//! downloaded is complete: with every library, the C library included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::output;

/// Keys of Debian's archive, on systems that do not trust them for every source.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The distribution's archive, as a private instance of apt sees it.
pub(super) struct Archive {
    folder: PathBuf,
    release: String,
    /// The suite to prefer, where the release itself is too old.
    suite: Option<String>,
}

impl Archive {
    /// Reads the archive's lists of packages: those of the running release and of its backports.
    pub(super) fn open(folder: &Path) -> Result<Archive> {
        for needed in ["archives/partial", "lists/partial"] {
            fs::create_dir_all(folder.join(needed)).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let (site, release) = running_release()?;
        let keys = if Path::new(KEYS).exists() { format!("[signed-by={KEYS}] ") } else { String::new() };
        let source = |suite: &str| format!("deb {keys}{site} {suite} main\n");
        fs::write(folder.join("sources.list"), source(&release) + &source(&format!("{release}-backports")))?;
        fs::write(folder.join("status"), "")?;
        let archive = Archive { folder: folder.to_owned(), release, suite: None };
        // Without this option apt makes do with what it could fetch.
        let update = ["-o", "APT::Update::Error-Mode=any", "update"];
        output(archive.apt("apt-get").args(update)).context("the lists of packages cannot be fetched")?;
        Ok(archive)
    }

    /// Makes sure that a package is of this version or later, from backports if need be.
    pub(super) fn require(&mut self, package: &str, oldest: u32) -> Result<()> {
        let table = String::from_utf8(output(self.apt("apt-cache").args(["madison", package]))?)?;
        // package | [epoch:]version | site suite/component architecture Packages
        let offers = table.lines().filter_map(|line| {
            let mut columns = line.split('|').skip(1).map(str::trim);
            let version = columns.next()?;
            let version = version.split_once(':').map_or(version, |(_, rest)| rest);
            let major: u32 = version.split('.').next()?.parse().ok()?;
            (major >= oldest).then(|| columns.next()?.split(' ').nth(1)?.split('/').next().map(str::to_owned)).flatten()
        });
        let suites: Vec<String> = offers.collect();
        match suites.first() {
            None => bail!("{} has no {package} of version {oldest} or later, nor have its backports", self.release),
            Some(_) if suites.contains(&self.release) => Ok(()),
            Some(suite) => {
                self.suite = Some(suite.clone());
                Ok(())
            }
        }
    }

    /// The package that another one stands for: its first dependency with this prefix.
    pub(super) fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let text = String::from_utf8(output(self.apt("apt-cache").args(["depends", package]))?)?;
        let mut found = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        found
            .find(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .with_context(|| format!("{} has no package {package}", self.release))
    }

    /// Downloads packages with all they depend on, and one package alone.
    pub(super) fn download(&self, packages: &[&str], alone: &str) -> Result<()> {
        let mut install = self.apt("apt-get");
        install.args(["--no-install-recommends", "--yes", "--download-only"]);
        if let Some(suite) = &self.suite {
            install.args(["--target-release", suite]);
        }
        output(install.arg("install").args(packages)).context("packages cannot be downloaded")?;
        let mut download = self.apt("apt-get");
        download.args(["download", alone]).current_dir(self.folder.join("archives"));
        output(&mut download).with_context(|| format!("{alone} cannot be downloaded"))?;
        Ok(())
    }

    /// Unpacks what was downloaded, and removes the downloads. Returns the packages as `name version`.
    pub(super) fn unpack(&self, root: &Path) -> Result<Vec<String>> {
        let mut versions = Vec::new();
        let archives = self.folder.join("archives");
        for entry in fs::read_dir(&archives).context("the downloads are gone")? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                output(Command::new("dpkg-deb").arg("--extract").args([&path, root]))?;
                let show = Command::new("dpkg-deb")
                    .args(["--show", "--showformat=${Package} ${Version}"])
                    .arg(&path)
                    .output()?;
                versions.push(String::from_utf8(show.stdout)?);
            }
        }
        versions.sort();
        fs::remove_dir_all(&self.folder)?;
        Ok(versions)
    }

    /// A program of apt that keeps to this archive's folder.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let own = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            format!("Dir::Etc::SourceList={}", own("sources.list")),
            "Dir::Etc::SourceParts=/dev/null".into(),
            format!("Dir::State::Lists={}", own("lists")),
            format!("Dir::State::Status={}", own("status")),
            format!("Dir::Cache::Archives={}", own("archives")),
            "Dir::Cache::PkgCache=".into(),
            "Dir::Cache::SrcPkgCache=".into(),
            "Acquire::Languages=none".into(),
        ];
        options.iter().for_each(|option| {
            command.args(["-o", option]);
        });
        command.env("LC_ALL", "C");
        command
    }
}

/// Where the host gets its packages from, and the release it runs.
fn running_release() -> Result<(String, String)> {
    let mut query = Command::new("apt-get");
    query.args(["indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)"]);
    let targets = String::from_utf8(output(&mut query)?)?;
    let mut found = targets.lines().filter_map(|line| {
        let mut fields = line.split('|');
        let (site, release, component) = (fields.next()?, fields.next()?, fields.next()?);
        // Updates and security fixes are suites with a dash.
        (component == "main" && !release.contains(['-', '/'])).then(|| (site.to_owned(), release.to_owned()))
    });
    found.next().context("apt knows no archive of this distribution: see /etc/apt/sources.list")
}
