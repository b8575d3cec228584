//! Proxies in front of the engines that write down the actions that the functions' calls take of their roles.

mod actions;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use bytes::Bytes;
use emulator_kit::proxy::Proxy;
use http::Request;

use crate::TestCloud;

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
        let recorder = self.clone();
        let answer = move |proxy, request| recorder.clone().pass(proxy, request);
        Proxy::listen(upstream, answer).await.expect("an engine's endpoint is a URL, and a port is free")
    }

    async fn pass(self, proxy: Proxy, request: Request<Bytes>) -> io::Result<Response> {
        if request.headers().contains_key("authorization") {
            let trace = request.headers().get("x-amzn-trace-id").and_then(|trace| trace.to_str().ok());
            self.traces.lock().unwrap_or_else(PoisonError::into_inner).insert(trace.map(str::to_owned));
        }
        let call = Call::read(request.clone());
        let answer = proxy.forward(request).await?;
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
    fn read(request: Request<Bytes>) -> Self {
        // `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …` (IAM User Guide, "Create a signed AWS API
        // request").
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let scope = authorization.and_then(|value| value.split_once("Credential=")).map_or("", |(_, scope)| scope);
        let mut scope = scope.split('/').map(str::to_owned);
        let (function, region) = (scope.next().unwrap_or_default(), scope.nth(1).unwrap_or_default());
        Self { function, region, request }
    }
}
