//! The responses to requests.

use base64_simd::STANDARD as BASE64;
use firefly_core::etag::ETag;
use firefly_runtime::{Ending, Outcome};
use http::header::{self, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::error::ApiError;
use crate::failure::{Failure, FailureBody};

/// The response to a request that succeeded, and its outcome.
#[derive(Debug)]
pub struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) response: Response<Body>,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(outcome: Outcome, status: StatusCode, body: &impl Serialize) -> Self {
        // Serialization of the answers' own types into memory does not fail.
        let text = serde_json::to_string(body).unwrap_or_default();
        Self { outcome, response: response(status, "application/json", Body::Text(text)) }
    }

    /// An answer without a body, for 204 and 304.
    pub fn empty(outcome: Outcome, status: StatusCode) -> Self {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        Self { outcome, response }
    }

    /// An answer whose body is the bytes of a backup.
    pub fn octets(outcome: Outcome, bytes: Vec<u8>) -> Self {
        Self { outcome, response: response(StatusCode::OK, "application/octet-stream", Body::Binary(bytes)) }
    }

    /// The answer with `Cache-Control: no-store`.
    #[must_use]
    pub fn no_store(mut self) -> Self {
        self.response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self
    }

    /// The answer with `ETag: "<64 hex>"`, if there is an ETag.
    #[must_use]
    pub fn etag(mut self, etag: Option<ETag>) -> Self {
        let value = etag.and_then(|etag| HeaderValue::try_from(etag.quoted()).ok());
        self.response.headers_mut().extend(value.map(|value| (header::ETAG, value)));
        self
    }
}

/// The answer to a request that failed.
pub(crate) fn failure(error: &ApiError) -> Answer {
    let Failure { status, code, message, retry_after, server_time } = error.answer();
    let body = FailureBody { message, code, server_time: server_time.map(|time| time.to_string()) };
    let text = serde_json::to_string(&body).unwrap_or_default();
    let mut response = response(status, "application/json", Body::Text(text));
    if let Some(wait) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    let cause = error.to_string();
    let ending = if status.is_server_error() { Ending::Failed { cause } } else { Ending::Refused { cause } };
    let outcome = Outcome::ended(code, ending);
    let outcome = match error.metric() {
        Some(metric) => outcome.counted(metric),
        None => outcome,
    };
    Answer { outcome: if error.is_anybodys() { outcome.anybodys() } else { outcome }, response }
}

/// The response as a function returns it: payload format 2.0, binary bodies in Base64.
pub(crate) fn payload(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut payload = ApiGatewayV2httpResponse::default();
    payload.status_code = i64::from(parts.status.as_u16());
    payload.headers = parts.headers;
    payload.is_base64_encoded = matches!(body, Body::Binary(_));
    payload.body = match body {
        Body::Empty => None,
        Body::Binary(bytes) => Some(Body::Text(BASE64.encode_to_string(bytes))),
        body => Some(body),
    };
    payload
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
