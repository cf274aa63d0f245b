//! What docs/guide/telemetry.md shows is what the programs print, but for the numbers.

use std::path::Path;

use gannet_apps::monitor::client;
use gannet_apps::monitor::state::{Answer, State};
use gannet_harness::guide::{shape, text, transcript};
use gannet_harness::{Outcome, Running, wait_for};

use super::{Program, ask, command, http, runtime};

const GUIDE: &str = "telemetry";

/// The shapes of lines.
fn shapes(text: &str) -> Vec<String> {
    text.lines().map(shape).collect()
}

/// The guide's l2fwd, once it forwards, on any free port.
fn l2fwd(runtime: &Path) -> Program {
    let guide = text(GUIDE);
    let line = guide.lines().find(|line| line.contains("--metrics 127.0.0.1:9464 &")).expect("l2fwd with metrics");
    let (_, arguments) = line.trim_end_matches('&').split_once("$ l2fwd ").expect("its arguments");
    let mut command = command("l2fwd", runtime);
    command.args(arguments.replace("9464", "0").split_whitespace());
    let running = Running::start(&mut command);
    let path = runtime.join(format!("gannet/l2fwd-{}.sock", running.id()));
    let program = Program { running, path };
    wait_for("forwarded frames", || {
        let State { ports, cores, .. } = client::state(&program.path, client::PATIENCE).ok()?;
        let is_forwarding = ports.len() == 2 && ports.iter().all(|port| port.tx_queues[0].packets > 0);
        (is_forwarding && !cores.is_empty()).then_some(())
    });
    program
}

#[test]
fn its_commands_print_what_it_shows() {
    let runtime = runtime();
    let program = l2fwd(runtime.path());

    let shown = transcript(GUIDE, "nictop --once");
    let outcome = Outcome::fine(command("nictop", runtime.path()).args(shown.arguments()));
    assert_eq!(shapes(&outcome.stdout), shapes(&shown.output), "{}", outcome.stderr);

    let shown = transcript(GUIDE, "curl -s http://127.0.0.1:9464/metrics | grep ");
    let (_, wanted) = shown.command.rsplit_once(' ').expect("a pattern");
    let body = http(program.metrics(), "GET /metrics").body;
    let found: Vec<String> = body.lines().filter(|line| line.contains(wanted)).map(shape).collect();
    assert_eq!(found, shapes(&shown.output));

    let shown = transcript(GUIDE, "echo '{\"request\":\"state\"}' | socat");
    let answer = ask(&program.path, b"{\"request\":\"state\"}\n");
    assert!(matches!(serde_json::from_str(&answer), Ok(Answer::State(_))), "{answer}");
    // Lists are shortened in the guide: what stands around them is there, in this order.
    let answer = shape(&answer);
    let mut rest = answer.as_str();
    for part in shape(&shown.output).trim_end_matches(['}', ']']).split("...") {
        let part = part.trim_start_matches(']');
        (_, rest) = rest.split_once(part).unwrap_or_else(|| panic!("no {part} in {answer}"));
    }
}

#[test]
fn the_metrics_that_it_names_are_there() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let body = http(program.metrics(), "GET /metrics").body;
    let guide = text(GUIDE);
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
