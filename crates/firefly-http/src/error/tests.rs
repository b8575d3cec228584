//! The full table of failures: status, code, message, `Retry-After`.

use firefly_core::registration::{MemberError, RegistrationKey};
use firefly_core::time::UnixSeconds;

use super::*;
use crate::answer;

/// Status, code, message, seconds of `Retry-After`.
type Row = (u16, &'static str, &'static str, Option<u64>);

const UNAUTHORIZED: Row = (401, "unauthorized", "Unauthorized", None);
const TOO_MANY_REQUESTS: Row = (429, "too_many_requests", "Too many requests, try again later", Some(7));
const INTERNAL: Row = (500, "internal", "Internal server error", None);
const UNAVAILABLE: Row = (503, "unavailable", "Service unavailable, try again", Some(5));

const NOW: UnixSeconds = UnixSeconds::new(1_750_000_000);

fn unavailable() -> StoreError {
    StoreError::Unavailable { operation: "dynamodb:GetItem", cause: "secret detail".to_owned() }
}

fn failed() -> StoreError {
    StoreError::Failed { operation: "s3:GetObject", cause: "secret detail".to_owned() }
}

fn gone() -> StoreError {
    StoreError::Gone { item: "the device" }
}

fn malformed() -> StoreError {
    StoreError::Malformed { item: "a device", attribute: "public_key" }
}

/// Writes the table twice: as a match, so that a failure without a row does not compile, and as samples of each row.
macro_rules! table {
    ($($pattern:pat => $row:expr, [$($sample:expr),+];)+) => {
        fn row_of(error: &ApiError) -> Row {
            match error {
                $($pattern => $row,)+
            }
        }

        fn table() -> Vec<(ApiError, Row)> {
            let mut table = Vec::new();
            $($(
                let error = ApiError::from($sample);
                assert!(matches!(error, $pattern), "{error:?} is not a sample of {}", stringify!($pattern));
                table.push((error, $row));
            )+)+
            table
        }
    };
}

