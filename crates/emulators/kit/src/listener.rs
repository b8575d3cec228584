//! Serves HTTP/1.1 connections, and gives up those that stall.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::activity::Phase;
use crate::date;
use crate::limits::Limits;
use crate::places::{Place, Places};
use crate::watched::{WatchedBody, WatchedStream};

/// The wait after a connection could not be accepted, so that files can become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens, and the limits of its connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Listener {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The operating system's error.
    pub async fn bind(address: impl ToSocketAddrs, limits: Limits) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self { address: socket.local_addr()?, socket, limits })
    }

    /// Listens on a free port of the loopback interface, 127.0.0.1.
    ///
    /// # Errors
    /// The operating system's error.
    pub async fn loopback(limits: Limits) -> io::Result<Self> {
        Self::bind((Ipv4Addr::LOCALHOST, 0), limits).await
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of that address, `http://HOST:PORT`. One that listens at every address has its URL at the loopback
    /// interface: the address that stands for all is none to connect to.
    #[must_use]
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        format!("http://{}", SocketAddr::new(host, self.address.port()))
    }

    /// The limits of its connections.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The same listener, served by another runtime.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn moved_to(self, runtime: &Handle) -> io::Result<Self> {
        let socket = self.socket.into_std()?;
        let _entered = runtime.enter();
        Ok(Self { socket: TcpListener::from_std(socket)?, ..self })
    }

    /// Serves connections until `until` resolves and the requests under way are answered. `answer` gets each request
    /// with the address of its peer; `name` stands in the log.
    ///
    /// A connection that exceeds its deadlines is closed. When no file is left for a connection, one line of the log says
    /// so, and the listener goes on when there is one.
    pub async fn serve<A, F>(self, name: &'static str, answer: A, until: impl Future<Output = ()> + Send)
    where
        A: Fn(SocketAddr, Request<Body>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let Self { socket, limits, .. } = self;
        let places = Places::of(limits);
        let (stop, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut failing = false;
        tokio::pin!(until);
        loop {
            let accepted = tokio::select! {
                () = &mut until => break,
                accepted = socket.accept() => accepted,
                // A connection that has ended is forgotten; why it ended does not matter.
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
                        tracing::error!(cause = %error, "{name} cannot accept connections; if too many files are open, \
                             `ulimit -n` raises the limit");
                    }
                    failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((socket, stop));
        while connections.join_next().await.is_some() {}
    }
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
    let activity = place.activity();
    let io = TokioIo::new(WatchedStream { stream, activity: Arc::clone(activity) });
    let service = service_fn(|request: Request<Incoming>| {
        activity.set(if request.body().is_end_stream() { Phase::Answering } else { Phase::Body });
        let length = request.body().size_hint().exact();
        let body = |body| Body::new(WatchedBody { body, activity: Arc::clone(activity) });
        let answered = answer(peer, request.map(body));
        let (activity, taken) = (Arc::clone(activity), place.counter());
        async move {
            let mut response = answered.await;
            response.headers_mut().extend(date::now().map(|now| (header::DATE, now)));
            if taken() > limits.kept_alive {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            activity.answered(length);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // The deadlines of this crate are the only ones: hyper's own for a head would end idle connections as well.
    let http = http1::Builder::new().header_read_timeout(None).serve_connection(io, service);
    tokio::pin!(http);
    let mut stopping = false;
    loop {
        tokio::select! {
            // There is nobody to tell of a connection that breaks.
            _ = &mut http => return,
            () = activity.expired(limits.deadlines) => return,
            () = activity.given_up() => {
                if activity.phase() != Phase::Answering {
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
