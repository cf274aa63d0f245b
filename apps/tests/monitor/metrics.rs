//! `--metrics`: what Prometheus gets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use gannet_harness::{PATIENCE, skip, wait_until};

use super::exposition::Exposition;
use super::{FRAMES, Program, http, runtime};

#[test]
fn a_scrape_is_valid_and_has_what_was_counted() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let response = http(program.metrics(), "GET /metrics");
    assert!(response.head.starts_with("http/1.1 200 "), "{}", response.head);
    assert!(response.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", response.head);
    let metrics = Exposition::parse(&response.body).unwrap_or_else(|why| panic!("{why}\n{}", response.body));
    let (first, second) = (("port", "0"), ("port", "1"));
    let name = ("name", "sim:ixgbe#0");
    let frames = FRAMES as f64;
    for (metric, labels, expected) in [
        ("gannet_port_rx_packets_total", vec![first, name], frames),
        // 64 bytes each, of which software sees 60.
        ("gannet_port_rx_bytes_total", vec![first], 64.0 * frames),
        ("gannet_rx_queue_packets_total", vec![first, ("queue", "0")], frames),
        ("gannet_rx_queue_bytes_total", vec![first], 60.0 * frames),
        ("gannet_tx_queue_packets_total", vec![second], frames),
        ("gannet_port_link_up", vec![second], 1.0),
        ("gannet_port_speed_bits_per_second", vec![first], 1e10),
        ("gannet_port_info", vec![first, ("driver", "ixgbe")], 1.0),
        ("gannet_program_info", vec![("name", "l2fwd")], 1.0),
        ("gannet_pool_level", vec![("name", "packets")], 0.0),
        ("gannet_dropped_packets_total", vec![("place", "l2fwd"), ("reason", "late")], 0.0),
    ] {
        assert_eq!(metrics.value(metric, &labels), expected, "{metric}");
    }
    let pool = |metric: &str| metrics.value(&format!("gannet_pool_{metric}"), &[("name", "packets")]);
    assert_eq!(pool("buffers"), pool("free_buffers") + pool("cached_buffers") + pool("out_buffers"));
    assert!(metrics.value("gannet_core_packets_total", &[]) >= 2.0 * frames);
    assert!(metrics.value("gannet_core_idle_seconds_total", &[]) > 0.0);
}

#[test]
fn counters_never_go_back() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let address = program.metrics();
    let scrape = || Exposition::parse(&http(address, "GET /metrics").body).expect("valid metrics");
    let mut before = scrape();
    for _ in 0..20 {
        let now = scrape();
        for sample in before.samples.iter().filter(|sample| sample.name.ends_with("_total")) {
            let labels: Vec<_> = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert!(now.value(&sample.name, &labels) >= sample.value, "{sample:?}");
        }
        before = now;
    }
}

#[test]
fn other_requests_are_answered_with_what_mends_them() {
    if let Err(why) = TcpListener::bind("[::1]:0") {
        return skip(&format!("[::1]: {why}"));
    }
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "[::1]:0"]);
    let address = program.metrics();
    for (request, status, body) in [
        ("GET /", "404", "at /metrics"),
        ("POST /metrics", "405", "read with GET"),
        ("HEAD /metrics", "200", ""),
        ("GET /metrics?name=x", "200", "# EOF"),
    ] {
        let response = http(address, request);
        assert!(response.head.starts_with(&format!("http/1.1 {status} ")), "{request}: {}", response.head);
        assert!(response.body.contains(body), "{request}: {}", response.body);
    }
    let mut stream = TcpStream::connect(address).expect("the address");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").expect("sending");
    let mut answer = Vec::new();
    // Answered with 400 or closed, not kept waiting.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out_for_good() {
    let runtime = runtime();
    let program = Program::start(runtime.path(), &["--metrics", "127.0.0.1:0"]);
    let address = program.metrics();
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).expect("the address")).collect();
    // Those beyond the limit wait in the kernel's queue; nobody else is disturbed.
    assert_eq!(program.state().program, "l2fwd");
    drop(silent);
    wait_until("a scrape", || http(address, "GET /metrics").head.starts_with("http/1.1 200 "));
}