table! {
    ApiError::Header(HeaderError::Missing { .. }) => (400, "invalid_header", "header X-Device-UUID is missing", None),
        [HeaderError::Missing { header: "X-Device-UUID" }];
    ApiError::Header(HeaderError::Malformed { .. }) =>
        (400, "invalid_header", "header X-Device-Nonce is malformed", None),
        [HeaderError::Malformed { header: "X-Device-Nonce" }];
    ApiError::RegistrationKey(_) =>
        (400, "invalid_header", "X-Registration-Key must be 6 characters of A-Z and 0-9", None),
        ["abc".parse::<RegistrationKey>().unwrap_err()];
    ApiError::DeviceMismatch => (403, "device_mismatch", "X-Device-UUID does not match the path", None),
        [ApiError::DeviceMismatch];
    ApiError::NotThroughEdge =>
        (403, "not_through_edge", "Not served at this address, use that of the API", None),
        [ApiError::NotThroughEdge];
    ApiError::NotInGroup => (403, "forbidden", "Only members of super_users may do this", None),
        [ApiError::NotInGroup];
    ApiError::UnknownDevice => UNAUTHORIZED, [ApiError::UnknownDevice];
    ApiError::NoSubject => UNAUTHORIZED, [ApiError::NoSubject];
    ApiError::NotRegistered => (404, "not_registered", "Device is not registered", None), [ApiError::NotRegistered];
    ApiError::NoSuchDevice => (404, "not_registered", "Device is not registered", None), [ApiError::NoSuchDevice];
    ApiError::NoSuchVersion => (404, "no_such_version", "Device has no such version of its backup", None),
        [ApiError::NoSuchVersion];
    ApiError::NoBackup => (404, "no_backup", "No backup is stored for this device", None), [ApiError::NoBackup];
    ApiError::Admit(AdmitError::Auth(AuthError::BadSignature)) => UNAUTHORIZED,
        [AdmitError::Auth(AuthError::BadSignature)];
    ApiError::Admit(AdmitError::Auth(AuthError::StaleTimestamp { .. })) =>
        (401, "stale_timestamp", "X-Device-Timestamp is outside the acceptance window, check the clock", None),
        [AdmitError::Auth(AuthError::StaleTimestamp { sent_at: UnixSeconds::new(5), now: NOW })];
    ApiError::Admit(AdmitError::Replayed) => (401, "replayed", "Request was seen before, sign a new one", None),
        [AdmitError::Replayed];
    ApiError::Admit(AdmitError::TooManyNonces { .. }) => TOO_MANY_REQUESTS,
        [AdmitError::TooManyNonces { retry_after_seconds: 7 }];
    ApiError::Admit(AdmitError::TooManyUploads { .. }) =>
        (429, "too_many_uploads", "Too many uploads on this day (UTC), try again on the next", Some(7)),
        [AdmitError::TooManyUploads { retry_after_seconds: 7 }];
    ApiError::Admit(AdmitError::NonceNotRecorded(_)) => UNAVAILABLE, [AdmitError::NonceNotRecorded(unavailable())];
    ApiError::Admit(AdmitError::Store(StoreError::Unavailable { .. })) => UNAVAILABLE,
        [AdmitError::Store(unavailable())];
    ApiError::Admit(AdmitError::Store(
        StoreError::Failed { .. } | StoreError::Gone { .. } | StoreError::Malformed { .. },
    )) => INTERNAL,
        [AdmitError::Store(failed()), AdmitError::Store(gone()), AdmitError::Store(malformed())];
    ApiError::Envelope(EnvelopeError::Empty) => (400, "invalid_envelope", "the envelope is empty", None),
        [EnvelopeError::Empty];
    ApiError::Envelope(EnvelopeError::Truncated { .. }) =>
        (400, "invalid_envelope", "the envelope ends after 3 bytes, within its header of 37", None),
        [EnvelopeError::Truncated { length: 3 }];
    ApiError::Envelope(EnvelopeError::BadMagic) =>
        (400, "invalid_envelope", "the envelope does not start with FFCE", None),
        [EnvelopeError::BadMagic];
    ApiError::Envelope(EnvelopeError::UnsupportedVersion { .. }) =>
        (400, "invalid_envelope", "the envelope has version 2, not 1", None),
        [EnvelopeError::UnsupportedVersion { version: 2 }];
    ApiError::Envelope(EnvelopeError::LengthMismatch { .. }) =>
        (400, "invalid_envelope", "the envelope declares 1 bytes of ciphertext and carries 2", None),
        [EnvelopeError::LengthMismatch { declared: 1, actual: 2 }];
    ApiError::Envelope(EnvelopeError::TooLarge { length: 600_000 }) => (
        413,
        "envelope_too_large",
        "600000 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325",
        None,
    ), [EnvelopeError::TooLarge { length: 600_000 }];
    ApiError::Envelope(EnvelopeError::TooLarge { .. }) => (
        413,
        "envelope_too_large",
        "18446744073709551615 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325",
        None,
    ), [EnvelopeError::TooLarge { length: usize::MAX }];
    ApiError::NewDevice(NewDeviceError::TooLarge { .. }) =>
        (413, "body_too_large", "the body of 20000 bytes is larger than 16384", None),
        [NewDeviceError::TooLarge { length: 20_000 }];
    ApiError::NewDevice(NewDeviceError::NotAnObject) =>
        (400, "invalid_body", "the body is not a JSON object", None),
        [NewDeviceError::NotAnObject];
    ApiError::NewDevice(NewDeviceError::Missing { .. }) => (400, "invalid_body", "member uuid is missing", None),
        [NewDeviceError::Missing { field: "uuid" }];
    ApiError::NewDevice(NewDeviceError::Invalid { .. }) =>
        (400, "invalid_body", "member mcu is invalid: sent more than once", None),
        [NewDeviceError::Invalid { field: "mcu", reason: MemberError::SentTwice }];
    ApiError::Register(RegisterError::KeyNotLive) =>
        (401, "invalid_key", "Registration key is unknown, spent or expired", None),
        [RegisterError::KeyNotLive];
    ApiError::Register(RegisterError::RegisteredWithOtherKey) =>
        (409, "registered_with_other_key", "Device is registered with another public key", None),
        [RegisterError::RegisteredWithOtherKey];
    ApiError::Register(RegisterError::TooManyWrongKeys { .. }) => TOO_MANY_REQUESTS,
        [RegisterError::TooManyWrongKeys { retry_after_seconds: 7 }];
    ApiError::Register(RegisterError::TryNotRecorded(_)) => UNAVAILABLE,
        [RegisterError::TryNotRecorded(unavailable()), RegisterError::TryNotRecorded(failed())];
    ApiError::Register(RegisterError::Store(StoreError::Unavailable { .. })) => UNAVAILABLE,
        [RegisterError::Store(unavailable())];
    ApiError::Register(RegisterError::Store(
        StoreError::Failed { .. } | StoreError::Gone { .. } | StoreError::Malformed { .. },
    )) => INTERNAL,
        [RegisterError::Store(failed()), RegisterError::Store(gone()), RegisterError::Store(malformed())];
    ApiError::Query { .. } => (400, "invalid_query", "Query parameter next is malformed", None),
        [ApiError::Query { parameter: "next" }, ListError::ForeignCursor];
    ApiError::Path { .. } => (400, "invalid_path", "Path parameter uuid is malformed", None),
        [ApiError::Path { parameter: "uuid" }];
    ApiError::TooManyLiveKeys { .. } => TOO_MANY_REQUESTS, [MintError::TooManyLiveKeys { retry_after_seconds: 7 }];
    ApiError::Store(StoreError::Unavailable { .. }) => UNAVAILABLE,
        [unavailable(), ListError::Store(unavailable()), MintError::Store(unavailable())];
    ApiError::Store(StoreError::Failed { .. } | StoreError::Gone { .. } | StoreError::Malformed { .. }) => INTERNAL,
        [failed(), gone(), malformed(), ListError::Store(failed())];
    ApiError::NoSourceAddress => INTERNAL, [ApiError::NoSourceAddress];
    ApiError::DeadlineExceeded => UNAVAILABLE, [ApiError::DeadlineExceeded];
}

