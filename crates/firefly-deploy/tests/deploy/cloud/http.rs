//! Requests to the services, and their responses.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;

/// A request to a service.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) owner: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Decodes `application/x-www-form-urlencoded`.
pub(super) fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

pub(crate) fn response(status: u16, kind: &str, body: impl Into<String>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(Body::from(body.into())).unwrap()
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
