//! Proxies in front of the engines that write down the actions that the functions' calls take of their roles.

mod actions;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::TestCloud;
use crate::faults::forward;

/// An action on a resource that a function's call took.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// The function, which is its access key in the embedded engines.
    pub function: String,
    /// The IAM action, such as `dynamodb:GetItem`; the call itself where the table of actions does not have it.
    pub action: String,
    /// The ARN of the table, index or bucket, or of all objects of a bucket: any device may call.
    pub resource: String,
}

/// The calls so far.
#[derive(Clone, Default)]
pub struct Recorder {
    used: Arc<Mutex<BTreeSet<Used>>>,
    traces: Arc<Mutex<BTreeSet<Option<String>>>>,
}

impl Recorder {
    /// A cloud of its own over the engines of `engines`, whose functions' calls are recorded.
    pub async fn over(engines: &TestCloud) -> (TestCloud, Self) {
        let recorder = Self::default();
        let (dynamodb, s3) = engines.endpoints();
        let (dynamodb, s3) = (recorder.in_front_of(dynamodb).await, recorder.in_front_of(s3).await);
        (engines.through(&dynamodb, &s3).await, recorder)
    }

    /// The actions that were used so far.
    pub fn used(&self) -> BTreeSet<Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The `X-Amzn-Trace-Id` of every signed call so far.
    pub fn traces(&self) -> BTreeSet<Option<String>> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn in_front_of(&self, upstream: &str) -> String {
        let upstream: Uri = upstream.parse().expect("an engine's endpoint is a URL");
        let upstream = upstream.authority().expect("an engine's endpoint has a host").to_string();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let recorder = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (recorder, upstream) = (recorder.clone(), upstream.clone());
                let service = service_fn(move |request| recorder.clone().pass(upstream.clone(), request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A connection that ends badly fails the call, and with it the test.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        format!("http://{address}")
    }

    async fn pass(self, upstream: String, request: Request<Incoming>) -> io::Result<Response<Incoming>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let call = Call::read(&parts, body.clone());
        if parts.headers.contains_key("authorization") {
            let trace = parts.headers.get("x-amzn-trace-id").and_then(|trace| trace.to_str().ok());
            self.traces.lock().unwrap_or_else(PoisonError::into_inner).insert(trace.map(str::to_owned));
        }
        let answer = forward(&upstream, Request::from_parts(parts, Full::new(body))).await?;
        let used = call.used(answer.status());
        self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(used);
        Ok(answer)
    }
}

/// A signed call, before its answer is known.
struct Call {
    function: String,
    region: String,
    request: Request<Bytes>,
}

impl Call {
    fn read(parts: &Parts, body: Bytes) -> Self {
        // `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …` (IAM User Guide, "Create a signed AWS API
        // request").
        let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let scope = authorization.and_then(|value| value.split_once("Credential=")).map_or("", |(_, scope)| scope);
        let mut scope = scope.split('/').map(str::to_owned);
        let (function, region) = (scope.next().unwrap_or_default(), scope.nth(1).unwrap_or_default());
        Self { function, region, request: Request::from_parts(parts.clone(), body) }
    }
}
