//! Opens connections before the first request needs them.
//!
//! While a function starts Lambda gives it a whole CPU, and afterwards a share that goes with its memory: name
//! resolution, TCP and TLS cost milliseconds then and hundreds of them later.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::endpoint::EndpointFuture;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

/// The connections that a function's first request will need, and the connector whose pool they go into.
#[derive(Debug)]
pub(crate) struct WarmUp {
    connector: SharedHttpConnector,
    urls: Mutex<Vec<String>>,
}

impl WarmUp {
    pub(super) fn new(connector: SharedHttpConnector) -> Self {
        Self { connector, urls: Mutex::default() }
    }

    /// Adds a connection to the host of this endpoint, which needs no waiting for.
    pub(super) fn add(&self, endpoint: EndpointFuture<'_>) {
        // Without an endpoint the calls will fail and say why.
        if let Some(Ok(endpoint)) = endpoint.now_or_never() {
            let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
            urls.push(endpoint.url().to_owned());
        }
    }

    /// Opens the connections, all at once, by asking for the root of each: unsigned, so that it needs no permission; any
    /// answer will do. What fails or takes too long is left to the first request.
    pub(crate) async fn run(self, deadline: Duration) {
        let urls = self.urls.into_inner().unwrap_or_else(PoisonError::into_inner);
        let opened = join_all(urls.iter().map(|url| open(&self.connector, url)));
        if tokio::time::timeout(deadline, opened).await.is_err() {
            tracing::info!("not every connection was opened in time");
        }
    }
}

async fn open(connector: &SharedHttpConnector, url: &str) {
    let mut request = HttpRequest::new(SdkBody::empty());
    if request.set_uri(url).is_err() {
        return;
    }
    // The connection returns to the pool when the answer has been read to its end.
    match connector.call(request).await {
        Ok(response) => drop(ByteStream::new(response.into_body()).collect().await),
        Err(error) => tracing::info!(cause = %error, url, "a connection could not be opened ahead"),
    }
}
