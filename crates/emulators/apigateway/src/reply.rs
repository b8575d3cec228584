//! Reads a function's response, payload format 2.0, as an HTTP response.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The reason for which a payload is not a response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    #[error("the response is malformed: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the response has a malformed status")]
    Status,
    #[error("the response has the malformed header {0}")]
    Header(String),
    #[error("the response's body is not Base64")]
    Body,
}

/// Makes the HTTP response that a payload describes.
pub(crate) fn parse(payload: &str) -> Result<Response, ReplyError> {
    let payload: Payload = serde_json::from_str(payload)?;
    let status = StatusCode::from_u16(payload.status_code).map_err(|_| ReplyError::Status)?;
    let text = payload.body.unwrap_or_default();
    let bytes = if payload.is_base64_encoded {
        STANDARD.decode(text).map_err(|_| ReplyError::Body)?
    } else {
        text.into_bytes()
    };
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = status;
    for (name, value) in payload.headers {
        let parsed = (HeaderName::try_from(&name), HeaderValue::try_from(value));
        let (Ok(header), Ok(value)) = parsed else {
            return Err(ReplyError::Header(name));
        };
        response.headers_mut().append(header, value);
    }
    for cookie in payload.cookies {
        let cookie = HeaderValue::try_from(cookie).map_err(|_| ReplyError::Header("set-cookie".to_owned()))?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if !bodiless && !response.headers().contains_key(header::CONTENT_TYPE) {
        // API Gateway's own default.
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Ok(response)
}
