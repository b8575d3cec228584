//! Every way a request can fail, and the one place that turns each into a status and a message.

use std::time::Duration;

use firefly_core::envelope::EnvelopeError;
use firefly_core::group::SUPER_USERS;
use firefly_core::registration::{KEY_HEADER, NewDeviceError, RegistrationKeyError};
use firefly_core::signed_request::{AuthError, HeaderError, TIMESTAMP_HEADER, UUID_HEADER};
use firefly_core::time::UnixSeconds;
use http::StatusCode;

use crate::store::StoreError;

/// Seconds after which a client may try again when a store could not be reached.
const RETRY_AFTER_OUTAGE_SECONDS: u64 = 5;

/// Why a request is not answered with success.
///
/// `Display` is the text for the log; what the client reads is chosen by [`ApiError::answer`].
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A header of a signed request is missing or malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// `X-Device-UUID` names another device than the path.
    #[error("{UUID_HEADER} is not the device of the path")]
    DeviceMismatch,
    /// The device is not registered, on a route that does not say so.
    #[error("the device is not registered")]
    UnknownDevice,
    /// The device is not registered, and the route says so.
    #[error("the device is not registered")]
    NotRegistered,
    /// The timestamp or the signature of a signed request is refused.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The nonce of a signed request has been used before.
    #[error("the request was seen before")]
    Replayed,
    /// The replay record of the device has no room for another nonce.
    #[error("the device has too many live nonces")]
    TooManyNonces {
        /// Seconds until the oldest nonce is forgotten.
        retry_after_seconds: u64,
    },
    /// The replay record could not be written, so nothing was done.
    #[error("the nonce could not be recorded: {0}")]
    NonceNotRecorded(StoreError),
    /// The body is not an envelope that is accepted.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The device has no backup.
    #[error("there is no backup")]
    NoBackup,
    /// The request's token carries no `sub`.
    #[error("the token has no sub claim")]
    NoSubject,
    /// The caller is not in the group `super_users`.
    #[error("the caller is not in the group {SUPER_USERS}")]
    NotInGroup,
    /// `X-Registration-Key` is missing or malformed.
    #[error(transparent)]
    RegistrationKey(#[from] RegistrationKeyError),
    /// The registration body is refused.
    #[error(transparent)]
    NewDevice(#[from] NewDeviceError),
    /// The registration key is unknown, spent or expired.
    #[error("the registration key is unknown, spent or expired")]
    KeyNotLive,
    /// The address has sent too many wrong registration keys.
    #[error("the address has sent too many wrong registration keys")]
    TooManyWrongKeys {
        /// Seconds until keys are looked at again.
        retry_after_seconds: u64,
    },
    /// The event names no source address.
    #[error("the event names no source address")]
    NoSourceAddress,
    /// The UUID is registered with another public key.
    #[error("the device is registered with another public key")]
    RegisteredWithOtherKey,
    /// A query parameter is refused.
    #[error("the query parameter {parameter} is malformed")]
    Query {
        /// The parameter's name.
        parameter: &'static str,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was not done within the function's deadline.
    #[error("the deadline passed")]
    DeadlineExceeded,
}

/// What the client is told about a failure.
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

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(Duration::from_secs(seconds)), ..self }
    }

    fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized")
    }

    fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Service unavailable, try again")
            .retry_after(RETRY_AFTER_OUTAGE_SECONDS)
    }
}

impl ApiError {
    /// The status, code and message of this failure: the whole table of failures of the API.
    pub fn answer(&self) -> Failure {
        match self {
            Self::Header(error) => Failure::new(StatusCode::BAD_REQUEST, "invalid_header", error.to_string()),
            Self::DeviceMismatch => {
                let message = format!("{UUID_HEADER} does not match the path");
                Failure::new(StatusCode::FORBIDDEN, "device_mismatch", message)
            }
            Self::UnknownDevice | Self::Auth(AuthError::BadSignature) => Failure::unauthorized(),
            Self::NotRegistered => Failure::new(StatusCode::NOT_FOUND, "not_registered", "Device is not registered"),
            Self::Auth(AuthError::StaleTimestamp { now, .. }) => Failure {
                server_time: Some(*now),
                ..Failure::new(
                    StatusCode::UNAUTHORIZED,
                    "stale_timestamp",
                    format!("{TIMESTAMP_HEADER} is outside the acceptance window, check the clock"),
                )
            },
            Self::Replayed => {
                Failure::new(StatusCode::UNAUTHORIZED, "replayed", "Request was seen before, sign a new one")
            }
            Self::TooManyNonces { retry_after_seconds } | Self::TooManyWrongKeys { retry_after_seconds } => {
                Failure::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests, try again later")
                    .retry_after(*retry_after_seconds)
            }
            Self::NonceNotRecorded(_) | Self::DeadlineExceeded | Self::Store(StoreError::Unavailable { .. }) => {
                Failure::unavailable()
            }
            Self::NoSourceAddress
            | Self::Store(StoreError::Failed { .. } | StoreError::Gone { .. } | StoreError::Malformed { .. }) => {
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error")
            }
            Self::Envelope(error @ EnvelopeError::TooLarge { .. }) => {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "envelope_too_large", error.to_string())
            }
            Self::Envelope(error) => Failure::new(StatusCode::BAD_REQUEST, "invalid_envelope", error.to_string()),
            Self::NoBackup => Failure::new(StatusCode::NOT_FOUND, "no_backup", "No backup is stored for this device"),
            Self::NoSubject => Failure::unauthorized(),
            Self::NotInGroup => {
                Failure::new(StatusCode::FORBIDDEN, "forbidden", format!("Only members of {SUPER_USERS} may do this"))
            }
            Self::RegistrationKey(_) => Failure::new(
                StatusCode::BAD_REQUEST,
                "invalid_header",
                format!("{KEY_HEADER} must be 6 characters of A-Z and 0-9"),
            ),
            Self::NewDevice(error @ NewDeviceError::TooLarge { .. }) => {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", error.to_string())
            }
            Self::NewDevice(error) => Failure::new(StatusCode::BAD_REQUEST, "invalid_body", error.to_string()),
            Self::KeyNotLive => {
                Failure::new(StatusCode::UNAUTHORIZED, "invalid_key", "Registration key is unknown, spent or expired")
            }
            Self::RegisteredWithOtherKey => Failure::new(
                StatusCode::CONFLICT,
                "registered_with_other_key",
                "Device is registered with another public key",
            ),
            Self::Query { parameter } => Failure::new(
                StatusCode::BAD_REQUEST,
                "invalid_query",
                format!("Query parameter {parameter} is malformed"),
            ),
        }
    }

    /// Whether a well-formed signed request is refused for who signed it, when, or for having been seen before: what a
    /// wrong clock, a wrong key or an attack leads to.
    pub(crate) fn refuses_signature(&self) -> bool {
        matches!(self, Self::UnknownDevice | Self::Auth(_) | Self::Replayed)
    }
}

#[cfg(test)]
mod tests;
