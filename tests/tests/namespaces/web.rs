//! The kernel's TCP against smoltcp's: the example http behind a TAP interface, asked from a namespace.
//!
//! ```text
//!   namespace        TAP ──► software card ◄──► http
//!   198.51.100.1                                198.51.100.2
//! ```

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::lab::{Namespace, PATIENCE, Process, has_ipv6, run, unique_name, wait_until};

const IPV4: &str = "198.51.100.2:80";
const IPV6: &str = "[fd5a:47a1:6e17::2]:80";

/// The program and who asks it. Fields are dropped in this order.
struct Web {
    server: Process,
    namespace: Namespace,
}

impl Web {
    /// The server is up and answers.
    fn new() -> Web {
        let namespace = Namespace::new(unique_name('w'));
        let mut command = Command::new(gannet_tests::example("http"));
        command.args(["--port", &format!("sim:ixgbe,peer=tap:{}", namespace.interface)]);
        command.args(["--address", "198.51.100.2/24", "--address", "fd5a:47a1:6e17::2/64"]);
        let mut server = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let there = format!("/sys/class/net/{}", namespace.interface);
        wait_until("http to make its TAP interface", || {
            assert!(server.runs(), "http has ended at once");
            Path::new(&there).exists()
        });
        namespace.take_interface(1);
        let web = Web { server, namespace };
        wait_until("the first answer of http", || {
            let mut ping = web.namespace.command("ping", "-c 1 -W 1 198.51.100.2");
            ping.output().is_ok_and(|output| output.status.success())
        });
        web
    }

    /// Ctrl-C for the program. It ends as it should only with all buffers home.
    fn finish(mut self) {
        self.server.interrupt();
        assert!(self.server.succeeded(), "http has not ended well");
    }

    /// What the server says to `request` until it closes the connection: through a socket of the kernel's, in the namespace.
    fn ask(&self, server: &str, request: &str) -> String {
        let namespace = format!("/run/netns/{}", self.namespace.interface);
        let server: SocketAddr = server.parse().expect("an address");
        // A thread can be in another namespace than its process.
        let asked = thread::scope(|scope| {
            let asking = scope.spawn(|| -> std::io::Result<String> {
                setns(File::open(&namespace)?, CloneFlags::CLONE_NEWNET)?;
                let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(request.as_bytes())?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer)
            });
            asking.join().expect("no panic")
        });
        asked.unwrap_or_else(|why| panic!("{server}: {why}"))
    }
}

/// The large page of the example: numbered lines.
fn assert_large(page: &str) {
    assert_eq!(page.len(), 100_000);
    assert!(page.lines().enumerate().all(|(number, line)| line.parse() == Ok(number)), "{page}");
}

pub(crate) fn sockets_of_the_kernel() {
    let web = Web::new();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let servers = if has_ipv6() { &[IPV4, IPV6][..] } else { &[IPV4] };
    for server in servers {
        let answer = web.ask(server, &get("/"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("received"), "{answer}");
        let answer = web.ask(server, &get("/large"));
        assert_large(answer.split_once("\r\n\r\n").expect("a head").1);
        assert!(web.ask(server, &get("/nowhere")).starts_with("HTTP/1.1 404 "));
        assert!(web.ask(server, "no HTTP\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_large(web.ask(IPV4, &get("/large")).split_once("\r\n\r\n").expect("a head").1));
        }
    });
    web.finish();
}

pub(crate) fn curl() {
    let web = Web::new();
    let large = "http://198.51.100.2/large";
    let curl =
        |words: &str| run(&mut web.namespace.command("curl", &format!("--silent --show-error --max-time 20 {words}")));
    assert!(curl("http://198.51.100.2/").contains("buffers in use"));
    assert_large(&curl(large));
    assert_eq!(curl("--head --write-out %{http_code} --output /dev/null http://198.51.100.2/nowhere"), "404");
    // One connection for all three.
    let told = curl(&format!(
        "--write-out %{{num_connects}}, --output /dev/null {large} --output /dev/null {large} --output /dev/null {large}"
    ));
    assert_eq!(told, "1,0,0,");
    if has_ipv6() {
        assert_large(&curl("http://[fd5a:47a1:6e17::2]/large"));
    }
    web.finish();
}
