//! DynamoDB's protocol, AWS JSON 1.0, in front of the engine.
//!
//! Source: Amazon DynamoDB Developer Guide, "DynamoDB low-level API" and "Error handling with DynamoDB".

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use s3s::crypto::{Checksum as _, Crc32};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use emulator_kit::{self as kit, BodyError, Caller, Callers, Deadlines, Refusal};

/// Longest request: 16 MiB of a BatchWriteItem.
const MAX_REQUEST_LENGTH: usize = 16 * 1024 * 1024;

/// The beginning of `X-Amz-Target`; the operation follows.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// The content type of every request and answer.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// The engine and those who may call it.
#[derive(Clone)]
pub(super) struct Protocol {
    pub(super) database: Database,
    pub(super) callers: Callers,
    pub(super) deadlines: Deadlines,
}

impl Protocol {
    /// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
    pub(super) async fn answer(self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let caller = match self.callers.admit(&head) {
            Ok(caller) if head.method == Method::POST => caller,
            Ok(_) | Err(Refusal::Foreign) => return kit::foreign(),
            Err(Refusal::Credentials) => return unrecognized(),
        };
        match kit::read(body, MAX_REQUEST_LENGTH, self.deadlines.body).await {
            Ok(body) => self.execute(caller, &head, &body),
            Err(BodyError::TooLong) => failure(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", ""),
            Err(BodyError::Late) => failure(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", ""),
            Err(BodyError::Broken) => failure(StatusCode::BAD_REQUEST, "SerializationException", ""),
        }
    }

    fn execute(&self, caller: &Caller, head: &Parts, body: &Bytes) -> Response {
        if !caller.signed(head, body) {
            return invalid_signature();
        }
        match operation(&head.headers).and_then(|operation| run(&self.database, operation, body)) {
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

/// Runs an operation: its JSON request in, its JSON response out. `None` if the emulator has no such operation.
fn run(database: &Database, operation: &str, body: &[u8]) -> Option<dynoxide::Result<String>> {
    /// Reads the request, calls the engine, writes the response.
    fn call<I: DeserializeOwned, O: Serialize>(
        body: &[u8],
        method: impl FnOnce(I) -> dynoxide::Result<O>,
    ) -> dynoxide::Result<String> {
        let request = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        serde_json::to_string(&method(request)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }
    macro_rules! operations {
        ($($name:literal => $method:ident,)*) => {
            match operation {
                $($name => call(body, |request| database.$method(request)),)*
                _ => return None,
            }
        };
    }
    let result = operations! {
        "BatchExecuteStatement" => batch_execute_statement,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "CreateTable" => create_table,
        "DeleteItem" => delete_item,
        "DeleteTable" => delete_table,
        "DescribeTable" => describe_table,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "GetItem" => get_item,
        "ListTables" => list_tables,
        "ListTagsOfResource" => list_tags_of_resource,
        "PutItem" => put_item,
        "Query" => query,
        "Scan" => scan,
        "TagResource" => tag_resource,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "UntagResource" => untag_resource,
        "UpdateItem" => update_item,
        "UpdateTable" => update_table,
        "UpdateTimeToLive" => update_time_to_live,
    };
    Some(result.map_err(|error| match error {
        // The engine's mark for refusals that these operations word in an envelope, and others do not.
        DynoxideError::EnvelopedValidation(message) => DynoxideError::ValidationException(match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => format!("1 validation error detected: {message}"),
            _ => message,
        }),
        DynoxideError::ConditionalCheckFailedException(message, Some(item)) if operation == "ExecuteStatement" => {
            DynoxideError::StatementConditionalCheckFailed(message, item)
        }
        other => other,
    }))
}

/// The error for a request that cannot be read. The engine's types begin some messages with the kind of error, which
/// is not DynamoDB's text.
fn malformed(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    for (mark, make) in [
        ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation as fn(String) -> DynoxideError),
        ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
        ("VALIDATION:", DynoxideError::ValidationException),
        ("SERIALIZATION_AS_READ:", DynoxideError::SerializationException),
        ("SERIALIZATION:", DynoxideError::SerializationException),
    ] {
        if let Some(message) = text.strip_prefix(mark) {
            return make(without_position(message).to_owned());
        }
    }
    let message = without_position(&text).to_owned();
    let absent = ["missing field", "unknown variant", "invalid type: null"];
    if message.contains("empty AttributeValue") {
        let message = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
        DynoxideError::ValidationException(message.to_owned())
    } else if message.contains("Supplied AttributeValue") || absent.iter().any(|part| message.contains(part)) {
        DynoxideError::ValidationException(message)
    } else if error.is_data() {
        DynoxideError::SerializationException(message)
    } else {
        // DynamoDB says nothing about text that is not JSON.
        DynoxideError::SerializationException(String::new())
    }
}

/// The message without the place in the text that serde_json adds.
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |position| &message[..position])
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

/// An error that the engine does not know.
fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    let body =
        if message.is_empty() { json!({ "__type": kind }) } else { json!({ "__type": kind, "message": message }) };
    json_response(status, body.to_string())
}

/// A response as DynamoDB sends it: with a request id and the CRC-32 of its body, which SDKs compare.
fn json_response(status: StatusCode, text: String) -> Response {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");
    let crc32 = u32::from_be_bytes(Crc32::checksum(text.as_bytes()));
    let request_id = format!("{:032X}{:020X}", rand::random::<u128>(), rand::random::<u64>());
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(CRC32, HeaderValue::from(crc32));
    headers.extend(HeaderValue::try_from(request_id).ok().map(|id| (REQUEST_ID, id)));
    response
}
