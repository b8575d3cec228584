//! Opens connections before the first request needs them.
//!
//! While a function starts Lambda gives it a whole CPU, and afterwards a share that goes with its memory: name
//! resolution, TCP and TLS cost milliseconds then and hundreds of them later.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::future::join_all;

/// The connections that a function's first request will need: their URLs, each with the connector whose pool they go into.
#[derive(Default)]
pub(super) struct WarmUp(Mutex<Vec<(SharedHttpConnector, String)>>);

impl WarmUp {
    /// Adds a connection to the host of this URL.
    pub(super) fn add(&self, connector: SharedHttpConnector, url: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((connector, url));
    }

    /// Opens the connections, all at once, by asking for the root of each: unsigned, so that it needs no permission; any
    /// answer will do. A connection that fails or takes too long is left to the first request.
    pub(super) async fn run(self, deadline: Duration) {
        let connections = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let opened = join_all(connections.iter().map(|(connector, url)| open(connector, url)));
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
