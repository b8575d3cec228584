//! The full table of failures: status, code, message, `Retry-After`.

use super::*;
use crate::http;

fn outage() -> StoreError {
    StoreError::Unavailable { operation: "dynamodb:GetItem", cause: "secret detail".to_owned() }
}

/// Every variant, with what the client is told.
fn table() -> Vec<(ApiError, u16, &'static str, &'static str, Option<u64>)> {
    let at = UnixSeconds::new;
    let failed = StoreError::Failed { operation: "s3:GetObject", cause: "secret detail".to_owned() };
    let malformed = StoreError::Malformed { item: "a device", attribute: "public_key" };
    let unavailable = ("unavailable", "Service unavailable, try again", Some(5));
    let refused_key = "X-Registration-Key must be 6 characters of A-Z and 0-9";
    let bad_key = "abc".parse::<firefly_core::registration::RegistrationKey>().unwrap_err();
    let sent_twice = firefly_core::registration::MemberError::SentTwice;
    vec![
        (
            HeaderError::Missing { header: "X-Device-UUID" }.into(),
            400,
            "invalid_header",
            "header X-Device-UUID is missing",
            None,
        ),
        (
            HeaderError::Malformed { header: "X-Device-Nonce" }.into(),
            400,
            "invalid_header",
            "header X-Device-Nonce is malformed",
            None,
        ),
        (ApiError::DeviceMismatch, 403, "device_mismatch", "X-Device-UUID does not match the path", None),
        (ApiError::UnknownDevice, 401, "unauthorized", "Unauthorized", None),
        (ApiError::NotRegistered, 404, "not_registered", "Device is not registered", None),
        (
            AuthError::StaleTimestamp { sent_at: at(5), now: at(1_750_000_000) }.into(),
            401,
            "stale_timestamp",
            "X-Device-Timestamp is outside the acceptance window, check the clock",
            None,
        ),
        (AuthError::BadSignature.into(), 401, "unauthorized", "Unauthorized", None),
        (ApiError::Replayed, 401, "replayed", "Request was seen before, sign a new one", None),
        (
            ApiError::TooManyNonces { retry_after_seconds: 7 },
            429,
            "too_many_requests",
            "Too many requests, try again later",
            Some(7),
        ),
        (
            ApiError::TooManyWrongKeys { retry_after_seconds: 1_800 },
            429,
            "too_many_requests",
            "Too many requests, try again later",
            Some(1_800),
        ),
        (ApiError::NoSourceAddress, 500, "internal", "Internal server error", None),
        (ApiError::NonceNotRecorded(outage()), 503, unavailable.0, unavailable.1, unavailable.2),
        (EnvelopeError::Empty.into(), 400, "invalid_envelope", "", None),
        (EnvelopeError::TooLarge { length: 600_000 }.into(), 413, "envelope_too_large", "", None),
        (EnvelopeError::TooLarge { length: usize::MAX }.into(), 413, "envelope_too_large", "", None),
        (EnvelopeError::Truncated { length: 3 }.into(), 400, "invalid_envelope", "", None),
        (EnvelopeError::BadMagic.into(), 400, "invalid_envelope", "", None),
        (EnvelopeError::UnsupportedVersion { version: 2 }.into(), 400, "invalid_envelope", "", None),
        (EnvelopeError::LengthMismatch { declared: 1, actual: 2 }.into(), 400, "invalid_envelope", "", None),
        (ApiError::NoBackup, 404, "no_backup", "No backup is stored for this device", None),
        (ApiError::NoSubject, 401, "unauthorized", "Unauthorized", None),
        (ApiError::NotInGroup, 403, "forbidden", "Only members of super_users may do this", None),
        (bad_key.into(), 400, "invalid_header", refused_key, None),
        (NewDeviceError::TooLarge { length: 20_000 }.into(), 413, "body_too_large", "", None),
        (NewDeviceError::NotAnObject.into(), 400, "invalid_body", "", None),
        (NewDeviceError::Missing { field: "uuid" }.into(), 400, "invalid_body", "", None),
        (NewDeviceError::Invalid { field: "mcu", reason: sent_twice }.into(), 400, "invalid_body", "", None),
        (ApiError::KeyNotLive, 401, "invalid_key", "Registration key is unknown, spent or expired", None),
        (
            ApiError::RegisteredWithOtherKey,
            409,
            "registered_with_other_key",
            "Device is registered with another public key",
            None,
        ),
        (ApiError::Query { parameter: "next" }, 400, "invalid_query", "Query parameter next is malformed", None),
        (outage().into(), 503, unavailable.0, unavailable.1, unavailable.2),
        (failed.into(), 500, "internal", "Internal server error", None),
        (StoreError::Gone { item: "the device" }.into(), 500, "internal", "Internal server error", None),
        (malformed.into(), 500, "internal", "Internal server error", None),
        (ApiError::DeadlineExceeded, 503, unavailable.0, unavailable.1, unavailable.2),
    ]
}

#[test]
fn every_failure_has_its_status_code_and_message() {
    for (error, status, code, message, retry_after) in table() {
        let failure = error.answer();
        assert_eq!((failure.status.as_u16(), failure.code), (status, code), "{error}");
        // An empty message in the table stands for the domain's own text, pinned in firefly-core.
        let own = error.to_string();
        assert_eq!(failure.message, if message.is_empty() { own.as_str() } else { message });
        assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), retry_after, "{error}");
        let stale = matches!(error, ApiError::Auth(AuthError::StaleTimestamp { .. }));
        assert_eq!(failure.server_time.is_some(), stale);
    }
}

#[test]
fn a_signature_is_refused_with_401_and_nothing_else_of_401_is_a_signature() {
    for (error, status, code, ..) in table() {
        // These have no signature: a token and a registration key.
        let other = matches!(error, ApiError::NoSubject | ApiError::KeyNotLive);
        assert_eq!(error.refuses_signature(), status == 401 && !other, "{code}: {error}");
    }
}

#[test]
fn every_body_is_short_json_and_leaks_nothing() {
    for (error, ..) in table() {
        let response = http::failure(&error);
        let lambda_http::Body::Text(body) = response.body() else { panic!("a failure has a text body") };
        assert!(body.len() < 255, "{body}");
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(json["message"].is_string() && json["code"].is_string(), "{body}");
        assert!(!body.contains("secret detail") && !body.contains("dynamodb") && !body.contains("s3:"), "{body}");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}
