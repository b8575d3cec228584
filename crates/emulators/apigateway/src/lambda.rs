//! The invocation of a function, as Lambda does it.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use futures::future::BoxFuture;
use http::StatusCode;

use crate::answers::message;
use crate::reply;

/// Largest event and largest reply of a synchronous invocation in bytes (Lambda quotas: 6 MB each; Lambda's own error
/// names this number).
pub(crate) const MAX_PAYLOAD_LENGTH: usize = 6 * 1024 * 1024 + 100;

/// A function and the limits of its invocations.
pub struct LambdaFunction {
    /// The name that Lambda knows it by; it stands in the log.
    pub name: String,
    /// The memory in MiB; it stands in the log and is not enforced.
    pub memory_mb: u64,
    /// The time after which an invocation is ended.
    pub timeout: Duration,
    /// Runs it.
    pub invoke: Invoke,
}

/// Runs a function: it gets an invocation and returns the JSON text of a response, or the reason for which it failed.
pub type Invoke =
    Arc<dyn Fn(Invocation) -> BoxFuture<'static, Result<String, Box<dyn Error + Send + Sync>>> + Send + Sync>;

/// One invocation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The JSON text of the event.
    pub event: String,
    /// The request id of API Gateway.
    pub request_id: String,
    /// The API's clock, in whole seconds since 1970-01-01T00:00:00Z.
    pub now: u64,
    /// The time until the function's timeout.
    pub time_left: Duration,
}

impl LambdaFunction {
    /// Runs the function and makes an HTTP response of its reply; each failure of it is a 500.
    pub(crate) async fn answer(&self, now: u64, request_id: &str, event: String) -> Response {
        let invocation = Invocation { event, request_id: request_id.to_owned(), now, time_left: self.timeout };
        let started = Instant::now();
        // A task of its own, like a process on Lambda: neither a panic nor a client that leaves ends the server's.
        let run = tokio::spawn((self.invoke)(invocation));
        let abort = run.abort_handle();
        let result = tokio::time::timeout(self.timeout, run).await;
        let duration_ms = milliseconds(started);
        let (function, memory_size_mb) = (&self.name, self.memory_mb);
        tracing::debug!(request_id, function, duration_ms, memory_size_mb, "report");
        let cause = match result {
            Ok(Ok(Ok(payload))) if payload.len() > MAX_PAYLOAD_LENGTH => {
                format!("its reply has {} bytes; Lambda takes {MAX_PAYLOAD_LENGTH}", payload.len())
            }
            Ok(Ok(Ok(payload))) => match reply::parse(&payload) {
                Ok(response) => return response,
                Err(error) => error.to_string(),
            },
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(panic)) => panic.to_string(),
            Err(_) => {
                abort.abort();
                format!("timed out after {} s", self.timeout.as_secs())
            }
        };
        tracing::error!(request_id, function, cause, "the function failed");
        message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }
}

/// The whole milliseconds since then.
pub(crate) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
