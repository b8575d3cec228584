//! An HTTP/1.1 server on a free port of the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::error::{BenchError, io_error};

/// A running server; dropping it ends it.
pub(crate) struct HttpServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// The number of connections, in the order in which they were accepted, that are not answered any more.
    silent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Starts a server that answers with `answer`, over TLS if there is any.
    pub(crate) async fn start<F, A>(tls: Option<TlsAcceptor>, answer: F) -> Result<Self, BenchError>
    where
        F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listen = io_error("cannot listen on the loopback interface");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(io_error("cannot read the address"))?;
        let connections = Arc::new(AtomicUsize::new(0));
        let silent = Arc::new(AtomicUsize::new(0));
        let (counter, muted) = (Arc::clone(&connections), Arc::clone(&silent));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (before, muted) = (counter.fetch_add(1, Ordering::SeqCst), Arc::clone(&muted));
                // Without it the answers would wait for each other's acknowledgement.
                let _ = stream.set_nodelay(true);
                let (answer, tls) = (answer.clone(), tls.clone());
                let service = service_fn(move |request| {
                    let (answer, is_silent) = (answer.clone(), before < muted.load(Ordering::SeqCst));
                    async move {
                        if is_silent {
                            std::future::pending::<()>().await;
                        }
                        respond(request, answer).await
                    }
                });
                tokio::spawn(async move {
                    let server = http1::Builder::new();
                    // A connection that fails is seen by the function, which answers accordingly.
                    let _ = match tls {
                        None => server.serve_connection(TokioIo::new(stream), service).await.ok(),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await.ok(),
                            Err(_) => None,
                        },
                    };
                });
            }
        });
        Ok(Self { address, connections, silent, task })
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on no request is answered that comes over the connections accepted so far. They stay open.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(self.connections(), Ordering::SeqCst);
    }

    /// The number of connections that it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn respond<F, A>(request: Request<Incoming>, answer: F) -> Result<Response<Full<Bytes>>, hyper::Error>
where
    F: Fn(Request<Bytes>) -> A,
    A: Future<Output = Response<Full<Bytes>>>,
{
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(answer(Request::from_parts(parts, body)).await)
}

/// An answer.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap_or_default()
}
