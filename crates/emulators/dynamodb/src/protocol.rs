//! DynamoDB's protocol, AWS JSON 1.0, in front of the engine.
//!
//! Source: Amazon DynamoDB Developer Guide, "DynamoDB low-level API" and "Error handling with DynamoDB".

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use emulator_kit::{BodyError, Deadlines, Principal, Principals, Refusal};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde_json::json;

use crate::database::Database;
use crate::operations::run;

/// Longest request: 16 MiB of a BatchWriteItem.
const MAX_REQUEST_LENGTH: usize = 16 * 1024 * 1024;

/// The beginning of `X-Amz-Target`; the operation follows.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The content type of every request and answer.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// The engine and its principals.
#[derive(Clone)]
pub(crate) struct Protocol {
    pub(crate) database: Database,
    pub(crate) principals: Principals,
    pub(crate) deadlines: Deadlines,
}

impl Protocol {
    /// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
    pub(crate) async fn answer(self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let principal = match self.principals.admit(&head) {
            Ok(principal) if head.method == Method::POST => principal,
            Ok(_) | Err(Refusal::Foreign) => return emulator_kit::foreign(),
            Err(Refusal::Credentials) => return unrecognized(),
        };
        match emulator_kit::read(body, MAX_REQUEST_LENGTH, self.deadlines.body).await {
            Ok(body) => self.execute(principal, &head, &body),
            Err(BodyError::TooLong) => failure(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", ""),
            Err(BodyError::Late) => failure(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", ""),
            Err(BodyError::Broken) => failure(StatusCode::BAD_REQUEST, "SerializationException", ""),
        }
    }

    fn execute(&self, principal: &Principal, head: &Parts, body: &Bytes) -> Response {
        if !principal.signed(head, body) {
            return invalid_signature();
        }
        match operation(&head.headers).and_then(|operation| run(&self.database.0, operation, body)) {
            None => failure(StatusCode::BAD_REQUEST, "com.amazon.coral.service#UnknownOperationException", ""),
            Some(Ok(text)) => json_response(StatusCode::OK, text),
            Some(Err(error)) => {
                let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                json_response(status, error.to_json())
            }
        }
    }
}

fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX)
}

fn unrecognized() -> Response {
    let kind = "com.amazon.coral.service#UnrecognizedClientException";
    failure(StatusCode::BAD_REQUEST, kind, "The security token included in the request is invalid.")
}

fn invalid_signature() -> Response {
    let kind = "com.amazon.coral.service#InvalidSignatureException";
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                   Secret Access Key and signing method.";
    failure(StatusCode::BAD_REQUEST, kind, message)
}

/// An error that the engine itself does not make.
fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    let body =
        if message.is_empty() { json!({ "__type": kind }) } else { json!({ "__type": kind, "message": message }) };
    json_response(status, body.to_string())
}

/// A response as DynamoDB sends it, with a request id and the CRC-32 of its body, which SDKs compare.
fn json_response(status: StatusCode, text: String) -> Response {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");
    let crc32 = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, text.as_bytes());
    let request_id = format!("{:032X}{:020X}", rand::random::<u128>(), rand::random::<u64>());
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(CRC32, HeaderValue::from(crc32));
    headers.extend(HeaderValue::try_from(request_id).ok().map(|id| (REQUEST_ID, id)));
    response
}
