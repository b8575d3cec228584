//! API Gateway's own answers: `{"message": …}`.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// An answer with this message.
pub(crate) fn message(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(serde_json::json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to a token that the authorizer refuses.
pub(crate) fn unauthorized() -> Response {
    let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer to a request that exceeds a quota.
pub(crate) fn too_large() -> Response {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
}

/// The answer to a request that exceeds the throttle.
pub(crate) fn too_many_requests() -> Response {
    message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
}

/// The answer to a request for which Lambda has no execution left.
pub(crate) fn service_unavailable() -> Response {
    message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
}

/// The answer to a request whose line and headers exceed the quota.
pub(crate) fn header_fields_too_large() -> Response {
    message(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
}
