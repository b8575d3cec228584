//! Every way a request can fail, and the one place that turns each into a status and a message.

use firefly_core::envelope::EnvelopeError;
use firefly_core::group::SUPER_USERS;
use firefly_core::registration::{KEY_FORM, KEY_HEADER, NewDeviceError, RegistrationKeyError};
use firefly_core::signed_request::{AuthError, HeaderError, UUID_HEADER};
use firefly_stores::{AdmitError, ListError, MintError, RegisterError, StoreError};

use crate::failure::Failure;

/// The reason for which a request fails.
///
/// `Display` is the text for the log; the client reads what [`ApiError::answer`] chooses.
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
    /// A signed request of a device that is registered is not admitted.
    #[error(transparent)]
    Admit(#[from] AdmitError),
    /// The body is not an envelope that is accepted.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A super user asks for a device that is not registered.
    #[error("the device is not registered")]
    NoSuchDevice,
    /// A super user asks for a version that is not one of the device's backup.
    #[error("the version is not one of the device's backup")]
    NoSuchVersion,
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
    /// A device is not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// There is an edge, and the request has not come through it.
    #[error("the request has not come through the edge")]
    NotThroughEdge,
    /// The caller has too many live registration keys.
    #[error("the caller has too many live registration keys")]
    TooManyLiveKeys {
        /// Seconds until the first of them expires.
        retry_after_seconds: u64,
    },
    /// The event names no source address.
    #[error("the event names no source address")]
    NoSourceAddress,
    /// A query parameter is refused.
    #[error("the query parameter {parameter} is malformed")]
    Query {
        /// The parameter's name.
        parameter: &'static str,
    },
    /// A variable segment of the path is refused.
    #[error("the path parameter {parameter} is malformed")]
    Path {
        /// The segment's name.
        parameter: &'static str,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was not done within the function's deadline.
    #[error("the deadline passed")]
    DeadlineExceeded,
}

impl From<ListError> for ApiError {
    /// A cursor comes from the query parameter `next`.
    fn from(error: ListError) -> Self {
        match error {
            ListError::ForeignCursor => Self::Query { parameter: "next" },
            ListError::Store(error) => Self::Store(error),
        }
    }
}

impl From<MintError> for ApiError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::TooManyLiveKeys { retry_after_seconds } => Self::TooManyLiveKeys { retry_after_seconds },
            MintError::Store(error) => Self::Store(error),
        }
    }
}

impl ApiError {
    /// The status, code and message of this failure: the whole table of failures of the API.
    pub fn answer(&self) -> Failure {
        use StoreError::{Failed, Gone, Malformed, Unavailable};
        match self {
            Self::Header(error) => Failure::bad_request("invalid_header", error.to_string()),
            Self::RegistrationKey(_) => {
                Failure::bad_request("invalid_header", format!("{KEY_HEADER} must be {KEY_FORM}"))
            }
            Self::DeviceMismatch => {
                Failure::forbidden("device_mismatch", format!("{UUID_HEADER} does not match the path"))
            }
            Self::NotThroughEdge => {
                Failure::forbidden("not_through_edge", "Not served at this address, use that of the API")
            }
            Self::NotInGroup => Failure::forbidden("forbidden", format!("Only members of {SUPER_USERS} may do this")),
            Self::UnknownDevice | Self::NoSubject | Self::Admit(AdmitError::Auth(AuthError::BadSignature)) => {
                Failure::unauthorized("unauthorized", "Unauthorized")
            }
            Self::Admit(AdmitError::Auth(AuthError::StaleTimestamp { now, .. })) => Failure::stale_timestamp(*now),
            Self::Admit(AdmitError::Replayed) => {
                Failure::unauthorized("replayed", "Request was seen before, sign a new one")
            }
            Self::Register(RegisterError::KeyNotLive) => {
                Failure::unauthorized("invalid_key", "Registration key is unknown, spent or expired")
            }
            Self::NotRegistered | Self::NoSuchDevice => {
                Failure::not_found("not_registered", "Device is not registered")
            }
            Self::NoBackup => Failure::not_found("no_backup", "No backup is stored for this device"),
            Self::NoSuchVersion => Failure::not_found("no_such_version", "Device has no such version of its backup"),
            Self::Register(RegisterError::RegisteredWithOtherKey) => {
                Failure::conflict("registered_with_other_key", "Device is registered with another public key")
            }
            Self::Envelope(error @ EnvelopeError::TooLarge { .. }) => {
                Failure::too_large("envelope_too_large", error.to_string())
            }
            Self::Envelope(error) => Failure::bad_request("invalid_envelope", error.to_string()),
            Self::NewDevice(error @ NewDeviceError::TooLarge { .. }) => {
                Failure::too_large("body_too_large", error.to_string())
            }
            Self::NewDevice(error) => Failure::bad_request("invalid_body", error.to_string()),
            Self::Query { parameter } => Failure::malformed("invalid_query", "Query", parameter),
            Self::Path { parameter } => Failure::malformed("invalid_path", "Path", parameter),
            Self::Admit(AdmitError::TooManyUploads { retry_after_seconds }) => {
                Failure::too_many_uploads(*retry_after_seconds)
            }
            Self::Admit(AdmitError::TooManyNonces { retry_after_seconds })
            | Self::TooManyLiveKeys { retry_after_seconds }
            | Self::Register(RegisterError::TooManyWrongKeys { retry_after_seconds }) => {
                Failure::too_many_requests(*retry_after_seconds)
            }
            Self::DeadlineExceeded
            | Self::Admit(AdmitError::NonceNotRecorded(_) | AdmitError::Store(Unavailable { .. }))
            | Self::Register(RegisterError::TryNotRecorded(_) | RegisterError::Store(Unavailable { .. }))
            | Self::Store(Unavailable { .. }) => Failure::unavailable(),
            Self::NoSourceAddress
            | Self::Admit(AdmitError::Store(Failed { .. } | Gone { .. } | Malformed { .. }))
            | Self::Register(RegisterError::Store(Failed { .. } | Gone { .. } | Malformed { .. }))
            | Self::Store(Failed { .. } | Gone { .. } | Malformed { .. }) => Failure::internal(),
        }
    }

    /// The metric that counts this failure, beside those that count all.
    ///
    /// `SignaturesRefused` counts well-formed signed requests of registered devices that are refused for their signer, their
    /// time or their repetition: a wrong clock, a wrong key or an attack leads there. `UnknownDevices` counts those of
    /// devices that are not registered, which anybody can make up. `MalformedRecords` counts those of devices that are refused
    /// until their replay record is deleted.
    pub(crate) fn metric(&self) -> Option<&'static str> {
        match self {
            Self::UnknownDevice | Self::NotRegistered => Some("UnknownDevices"),
            Self::Admit(AdmitError::Auth(_) | AdmitError::Replayed) => Some("SignaturesRefused"),
            Self::Admit(AdmitError::NonceNotRecorded(StoreError::Malformed { .. })) => Some("MalformedRecords"),
            _ => None,
        }
    }

    /// Returns `true` if anybody can have requests refused so, as often as they like.
    pub(crate) fn is_anybodys(&self) -> bool {
        matches!(
            self,
            Self::Header(_)
                | Self::DeviceMismatch
                | Self::NotThroughEdge
                | Self::UnknownDevice
                | Self::NotRegistered
                | Self::Admit(AdmitError::Auth(_) | AdmitError::Replayed)
                | Self::RegistrationKey(_)
                | Self::NewDevice(_)
                | Self::Register(RegisterError::KeyNotLive | RegisterError::TooManyWrongKeys { .. })
        )
    }
}

#[cfg(test)]
mod tests;
