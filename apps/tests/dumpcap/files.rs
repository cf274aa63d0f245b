//! Where captures go: rings of files, disks that are full.

use std::fs;
use std::path::Path;

use gannet::Direction;
use gannet_harness::capture::assert_same;
use gannet_harness::{Running, skip, wait_until};
use nix::unistd::geteuid;

use super::host::Host;
use super::{Capture, Place, traffic};

#[test]
fn a_ring_of_files_keeps_the_last_packets_each_file_complete() {
    let place = Place::new();
    let frames = vec![traffic(); 4].concat();
    let mut host = Host::new(&place);
    let first = place.file("ring_00001.pcapng");
    let name = place.file("ring.pcapng");
    let arguments = ["-w", name.to_str().unwrap(), "-i", "0", "--file-size", "16", "--files", "3", "--json"];
    let dumpcap = Running::start(&mut place.dumpcap(&arguments));
    wait_until("the first file", || first.exists());
    host.forward(&frames);
    host.end();
    let report = dumpcap.report(0);
    assert_eq!(report["packets"], frames.len());
    let mut there: Vec<_> = fs::read_dir(place.file("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    there.retain(|path| path.extension().is_some_and(|extension| extension == "pcapng"));
    there.sort();
    let named: Vec<_> = report["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(there.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>(), named);
    assert_eq!(there.len(), 3);
    assert!(!first.exists() && !name.exists(), "the oldest are gone");
    let captures: Vec<_> = there.iter().map(|path| Capture::read(path)).collect();
    assert!(captures.iter().all(|capture| capture.statistics.len() == 1), "each has its end");
    let kept: Vec<_> = captures.iter().flat_map(|capture| capture.bytes(0, Direction::Rx)).collect();
    assert_same(&kept, &frames[frames.len() - kept.len()..]);
    for path in &there[..2] {
        let size = fs::metadata(path).unwrap().len();
        assert!((16 << 10..20 << 10).contains(&size), "{size}");
    }
}

#[test]
fn a_disk_that_is_full_at_once_is_told_of() {
    let place = Place::new();
    let host = Host::new(&place);
    for (file, part) in [("/dev/full", "No space left"), ("/no/such/folder/x", "creating /no/such/folder/x")] {
        let outcome = place.run(&["-w", file]);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(part), "{outcome:?}");
    }
    host.end();
}

#[test]
fn a_disk_that_becomes_full_ends_the_capture_and_is_told_of() {
    if !geteuid().is_root() {
        return skip("a small disk can be mounted by root only");
    }
    let place = Place::new();
    let disk = place.file("disk");
    fs::create_dir(&disk).unwrap();
    let frames = traffic();
    let mut host = Host::new(&place);
    // In a mount namespace of its own: it goes with the program. The file shows by a link that it is there.
    let script = format!(
        "mount -t tmpfs -o size=64k small {disk} && ln -sf /proc/$$/root{disk}/x {link} && exec {dumpcap} -w {disk}/x --json",
        disk = disk.display(),
        link = place.file("link").display(),
        dumpcap = env!("CARGO_BIN_EXE_dumpcap"),
    );
    let mut command = place.command("unshare");
    let mut dumpcap = Running::start(command.args(["-m", "sh", "-c", &script]));
    let is_begun = |path: &Path| fs::metadata(path).is_ok_and(|about| about.len() > 0);
    wait_until("the capture to begin", || is_begun(&place.file("link")) || dumpcap.has_ended());
    wait_until("the disk to be full", || {
        host.forward(&frames);
        dumpcap.has_ended()
    });
    let report = dumpcap.report(1);
    assert_eq!(report["ended"], "failed", "{report}");
    assert!(report["problems"][0].as_str().unwrap().contains("No space left"), "{report}");
    host.end();
}
