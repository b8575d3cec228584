//! A failure as the client is told of it.

use std::time::Duration;

use firefly_core::signed_request::TIMESTAMP_HEADER;
use firefly_core::time::UnixSeconds;
use http::StatusCode;
use serde::Serialize;

/// Seconds after which a client may try again when a store could not be reached.
const RETRY_AFTER_OUTAGE_SECONDS: u64 = 5;

/// Status, code and message of a request that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// A stable, machine-readable name of the failure.
    pub code: &'static str,
    /// The message, for people.
    pub message: String,
    /// `Retry-After`, on 429 and 503.
    pub retry_after: Option<Duration>,
    /// The server's clock, on a stale timestamp.
    pub server_time: Option<UnixSeconds>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, server_time: None }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A parameter of this part of the URL has not its form.
    pub(crate) fn malformed(code: &'static str, part: &str, parameter: &str) -> Self {
        Self::bad_request(code, format!("{part} parameter {parameter} is malformed"))
    }

    pub(crate) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// The request was signed at another time than about now.
    pub(crate) fn stale_timestamp(now: UnixSeconds) -> Self {
        let message = format!("{TIMESTAMP_HEADER} is outside the acceptance window, check the clock");
        Self { server_time: Some(now), ..Self::unauthorized("stale_timestamp", message) }
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    pub(crate) fn too_large(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
    }

    pub(crate) fn too_many_requests(retry_after_seconds: u64) -> Self {
        let message = "Too many requests, try again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(retry_after_seconds)
    }

    pub(crate) fn too_many_uploads(retry_after_seconds: u64) -> Self {
        let message = "Too many uploads on this day (UTC), try again on the next";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", message).retry_after(retry_after_seconds)
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Service unavailable, try again")
            .retry_after(RETRY_AFTER_OUTAGE_SECONDS)
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error")
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(Duration::from_secs(seconds)), ..self }
    }
}

/// The body of every failure.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "Failure"))]
pub struct FailureBody {
    /// One sentence for a person.
    pub(crate) message: String,
    /// One word for a program.
    pub(crate) code: &'static str,
    /// The server's time, where the client's clock is wrong: `YYYY-MM-DDThh:mm:ssZ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_time: Option<String>,
}
