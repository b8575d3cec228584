//! Serves HTTP/1.1 connections, and gives up on those that stall.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
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
    /// Most connections at a time; others wait in the listener's backlog.
    pub connections: usize,
    /// How long a connection that waits for its peer keeps its place while another one wants it.
    pub patience: Duration,
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
    let places = Places::of(limits);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut failing = false;
    tokio::pin!(until);
    loop {
        let accepted = tokio::select! {
            () = &mut until => break,
            accepted = listener.accept() => accepted,
            // What has ended is forgotten; why it ended does not matter.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                failing = false;
                let place = tokio::select! {
                    () = &mut until => break,
                    place = places.take() => place,
                };
                connections.spawn(connection(stream, peer, limits, place, answer.clone(), stopped.clone()));
            }
            // The peer has left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !failing {
                    tracing::error!(cause = %error, "{name} cannot accept connections; if too many files are open, `ulimit -n` raises the \
                         limit");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, stop));
    while connections.join_next().await.is_some() {}
}

/// The places for connections.
struct Places {
    patience: Duration,
    free: Arc<Semaphore>,
    taken: Taken,
}

/// The connections that have a place, by the address of their activity.
type Taken = Arc<Mutex<HashMap<usize, Arc<Activity>>>>;

/// The place of one connection, free again when dropped.
struct Place {
    activity: Arc<Activity>,
    taken: Taken,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn of(limits: Limits) -> Self {
        let free = Arc::new(Semaphore::new(limits.connections));
        Self { patience: limits.patience, free, taken: Arc::default() }
    }

    /// A free place, or that of the connection that has waited longest for its peer.
    async fn take(&self) -> Place {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => self.make_free().await,
        };
        let activity = Arc::new(Activity::new());
        lock(&self.taken).insert(key(&activity), Arc::clone(&activity));
        Place { activity, taken: Arc::clone(&self.taken), _permit: permit }
    }

    /// Waits for a free place; gives up the connection that has waited longest for its peer once that is long enough.
    async fn make_free(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let now = Instant::now();
            let longest =
                lock(&self.taken).values().filter_map(Activity::waiting_since).min_by_key(|(since, _)| *since);
            let look_again = match longest {
                Some((since, activity)) if since + self.patience <= now => {
                    activity.given_up.notify_one();
                    now + self.patience.min(ACCEPT_PAUSE)
                }
                Some((since, _)) => since + self.patience,
                None => now + self.patience,
            };
            let free = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = tokio::time::timeout_at(look_again, free).await {
                // The semaphore is never closed.
                return permit.ok();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.taken).remove(&key(&self.activity));
    }
}

fn key(activity: &Arc<Activity>) -> usize {
    Arc::as_ptr(activity).addr()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection to its end.
async fn connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
    place: Place,
    answer: A,
    mut stopped: watch::Receiver<()>,
) where
    A: Fn(SocketAddr, Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // Answers are small and written at once; a peer that is gone shows at the first read.
    let _ = stream.set_nodelay(true);
    let activity = &place.activity;
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(activity) });
    let service = service_fn(|request: Request<Incoming>| {
        activity.set(if request.body().is_end_stream() { Phase::Answering } else { Phase::Body });
        let body = |body| Body::new(WatchedBody { body, activity: Arc::clone(activity) });
        let answered = answer(peer, request.map(body));
        let (activity, taken) = (Arc::clone(activity), Arc::clone(&place.taken));
        async move {
            let mut response = answered.await;
            if lock(&taken).len() > limits.kept_alive {
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
            () = activity.given_up.notified() => {
                if activity.phase().0 != Phase::Answering {
                    return;
                }
            }
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
    /// The rest of a body; [`read`](super::read) keeps the time.
    Body,
    /// The answer; the function that makes it keeps the time.
    Answering,
}

/// The phase of a connection, and when it began or a byte moved last.
struct Activity {
    phase: Mutex<(Phase, Instant)>,
    changed: Notify,
    /// Another connection gets the place of this one.
    given_up: Notify,
}

impl Activity {
    fn new() -> Self {
        Self { phase: Mutex::new((Phase::Quiet, Instant::now())), changed: Notify::new(), given_up: Notify::new() }
    }

    fn set(&self, phase: Phase) {
        *lock(&self.phase) = (phase, Instant::now());
        self.changed.notify_one();
    }

    fn phase(&self) -> (Phase, Instant) {
        *lock(&self.phase)
    }

    /// Since when a connection waits for its peer; `None` while it is answered.
    fn waiting_since(self: &Arc<Self>) -> Option<(Instant, Arc<Self>)> {
        let (phase, since) = self.phase();
        (phase != Phase::Answering).then(|| (since, Arc::clone(self)))
    }

    /// Resolves when the phase has lasted too long.
    async fn expired(&self, deadlines: Deadlines) {
        loop {
            let (phase, since) = self.phase();
            let end = match phase {
                Phase::Quiet => since + deadlines.idle,
                Phase::Head => since + deadlines.head,
                Phase::Body | Phase::Answering => {
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

/// A body whose end is noticed.
struct WatchedBody {
    body: Incoming,
    activity: Arc<Activity>,
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let ended = self.body.is_end_stream() || matches!(polled, Poll::Ready(None | Some(Err(_))));
        if ended && self.activity.phase().0 == Phase::Body {
            self.activity.set(Phase::Answering);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
