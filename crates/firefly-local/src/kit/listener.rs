//! Serves HTTP/1.1 connections, and gives up on those that stall.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The wait after a connection could not be accepted, so that files can become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the end of the head to the end of the body; [`read`](super::read) holds it.
    pub body: Duration,
    /// Without a byte in either direction while no request is being answered.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// 10 s for a head, 30 s for a body, 60 s without a byte.
    fn default() -> Self {
        Self { head: Duration::from_secs(10), body: Duration::from_secs(30), idle: Duration::from_secs(60) }
    }
}

/// How many connections a listener serves, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long each may take.
    pub deadlines: Deadlines,
    /// Most connections at a time; further ones wait in the listener's backlog.
    pub connections: usize,
    /// Most connections that stay open after an answer; beyond that each is closed after its answer.
    pub kept_alive: usize,
}

/// Serves `name` on `listener` until `until` resolves and the requests under way are answered. `answer` gets each request
/// with the address of its peer.
///
/// A connection that exceeds its deadlines is closed. When no file is left for a connection, one line of the log says so,
/// and the listener goes on when one is.
pub async fn serve<A, F>(
    name: &'static str,
    listener: TcpListener,
    limits: Limits,
    answer: A,
    until: impl Future<Output = ()> + Send,
) where
    A: Fn(SocketAddr, Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let open = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut failing = false;
    tokio::pin!(until);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await;
            listener.accept().await.map(|accepted| (slot, accepted))
        };
        let accepted = tokio::select! {
            () = &mut until => break,
            accepted = accepted => accepted,
            // What has ended is forgotten; why it ended does not matter.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((slot, (stream, peer))) => {
                failing = false;
                let connection = connection(stream, peer, limits, Arc::clone(&open), answer.clone(), stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            // The peer has left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !failing {
                    tracing::error!(cause = %error, "{name} cannot accept connections; if too many files are open, `ulimit -n` raises the limit");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, stop));
    while connections.join_next().await.is_some() {}
}

/// Counts a connection while it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one connection to its end.
async fn connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
    open: Arc<AtomicUsize>,
    answer: A,
    mut stopped: watch::Receiver<()>,
) where
    A: Fn(SocketAddr, Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // Answers are small and written at once; a peer that is gone shows at the first read.
    let _ = stream.set_nodelay(true);
    let open = Open::new(open);
    let activity = Arc::new(Activity::new());
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        activity.set(Phase::Answering);
        let answered = answer(peer, request.map(Body::new));
        let (activity, open) = (Arc::clone(&activity), Arc::clone(&open.0));
        async move {
            let mut response = answered.await;
            if open.load(Ordering::Relaxed) > limits.kept_alive {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            activity.set(Phase::Quiet);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // The deadlines of this module are the only ones: hyper's own for a head would end idle connections as well.
    let http = http1::Builder::new().header_read_timeout(None).serve_connection(io, service);
    tokio::pin!(http);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A connection that breaks has nobody to be told.
            _ = &mut http => return,
            () = activity.expired(limits.deadlines) => return,
            // Nothing is sent: the sender is dropped.
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The phases of a connection, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a request, or the peer's taking an answer.
    Quiet,
    /// The rest of a head.
    Head,
    /// The answer; who makes it keeps the time.
    Answering,
}

/// The phase of a connection, and when it began or a byte moved last.
struct Activity {
    phase: Mutex<(Phase, Instant)>,
    changed: Notify,
}

impl Activity {
    fn new() -> Self {
        Self { phase: Mutex::new((Phase::Quiet, Instant::now())), changed: Notify::new() }
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
        self.changed.notify_one();
    }

    fn phase(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the phase has lasted too long.
    async fn expired(&self, deadlines: Deadlines) {
        loop {
            let (phase, since) = self.phase();
            let end = match phase {
                Phase::Quiet => since + deadlines.idle,
                Phase::Head => since + deadlines.head,
                Phase::Answering => {
                    self.changed.notified().await;
                    continue;
                }
            };
            if Instant::now() >= end {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

/// A stream whose bytes are noticed.
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && self.activity.phase().0 == Phase::Quiet {
            self.activity.set(Phase::Head);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Watched {
    /// Each byte that the peer takes restarts the idle deadline.
    fn written(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(_))) && self.activity.phase().0 == Phase::Quiet {
            self.activity.set(Phase::Quiet);
        }
    }
}
