//! The web server, asked by a client of the same stack: two software cards on one cable, both stepped, in simulated time.

#[path = "../../examples/http/client.rs"]
mod client;
#[path = "../../examples/http/host.rs"]
mod host;
#[path = "../../examples/http/server.rs"]
mod server;

use std::num::NonZeroUsize;
use std::time::Duration;

use gannet::{Control, Filter, Pool, PoolOptions, Port, PortConfig, Queues};
use gannet_apps::smoltcp_device::PortDevice;
use gannet_sim::Clock;
use gannet_sim::peer::impair::{Faults, ImpairOptions, Impaired};
use gannet_sim::peer::{Peer, link};
use gannet_sim::x82599::{self, Nic, NicOptions, Probe};
use smoltcp::time::Instant;
use smoltcp::wire::{IpAddress, IpCidr};

use self::client::Client;
use self::host::Host;
use self::server::Server;

/// Simulated time of a round.
const ROUND: Duration = Duration::from_micros(100);

/// Most rounds: two simulated minutes.
const ROUNDS: usize = 1_200_000;

const PORT: u16 = 80;

/// A host, and what keeps its port alive.
struct End {
    host: Host,
    nic: Nic,
    probe: Probe,
    control: Control,
}

impl End {
    fn new(peer: Box<dyn Peer>, clock: &Clock, pool: &Pool, number: u8) -> End {
        let mac = [2, 0, 0, 0, 0, number];
        let options = NicOptions { mac, clock: clock.clone(), ..NicOptions::default() };
        let (device, nic) = x82599::new(options, peer);
        let config = PortConfig { filter: Filter::promiscuous(), ..PortConfig::new(pool, 64) };
        let (control, queues) = Port::probe(device).unwrap().configure(config).unwrap().start().unwrap();
        let Queues { mut rx, mut tx } = queues;
        let device = PortDevice::new(rx.remove(0), tx.remove(0), pool, gannet::DEFAULT_MTU);
        let addresses = [address(4, number), address(6, number)].map(|address| {
            let length = if matches!(address, IpAddress::Ipv4(_)) { 24 } else { 64 };
            IpCidr::new(address, length)
        });
        let host = Host::new(device, mac, &addresses, number.into(), Instant::ZERO);
        End { host, probe: nic.probe(), nic, control }
    }
}

/// Address of a host.
fn address(version: u8, number: u8) -> IpAddress {
    match version {
        4 => IpAddress::v4(198, 51, 100, number),
        _ => IpAddress::v6(0x2001, 0xDB8, 0, 0, 0, 0, 0, number.into()),
    }
}

/// The server, its client, and the cable between them.
struct Lab {
    clock: Clock,
    pool: Pool,
    near: End,
    far: End,
    server: Server,
}

impl Lab {
    /// A server for so many connections.
    fn new(connections: usize) -> Lab {
        Lab::with_cable(connections, Faults::default())
    }

    /// The same, on a cable with these faults, both ways.
    fn with_cable(connections: usize, faults: Faults) -> Lab {
        let clock = Clock::stepped();
        let pool = Pool::new(&PoolOptions { buffers: 512, cache: 32, ..PoolOptions::default() }).unwrap();
        let (one, other) = link::pair(NonZeroUsize::new(256).unwrap());
        let impair = ImpairOptions { to_card: faults, from_card: faults, seed: 7, ..ImpairOptions::default() };
        let (one, _) = Impaired::new(Box::new(one) as Box<dyn Peer>, &impair).unwrap();
        let mut near = End::new(Box::new(one), &clock, &pool, 1);
        let far = End::new(Box::new(other), &clock, &pool, 2);
        let server = Server::new(&mut near.host.sockets, PORT, connections);
        let mut lab = Lab { clock, pool, near, far, server };
        // The links come up, the server listens.
        for _ in 0..1000 {
            lab.round();
        }
        lab
    }

    fn round(&mut self) {
        self.clock.advance(ROUND);
        let now = Instant::from_micros((self.clock.now() / 1000) as i64);
        for end in [&mut self.near, &mut self.far] {
            end.nic.step(32);
            end.host.poll(now);
        }
        self.server.poll(&mut self.near.host.sockets, now, &mut page);
    }

    fn client(&mut self, version: u8, requests: &[&str]) -> Client {
        Client::connect(&mut self.far.host, (address(version, 1), PORT).into(), requests).expect("a way to the server")
    }

    /// Asks, and waits until the server has closed all connections. Returns what it has said.
    fn ask(&mut self, requests: &[&str]) -> Vec<String> {
        let client = self.client(4, requests);
        self.finish(client)
    }

    fn finish(&mut self, mut client: Client) -> Vec<String> {
        for _ in 0..ROUNDS {
            self.round();
            if client.poll(&mut self.far.host.sockets) {
                let text = |bytes| String::from_utf8(bytes).expect("the server says text");
                return client.into_heard().into_iter().map(text).collect();
            }
        }
        panic!("no end after {ROUNDS} rounds");
    }

    /// Stops everything. No rule of the cards' was broken, and every buffer is home.
    fn close(self) {
        for End { host, nic, probe, control } in [self.near, self.far] {
            control.stop(host.device.into_queues()).expect("the port stops");
            drop(nic);
            assert_eq!(probe.violations(), []);
            assert_eq!(probe.dma_faults(), []);
        }
        assert_eq!(self.pool.census().out, 0, "{:?}", self.pool.census());
    }
}

