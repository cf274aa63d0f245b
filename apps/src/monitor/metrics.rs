//! Metrics over HTTP: `GET /metrics`, in the text format of OpenMetrics.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::collect::Watched;
use super::families::Families;

/// Connections served at once.
const MOST_CONNECTIONS: usize = 16;

/// Longest wait for a client to say what it wants, on a new connection or between two requests.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the text format of OpenMetrics is called.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens for scrapers.
///
/// # Errors
/// An address that is in use, is not this machine's, or needs privileges.
pub(super) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let mends = |why: &io::Error| match why.kind() {
        ErrorKind::AddrInUse => ": another program listens there, give another port",
        ErrorKind::AddrNotAvailable => ": it is no address of this machine, as 127.0.0.1 and 0.0.0.0 are",
        ErrorKind::PermissionDenied => ": ports below 1024 need root, give a higher one",
        _ => "",
    };
    TcpListener::bind(address).map_err(|why| {
        let context = format!("--metrics {address}{}", mends(&why));
        anyhow::Error::new(why).context(context)
    })
}

/// Serves metrics on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct MetricsServer {
    /// Closed, so that the thread sees the end.
    open: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    pub(super) fn start(listener: TcpListener, watched: Arc<Watched>) -> anyhow::Result<MetricsServer> {
        let (open, closed) = UnixStream::pair().context("a pair of sockets")?;
        listener.set_nonblocking(true).and_then(|()| closed.set_nonblocking(true))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (listener, closed) = {
            let _inside = runtime.enter();
            (tokio::net::TcpListener::from_std(listener)?, tokio::net::UnixStream::from_std(closed)?)
        };
        let families = Arc::new(Families::new(watched));
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, families) => {}
                    _ = closed.readable() => {}
                }
            });
        };
        let thread =
            thread::Builder::new().name("metrics".into()).spawn(serve).context("starting the metrics' thread")?;
        Ok(MetricsServer { open: Some(open), thread: Some(thread) })
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // If it has panicked that has been told.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, families: Arc<Families>) {
    // Each connection has a clone: how many there are is how many are served.
    let served = Arc::new(());
    loop {
        // Connections that are too many wait, as do those for which there is no file descriptor.
        let connection =
            if Arc::strong_count(&served) > MOST_CONNECTIONS { None } else { listener.accept().await.ok() };
        let Some((stream, _)) = connection else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (serving, families) = (served.clone(), families.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = respond(&request, &families);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            // A client that breaks off, or speaks no HTTP, has no answer.
            let _ = connection.await;
            drop(serving);
        });
    }
}

fn respond(request: &Request<Incoming>, families: &Families) -> Response<Full<Bytes>> {
    let plain = |status, text: &str| respond_with(status, "text/plain; charset=utf-8", text.to_owned());
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match families.text() {
            Ok(text) => respond_with(StatusCode::OK, OPEN_METRICS, text),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
        },
        (_, "/metrics") => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "metrics are read with GET\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"),
    }
}

fn respond_with(status: StatusCode, content: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}
