//! An HTTP/1.1 server over smoltcp's sockets: GET and HEAD, several connections at once, each kept for further requests.
//!
//! ```text
//!   listen ──► read a request ──► send the answer ──┬──► close ──► listen
//!                    ▲──────── keep-alive ──────────┘
//! ```

use httparse::{EMPTY_HEADER, Request, Status};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};

/// Bytes of each socket's buffers: with less, a page would wait for acknowledgements.
const RECEIVE: usize = 4 << 10;
const SEND: usize = 64 << 10;

/// Longest head of a request.
const LONGEST_REQUEST: usize = 4 << 10;

/// Most headers of a request.
const HEADERS: usize = 64;

/// Longest time for the next request to be complete, or for the client to take the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the text of the page at a path, if there is such a page.
pub(crate) type Pages<'a> = &'a mut dyn FnMut(&str) -> Option<String>;

/// A server of text pages.
pub(crate) struct Server {
    connections: Vec<Connection>,
}

impl Server {
    /// A server that listens on TCP port `port`, which is not 0, for so many connections at once.
    pub(crate) fn new(sockets: &mut SocketSet<'static>, port: u16, connections: usize) -> Server {
        let connection = |_| {
            let buffer = |bytes| tcp::SocketBuffer::new(vec![0; bytes]);
            let socket = sockets.add(tcp::Socket::new(buffer(RECEIVE), buffer(SEND)));
            Connection {
                socket,
                port,
                deadline: Instant::ZERO,
                request: Vec::new(),
                answer: Vec::new(),
                then: Then::KeepAlive,
            }
        };
        Server { connections: (0..connections).map(connection).collect() }
    }

    /// One round, between two polls of the interface.
    pub(crate) fn poll(&mut self, sockets: &mut SocketSet<'static>, now: Instant, pages: Pages<'_>) {
        for connection in &mut self.connections {
            connection.poll(sockets.get_mut(connection.socket), now, pages);
        }
    }
}

/// A place for a connection.
struct Connection {
    socket: SocketHandle,
    port: u16,
    /// When patience ends.
    deadline: Instant,
    /// What has come of the next request.
    request: Vec<u8>,
    /// What is still to be sent of the last answer, and what follows it.
    answer: Vec<u8>,
    then: Then,
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    KeepAlive,
    Close,
}

impl Connection {
    fn poll(&mut self, socket: &mut tcp::Socket<'_>, now: Instant, pages: Pages<'_>) {
        if !socket.is_open() {
            self.request.clear();
            self.answer.clear();
            self.then = Then::KeepAlive;
            // Refused for port 0 only.
            let _ = socket.listen(self.port);
        }
        if socket.is_listening() {
            self.deadline = now + PATIENCE;
        } else if now >= self.deadline {
            // The reset leaves with the next poll, then the socket listens again.
            socket.abort();
        } else if !self.answer.is_empty() {
            self.send(socket, now);
        } else if self.then == Then::KeepAlive {
            self.read(socket, pages);
        }
    }

    /// Sends what the socket has room for.
    fn send(&mut self, socket: &mut tcp::Socket<'_>, now: Instant) {
        let Ok(sent) = socket.send_slice(&self.answer) else {
            // The client has gone.
            return socket.abort();
        };
        self.answer.drain(..sent);
        if sent > 0 {
            self.deadline = now + PATIENCE;
        }
        if self.answer.is_empty() && self.then == Then::Close {
            // What waits in the socket's buffer leaves before.
            socket.close();
        }
    }

    /// Reads what has arrived, and answers once that is a request.
    fn read(&mut self, socket: &mut tcp::Socket<'_>, pages: Pages<'_>) {
        while socket.can_recv() && self.request.len() < LONGEST_REQUEST {
            let room = LONGEST_REQUEST - self.request.len();
            let taken = socket.recv(|bytes| {
                let taken = &bytes[..bytes.len().min(room)];
                self.request.extend_from_slice(taken);
                (taken.len(), ())
            });
            if taken.is_err() {
                break;
            }
        }
        match parse(&self.request) {
            Parsed::Whole(request) => {
                self.then = request.then;
                self.answer = match pages(request.path) {
                    Some(page) => response("200 OK", &page, request.body, request.then),
                    None => response("404 Not Found", "404 Not Found\n", request.body, request.then),
                };
                let length = request.length;
                self.request.drain(..length);
            }
            Parsed::Bad(status) => {
                self.then = Then::Close;
                self.answer = response(status, &format!("{status}\n"), Body::Sent, Then::Close);
            }
            Parsed::Part if socket.may_recv() || socket.state() == tcp::State::SynReceived => {}
            Parsed::Part => {
                // The client has said all that it wanted to say.
                self.then = Then::Close;
                socket.close();
            }
        }
    }
}

/// A request.
struct Wanted<'a> {
    path: &'a str,
    body: Body,
    then: Then,
    /// Bytes that it takes.
    length: usize,
}

/// Whether the page follows the head of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// GET.
    Sent,
    /// HEAD.
    LeftOut,
}

/// What there is of a request.
enum Parsed<'a> {
    Part,
    Whole(Wanted<'a>),
    /// None that is answered but by this status.
    Bad(&'static str),
}

/// Reads the request at the start of `bytes`.
fn parse(bytes: &[u8]) -> Parsed<'_> {
    const TOO_LARGE: &str = "431 Request Header Fields Too Large";
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < LONGEST_REQUEST => return Parsed::Part,
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Parsed::Bad(TOO_LARGE),
        Err(_) => return Parsed::Bad("400 Bad Request"),
    };
    let has = |name: &str, value: fn(&str) -> bool| {
        let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| str::from_utf8(header.value).ok()).any(value)
    };
    let http_1_1 = request.version == Some(1);
    // A body would be taken for the next request. Without Host, HTTP/1.1 is a bad request (RFC 9112 3.2).
    let has_body = has("content-length", |length| length.trim() != "0") || has("transfer-encoding", |_| true);
    if has_body || (http_1_1 && !has("host", |_| true)) {
        return Parsed::Bad("400 Bad Request");
    }
    let body = match request.method {
        Some("GET") => Body::Sent,
        Some("HEAD") => Body::LeftOut,
        _ => return Parsed::Bad("501 Not Implemented"),
    };
    let closes = has("connection", |options| options.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")));
    let then = if http_1_1 && !closes { Then::KeepAlive } else { Then::Close };
    let path = request.path.and_then(|target| target.split('?').next()).unwrap_or_default();
    Parsed::Whole(Wanted { path, body, then, length })
}

/// An answer with the text `page`.
fn response(status: &str, page: &str, body: Body, then: Then) -> Vec<u8> {
    let connection = if then == Then::Close { "close" } else { "keep-alive" };
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n");
    text += &format!("Content-Length: {}\r\nConnection: {connection}\r\n\r\n", page.len());
    if body == Body::Sent {
        text += page;
    }
    text.into_bytes()
}
