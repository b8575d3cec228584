//! A proxy in front of an emulator, for tests.
//!
//! [`Proxy::listen`] hands each request, read whole, to a closure. The closure may answer it, forward it, look at the
//! answer, [`cut`] that short, or end the connection with [`dropped`].

use std::io;
use std::net::Ipv4Addr;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::uri::Authority;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// A proxy in front of one emulator.
#[derive(Debug, Clone)]
pub struct Proxy {
    upstream: Authority,
}

/// The end of an answer that is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The connection ends.
    Reset,
    /// The connection stays open, and nothing more comes.
    Stall,
}

impl Proxy {
    /// Listens on a free port of the loopback interface in front of `upstream`, a URL `http://HOST:PORT`, and returns the
    /// URL of that port. It listens until the runtime ends.
    ///
    /// `answer` gets each request, read whole. Its error ends the connection without an answer.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if `upstream` is not a URL with a host; the operating system's error.
    pub async fn listen<A, F>(upstream: &str, answer: A) -> io::Result<String>
    where
        A: Fn(Self, Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = io::Result<Response>> + Send + 'static,
    {
        let url: Uri = upstream.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let upstream = url.authority().cloned().ok_or(io::ErrorKind::InvalidInput)?;
        let proxy = Self { upstream };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (proxy, answer) = (proxy.clone(), answer.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (proxy, answer) = (proxy.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                        answer(proxy, Request::from_parts(head, body)).await
                    }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A connection that ends badly is the closure's intent, or the client notices it.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Ok(url)
    }

    /// Sends a request to the emulator as it came, with its `Host`, which is part of what is signed.
    ///
    /// # Errors
    /// The error of the connection to the emulator.
    pub async fn forward(&self, request: Request<Bytes>) -> io::Result<Response> {
        let stream = TcpStream::connect(self.upstream.as_str()).await?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        tokio::spawn(async move { drop(connection.await) });
        let response = sender.send_request(request.map(Full::new)).await.map_err(io::Error::other)?;
        Ok(response.map(Body::new))
    }
}

/// Ends the connection without an answer.
///
/// # Errors
/// Always [`io::ErrorKind::ConnectionReset`].
pub fn dropped() -> io::Result<Response> {
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Waits for the whole of an answer, by when the emulator has done its work, and ends the connection without it.
///
/// # Errors
/// Always; [`io::ErrorKind::ConnectionReset`].
pub async fn dropped_after(response: Response) -> io::Result<Response> {
    let _ = response.into_body().collect().await;
    dropped()
}

/// Lets the head of an answer and at most `length` bytes of its body through.
///
/// # Errors
/// The error of the connection to the emulator.
pub async fn cut(response: Response, length: usize, end: End) -> io::Result<Response> {
    let (head, body) = response.into_parts();
    let whole = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let start = whole.slice(..length.min(whole.len()));
    // Giving way once makes hyper send the head and these bytes before it learns of the end.
    let end = async move {
        tokio::task::yield_now().await;
        if end == End::Stall {
            std::future::pending::<()>().await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let frames = stream::iter([Ok(Frame::data(start))]).chain(stream::once(end));
    Ok(Response::from_parts(head, Body::new(StreamBody::new(frames))))
}
