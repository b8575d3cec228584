//! Faults of single calls, between the stores and the engines.

use bytes::Bytes;
use http::Request;

/// Faults by operation: DynamoDB's name of it, or the HTTP method of a call of S3.
pub(crate) type Faults = emulator_kit::faults::Faults<String>;

/// The operation of a call.
pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
    let target = request.headers().get("x-amz-target").map(|target| target.to_str().unwrap());
    let operation = target.and_then(|target| target.split('.').nth(1));
    Some(operation.unwrap_or(request.method().as_str()).to_owned())
}
