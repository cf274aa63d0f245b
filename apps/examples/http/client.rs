//! An HTTP client over smoltcp's sockets, for the demonstration and the tests: several connections at once, what each says and hears.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Duration;
use smoltcp::wire::IpEndpoint;

use super::host::Host;

/// First local port: of the range for such ports (RFC 6335).
const FIRST_PORT: u16 = 49_152;

/// Longest time without a word of the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections, each with what is to be said on it.
pub(crate) struct Client {
    exchanges: Vec<Exchange>,
}

/// What is said on a connection.
struct Exchange {
    socket: SocketHandle,
    to_send: Vec<u8>,
    heard: Vec<u8>,
}

impl Client {
    /// Connects to `server` once for each of `requests`.
    ///
    /// # Errors
    /// No way to such a server.
    pub(crate) fn connect(host: &mut Host, server: IpEndpoint, requests: &[&str]) -> Result<Client, tcp::ConnectError> {
        let mut exchanges = Vec::new();
        for (port, request) in (FIRST_PORT..).zip(requests) {
            let buffer = || tcp::SocketBuffer::new(vec![0; 16 << 10]);
            let mut socket = tcp::Socket::new(buffer(), buffer());
            socket.set_timeout(Some(PATIENCE));
            socket.connect(host.interface.context(), server, port)?;
            let socket = host.sockets.add(socket);
            exchanges.push(Exchange { socket, to_send: request.as_bytes().to_vec(), heard: Vec::new() });
        }
        Ok(Client { exchanges })
    }

    /// One round, between two polls of the interface. Returns whether all has been said and heard.
    pub(crate) fn poll(&mut self, sockets: &mut SocketSet<'static>) -> bool {
        let polls = self.exchanges.iter_mut().map(|exchange| exchange.poll(sockets.get_mut(exchange.socket)));
        polls.filter(|ended| !ended).count() == 0
    }

    /// What was heard on each connection.
    pub(crate) fn into_heard(self) -> Vec<Vec<u8>> {
        self.exchanges.into_iter().map(|exchange| exchange.heard).collect()
    }
}

impl Exchange {
    fn poll(&mut self, socket: &mut tcp::Socket<'_>) -> bool {
        if socket.can_send() {
            let sent = socket.send_slice(&self.to_send).unwrap_or(0);
            self.to_send.drain(..sent);
        }
        while socket.can_recv() {
            let heard = socket.recv(|bytes| {
                self.heard.extend_from_slice(bytes);
                (bytes.len(), ())
            });
            if heard.is_err() {
                break;
            }
        }
        let ended = !socket.is_open() || (self.to_send.is_empty() && !socket.may_recv());
        if ended {
            socket.close();
        }
        ended
    }
}
