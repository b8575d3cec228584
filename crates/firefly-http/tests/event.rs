//! No event is cut short or has one more byte.

#[path = "../../../tests/truncation.rs"]
pub mod truncation;

use firefly_http::Event;
use truncation::{assert_no_other_length, text};

/// The white space of JSON (RFC 8259 §2).
const WHITE_SPACE: &[u8] = b" \t\n\r";

/// An event with every member that the functions read, and some that they do not.
///
/// Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".
const EVENT: &str = r#"{
  "version": "2.0",
  "routeKey": "PUT /things/{name}",
  "rawPath": "/things/lamp",
  "rawQueryString": "limit=10",
  "headers": { "content-type": "text/plain", "x-text": "\u00e4 \"\\" },
  "queryStringParameters": { "limit": "10" },
  "requestContext": {
    "accountId": "123456789012",
    "authorizer": { "jwt": { "claims": { "iat": "1773342245", "sub": "1234" }, "scopes": null } },
    "http": { "method": "PUT", "path": "/things/lamp", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7" },
    "timeEpoch": 1773342245417
  },
  "body": "TGFtcA==",
  "pathParameters": { "name": "lamp" },
  "isBase64Encoded": true
}"#;

#[test]
fn an_event_has_no_other_length() {
    assert_no_other_length(EVENT.as_bytes(), WHITE_SPACE, text(|event| serde_json::from_str::<Event>(event)));
}