#[test]
fn every_failure_has_its_status_code_and_message() {
    for (error, row) in table() {
        let failure = error.answer();
        let retry_after = failure.retry_after.map(|wait| wait.as_secs());
        assert_eq!((failure.status.as_u16(), failure.code, failure.message.as_str(), retry_after), row, "{error:?}");
        assert_eq!(row_of(&error), row);
        let stale = matches!(error, ApiError::Admit(AdmitError::Auth(AuthError::StaleTimestamp { .. })));
        assert_eq!(failure.server_time, stale.then_some(NOW), "{error:?}");
    }
}

#[test]
fn refused_signatures_and_unknown_devices_are_counted_apart_and_nothing_else_is() {
    for (error, (status, code, ..)) in table() {
        let unknown = matches!(error, ApiError::UnknownDevice | ApiError::NotRegistered);
        // These have no signature: a token and a registration key.
        let other = matches!(error, ApiError::NoSubject | ApiError::Register(RegisterError::KeyNotLive));
        let refused = status == 401 && !other && !unknown;
        let expected = if unknown { Some("UnknownDevices") } else { refused.then_some("SignaturesRefused") };
        assert_eq!(error.metric(), expected, "{code}: {error}");
    }
}

#[test]
fn what_anybody_can_have_refused_is_sampled_and_what_takes_a_key_or_a_token_is_not() {
    for (error, (status, code, ..)) in table() {
        let proved = matches!(
            error,
            ApiError::NotInGroup
                | ApiError::NoSubject
                | ApiError::NoSuchDevice
                | ApiError::NoSuchVersion
                | ApiError::NoBackup
                | ApiError::Path { .. }
                | ApiError::Query { .. }
                | ApiError::TooManyLiveKeys { .. }
                | ApiError::Envelope(_)
                | ApiError::Admit(AdmitError::TooManyNonces { .. } | AdmitError::TooManyUploads { .. })
                | ApiError::Register(RegisterError::RegisteredWithOtherKey)
        );
        assert_eq!(error.is_anybodys(), status < 500 && !proved, "{code}: {error}");
    }
}

#[test]
fn exactly_a_replay_record_that_cannot_be_read_counts_as_one() {
    let malformed = StoreError::Malformed { item: "a replay record", attribute: "nonces" };
    let error = ApiError::from(AdmitError::NonceNotRecorded(malformed));
    assert_eq!(error.metric(), Some("MalformedRecords"));
    assert_eq!(row_of(&error), UNAVAILABLE);
    for (error, ..) in table() {
        assert_ne!(error.metric(), Some("MalformedRecords"), "{error}");
    }
}

#[test]
fn every_body_is_short_json_and_leaks_nothing() {
    for (error, ..) in table() {
        let response = answer::failure(&error).response;
        let lambda_http::Body::Text(body) = response.body() else { panic!("a failure has a text body") };
        assert!(body.len() < 255, "{body}");
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(json["message"].is_string() && json["code"].is_string(), "{body}");
        assert!(!body.contains("secret detail") && !body.contains("dynamodb") && !body.contains("s3:"), "{body}");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}
