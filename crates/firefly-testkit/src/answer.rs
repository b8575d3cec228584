//! Assertions on answers.

use firefly_device::Response;
use serde_json::Value;

/// Reads a body as JSON.
///
/// # Panics
///
/// Panics when the body is not JSON.
#[track_caller]
pub fn json(answer: &Response) -> Value {
    let body = serde_json::from_slice(&answer.body);
    body.unwrap_or_else(|error| panic!("{} with a body that is not JSON: {error}", answer.status))
}

/// Asserts that an answer is a failure with this status and `code`, in the form that every failure of a function has,
/// and returns its message.
#[track_caller]
pub fn assert_failure(case: &str, answer: &Response, status: u16, code: &str) -> String {
    let message = assert_message(case, answer, status);
    assert_eq!(json(answer)["code"], code, "{case}: {message}");
    let waits = answer.header("retry-after").map(str::parse::<u64>);
    match status {
        429 | 503 => assert!(matches!(waits, Some(Ok(1..))), "{case}: Retry-After {waits:?}"),
        _ => assert_eq!(waits, None, "{case}"),
    }
    message
}

/// Asserts that an answer is a failure with this status, in the form that a function's and the gateway's have in
/// common, and returns its message.
#[track_caller]
pub fn assert_message(case: &str, answer: &Response, status: u16) -> String {
    assert_eq!(answer.status, status, "{case}: {:?}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
    assert!(answer.body.len() < 255, "{case}: {} bytes", answer.body.len());
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{case}");
    // A controller answers this header by sending the request again and again.
    let challenge = answer.header("www-authenticate");
    assert!(challenge.is_none_or(|challenge| challenge == "Bearer"), "{case}: {challenge:?}");
    assert!(answer.message().is_some_and(|message| !message.is_empty()), "{case}: {:?}", answer.body);
    answer.message().unwrap_or_default()
}
