//! What docs/guide/telemetry.md shows is what the programs print, but for the numbers.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::{Answer, State};

use super::{Program, ask, command, http, run, runtime, wait_for};

fn guide() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/telemetry.md")).expect("the guide")
}

/// The command in the guide that begins like this, and what it prints.
fn shown(command: &str) -> (String, String) {
    let guide = guide();
    let (_, rest) = guide.split_once(&format!("```\n$ {command}")).unwrap_or_else(|| panic!("no {command}"));
    let (arguments, rest) = rest.split_once('\n').expect("an output");
    (format!("{command}{arguments}"), rest.split("```").next().unwrap_or_default().to_owned())
}

/// Text with a # for each number, and one space where there are several.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        let is_more = match letter {
            '#' => shape.ends_with('#'),
            ' ' => shape.ends_with(' '),
            _ => false,
        };
        if !is_more {
            shape.push(letter);
        }
    }
    shape
}

/// The guide's l2fwd, once it forwards, on any free port.
fn l2fwd(runtime: &Path) -> Program {
    let guide = guide();
    let line = guide.lines().find(|line| line.contains("--metrics 127.0.0.1:9464 &")).expect("l2fwd with metrics");
    let (_, arguments) = line.trim_end_matches('&').split_once("$ l2fwd ").expect("its arguments");
    let mut command = command("l2fwd", runtime);
    command.args(arguments.replace("9464", "0").split_whitespace());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("l2fwd starts");
    let path = runtime.join(format!("gannet/l2fwd-{}.sock", child.id()));
    let program = Program { child, path };
    wait_for("forwarded frames", || {
        let State { ports, cores, .. } = client::state(&program.path).ok()?;
        let is_forwarding = ports.len() == 2 && ports.iter().all(|port| port.tx_queues[0].packets > 0);
        (is_forwarding && !cores.is_empty()).then_some(())
    });
    program
}

#[test]
fn its_commands_print_what_it_shows() {
    let runtime = runtime();
    let program = l2fwd(runtime.path());

    let (once, output) = shown("nictop --once");
    let mut nictop = command("nictop", runtime.path());
    nictop.args(once.split(' ').skip(1));
    let (status, stdout, stderr) = run(nictop);
    assert_eq!((status, shape(&stdout)), (Some(0), shape(&output)), "{stdout}{stderr}");

    let (curl, output) = shown("curl -s http://127.0.0.1:9464/metrics | grep ");
    let (_, wanted) = curl.rsplit_once(' ').expect("a pattern");
    let body = http(program.metrics(), "GET /metrics").body;
    let found: String = body.lines().filter(|line| line.contains(wanted)).map(|line| format!("{line}\n")).collect();
    assert_eq!(shape(&found), shape(&output));

    let (_, output) = shown("echo '{\"request\":\"state\"}' | socat");
    let answer = ask(&program.path, b"{\"request\":\"state\"}\n");
    assert!(matches!(serde_json::from_str(&answer), Ok(Answer::State(_))), "{answer}");
    // Lists are shortened in the guide: what stands around them is there, in this order.
    let answer = shape(&answer);
    let mut rest = answer.as_str();
    for part in shape(&output).trim_end().trim_end_matches(['}', ']']).split("...") {
        let part = part.trim_start_matches(']');
        (_, rest) = rest.split_once(part).unwrap_or_else(|| panic!("no {part} in {answer}"));
    }
}

#[test]
fn the_metrics_that_it_names_are_there() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let body = http(program.metrics(), "GET /metrics").body;
    let guide = guide();
    // In backquotes or a query; "gannet_port_*" stands for all that begin so.
    let names = guide.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let names: Vec<&str> =
        names.filter(|word| word.starts_with("gannet_") && !word.starts_with("gannet_apps")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let family = name.trim_end_matches("_total");
        assert!(body.contains(&format!("# TYPE {family}")) || body.contains(&format!("\n{name}{{")), "{name}");
    }
}