/// Lines that tell which they are: what is missing or in the wrong place is seen.
fn large() -> String {
    (0..10_000).map(|number| format!("{number:09}\n")).collect()
}

fn page(path: &str) -> Option<String> {
    match path {
        "/" => Some("hello\n".into()),
        "/large" => Some(large()),
        _ => None,
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

/// Status line and body of an answer whose length is as its head says.
#[track_caller]
fn parts(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    assert_eq!(length.parse(), Ok(body.len()), "{head}");
    (head.lines().next().expect("a status line"), body)
}

#[test]
fn several_connections_at_once_each_get_their_page() {
    let mut lab = Lab::new(8);
    let heard = lab.ask(&[&get("/"), &get("/large"), &get("/nowhere"), &get("/large?again"), &get("/large")]);
    let answers: Vec<_> = heard.iter().map(|answer| parts(answer)).collect();
    let large = large();
    let whole = ("HTTP/1.1 200 OK", &*large);
    assert_eq!(answers[0], ("HTTP/1.1 200 OK", "hello\n"));
    assert!(answers[1] == whole && answers[3] == whole && answers[4] == whole);
    assert_eq!(answers[2], ("HTTP/1.1 404 Not Found", "404 Not Found\n"));
    lab.close();
}

#[test]
fn over_ipv6() {
    let mut lab = Lab::new(2);
    let client = lab.client(6, &[&get("/"), &get("/large")]);
    let heard = lab.finish(client);
    assert_eq!(parts(&heard[0]).1, "hello\n");
    assert!(parts(&heard[1]).1 == large());
    lab.close();
}

#[test]
fn a_connection_is_kept_for_further_requests() {
    let mut lab = Lab::new(1);
    let kept = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    // Sent at once, without waiting for answers.
    let heard = lab.ask(&[&format!("{kept}{kept}HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n{}", get("/"))]);
    assert_eq!(heard[0].matches("HTTP/1.1 200 OK").count(), 4, "{}", heard[0]);
    assert_eq!(heard[0].matches("hello\n").count(), 3, "{}", heard[0]);
    assert!(heard[0].contains("Content-Length: 100000\r\nConnection: keep-alive\r\n\r\nHTTP"), "{}", heard[0]);
    assert!(heard[0].ends_with("Connection: close\r\n\r\nhello\n"), "{}", heard[0]);
    // HTTP/1.0 has no such thing, nor Host.
    let heard = lab.ask(&["GET / HTTP/1.0\r\n\r\n"]);
    assert_eq!(parts(&heard[0]), ("HTTP/1.1 200 OK", "hello\n"));
    lab.close();
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_closed() {
    let mut lab = Lab::new(2);
    let long = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(5000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(65));
    for (request, status) in [
        ("\x16\x03\x01 not HTTP\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/9.9\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "501 Not Implemented"),
        (&long, "431 Request Header Fields Too Large"),
        (&many, "431 Request Header Fields Too Large"),
    ] {
        let heard = lab.ask(&[request]);
        assert_eq!(parts(&heard[0]), (&*format!("HTTP/1.1 {status}"), &*format!("{status}\n")), "{request:?}");
    }
    lab.close();
}

#[test]
fn there_are_no_more_connections_than_places_and_each_place_is_used_again() {
    let mut lab = Lab::new(2);
    for _ in 0..3 {
        let heard = lab.ask(&[&get("/"), &get("/"), &get("/")]);
        let answered = heard.iter().filter(|answer| answer.ends_with("hello\n")).count();
        assert_eq!((answered, heard.iter().filter(|answer| answer.is_empty()).count()), (2, 1), "{heard:?}");
    }
    lab.close();
}

#[test]
fn who_says_nothing_does_not_keep_a_place() {
    let mut lab = Lab::new(1);
    let begin = lab.clock.now();
    let heard = lab.ask(&["GET / HTTP/1.1\r\nHost:"]);
    assert_eq!(heard, [""]);
    let waited = Duration::from_nanos(lab.clock.now() - begin);
    assert!((Duration::from_secs(9)..Duration::from_secs(12)).contains(&waited), "{waited:?}");
    assert_eq!(parts(&lab.ask(&[&get("/")])[0]).1, "hello\n");
    lab.close();
}

#[test]
fn a_bad_cable_costs_time_and_no_byte() {
    let bad = Faults {
        loss_ppm: 20_000,
        duplication_ppm: 10_000,
        corruption_ppm: 10_000,
        reordering_ppm: 10_000,
        ..Faults::default()
    };
    let mut lab = Lab::with_cable(2, bad);
    let heard = lab.ask(&[&get("/large"), &get("/large")]);
    assert!(heard.iter().all(|answer| parts(answer).1 == large()));
    lab.close();
}

#[test]
fn without_free_buffers_the_device_waits_and_goes_on() {
    let mut lab = Lab::new(1);
    let client = lab.client(4, &[&get("/large")]);
    let all: Vec<_> = std::iter::from_fn(|| lab.pool.alloc()).collect();
    for _ in 0..1000 {
        lab.round();
    }
    drop(all);
    assert!(parts(&lab.finish(client)[0]).1 == large());
    lab.close();
}
