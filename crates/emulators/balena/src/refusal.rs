//! The refusals of the API.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::store::StoreError;

/// The reason for which a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such key, or it does not permit the request, or the record that a new one names does not exist.
    #[error("unauthorized")]
    Unauthorized,
    /// A rule is broken.
    #[error("{0}")]
    Malformed(String),
    /// Another record has the same natural key.
    #[error("{0}")]
    NotUnique(&'static str),
    /// There is no such route.
    #[error("not found")]
    NotFound,
    /// The resource does not have the method here.
    #[error("method not allowed")]
    Method,
    /// The body is longer than a request may be.
    #[error("request entity too large")]
    TooLarge,
    /// The change could not be stored.
    #[error("internal server error")]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The answer. A 401 has no body.
    pub(crate) fn into_response(self) -> Response {
        let status = match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotUnique(_) => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Self::Store(error) = &self {
            tracing::error!(cause = %error, "the account could not be stored");
        }
        let text = if status == StatusCode::UNAUTHORIZED { String::new() } else { self.to_string() };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        response
    }
}
