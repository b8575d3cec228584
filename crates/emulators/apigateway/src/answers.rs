//! API Gateway's own answers: `{"message": …}`.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

/// The reasons for which the gateway answers in place of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The host, the query string or the body cannot be read.
    BadRequest,
    /// The authorizer refuses the token.
    Unauthorized,
    /// No route matches.
    NotFound,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The body, or the event with it, exceeds a quota.
    EntityTooLarge,
    /// The request exceeds the throttle.
    TooManyRequests,
    /// Request line and headers exceed a quota.
    HeaderFieldsTooLarge,
    /// Lambda has no execution left.
    ServiceUnavailable,
}

impl Refusal {
    /// The answer.
    pub(crate) fn answer(self) -> Response {
        let (status, text) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            Self::EntityTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Self::HeaderFieldsTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large")
            }
            Self::ServiceUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        let mut response = message(status, text);
        if self == Self::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer with this message.
pub(crate) fn message(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(serde_json::json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
