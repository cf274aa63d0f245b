//! Options that cannot be had: refused with what mends them, or done without.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gannet_harness::Outcome;

use super::{Program, command, runtime};

/// What l2fwd says when it cannot run with these options.
fn refused(runtime: &Path, arguments: &[&str]) -> String {
    let outcome = Outcome::of(command("l2fwd", runtime).args(arguments));
    assert_eq!(outcome.status, Some(2), "{arguments:?}: {}", outcome.stderr);
    outcome.stderr
}

/// What l2fwd says while it runs well.
fn warned(runtime: &Path, arguments: &[&str]) -> String {
    let ports = ["--port", "sim:ixgbe,peer=gen,count=100", "--port", "sim:ixgbe,peer=sink"];
    Outcome::fine(command("l2fwd", runtime).args(ports).args(arguments)).stderr
}

#[test]
fn addresses_that_cannot_be_listened_at() {
    let runtime = runtime();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("its address").to_string();
    for (address, why) in [
        ("9464", "127.0.0.1:9464"),
        ("localhost:9464", "127.0.0.1:9464"),
        ("127.0.0.1:99999", "127.0.0.1:9464"),
        ("", "127.0.0.1:9464"),
        (taken.as_str(), "give another port"),
        ("198.51.100.77:9464", "no address of this machine"),
    ] {
        let told = refused(runtime.path(), &["--metrics", address]);
        assert!(told.contains(why) && told.contains("--metrics"), "{address}: {told}");
    }
}

#[test]
fn places_where_no_control_socket_can_be() {
    let runtime = runtime();
    let inside = |name: &str| runtime.path().join(name).to_str().expect("a path").to_owned();
    fs::write(inside("notes"), "mine").expect("a file");
    for (path, why) in [
        (inside("missing/control"), "its folder does not exist"),
        (inside("notes"), "no socket: give another path"),
        (inside(&"x".repeat(200)), "control"),
        ("".into(), "--control"),
    ] {
        let told = refused(runtime.path(), &["--control", &path]);
        assert!(told.contains(why), "{path}: {told}");
    }
    assert_eq!(fs::read_to_string(inside("notes")).expect("still there"), "mine");
    let program = Program::start(runtime.path(), &["--control", &inside("taken")]);
    let told = refused(runtime.path(), &["--control", &inside("taken")]);
    assert!(told.contains("a running program has its control socket") && told.contains("another path"), "{told}");
    assert_eq!(program.state().program, "l2fwd");
}

#[test]
fn without_a_runtime_folder_of_the_user_tmp_will_do() {
    for folder in ["/dev/null", "/nowhere", "here"] {
        let told = warned(Path::new(folder), &[]);
        assert!(!told.contains("no control socket"), "{folder}: {told}");
    }
}

#[test]
fn without_a_place_of_its_own_the_program_warns_and_runs() {
    let runtime = runtime();
    let shared = runtime.path().join("gannet");
    fs::create_dir(&shared).expect("a folder");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("for everybody");
    let told = warned(runtime.path(), &[]);
    assert!(told.contains("belongs to this user alone") && told.contains("chmod 700"), "{told}");
}

#[test]
fn no_socket_is_made_where_none_is_wanted() {
    let runtime = runtime();
    let told = warned(runtime.path(), &["--control", "none"]);
    assert!(!told.contains("control"), "{told}");
    assert_eq!(fs::read_dir(runtime.path()).expect("the folder").count(), 0);
}
