//! Writes an HTTP request as an event of payload format 2.0.
//!
//! Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, header, request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::authorizer::Claims;

/// The account that events name.
const ACCOUNT_ID: &str = "000000000000";
/// The API that events name.
const API_ID: &str = "local";

/// The time of a request, as web servers log it: `12/Mar/2020:19:03:58 +0000`.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// API Gateway does not pass the request on: its `Host` is malformed, or its query string has characters that a URL does
/// not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has a malformed host or query string")]
pub struct BadRequest;

/// The parts of an event.
#[derive(Debug)]
pub struct EventParts<'a> {
    /// The route: `GET /things/{id}`.
    pub route_key: &'a str,
    /// The head of the request.
    pub parts: &'a request::Parts,
    /// The decoded path parameters.
    pub path_parameters: Vec<(String, String)>,
    /// The claims of the token, if the route needs one.
    pub claims: Option<Claims>,
    /// The body of the request.
    pub body: Bytes,
    /// The client.
    pub peer: SocketAddr,
    /// The request id.
    pub request_id: &'a str,
    /// The time of the request, in whole seconds since 1970-01-01T00:00:00Z.
    pub now: u64,
}

/// Writes the JSON text of an event.
///
/// # Errors
/// [`BadRequest`].
pub fn build(from: EventParts<'_>) -> Result<String, BadRequest> {
    let raw_query = from.parts.uri.query().unwrap_or_default();
    let query = query(raw_query)?;
    let mut headers = joined(&from.parts.headers);
    let peer = from.peer.ip().to_string();
    let forwarded_for = match headers.remove("x-forwarded-for") {
        Some(sent) => format!("{sent}, {peer}"),
        None => peer,
    };
    headers.insert("x-forwarded-for".to_owned(), forwarded_for);
    headers.insert("x-forwarded-port".to_owned(), "443".to_owned());
    headers.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    let context = request_context(&from, &headers)?;
    let EventParts { route_key, parts, path_parameters, body, .. } = from;
    let cookies = headers.remove("cookie").map(|cookies| cookies.split("; ").map(str::to_owned).collect::<Vec<_>>());
    let text = text(&parts.headers, &body);
    let is_base64_encoded = !body.is_empty() && text.is_none();
    let mut event = Map::new();
    let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
    set("version", json!("2.0"));
    set("routeKey", json!(route_key));
    set("rawPath", json!(decode(parts.uri.path())));
    set("rawQueryString", json!(raw_query));
    set("headers", json!(headers));
    set("requestContext", context);
    set("isBase64Encoded", json!(is_base64_encoded));
    if let Some(cookies) = cookies {
        set("cookies", json!(cookies));
    }
    if !query.is_empty() {
        set("queryStringParameters", json!(query));
    }
    if !path_parameters.is_empty() {
        set("pathParameters", json!(path_parameters.into_iter().collect::<BTreeMap<_, _>>()));
    }
    if is_base64_encoded {
        set("body", Value::from(STANDARD.encode(&body)));
    } else if let Some(text) = text.filter(|text| !text.is_empty()) {
        set("body", Value::from(text));
    }
    Ok(Value::Object(event).to_string())
}

/// The member `requestContext`; `headers` are those of the event.
fn request_context(from: &EventParts<'_>, headers: &BTreeMap<String, String>) -> Result<Value, BadRequest> {
    let at = i64::try_from(from.now).ok().and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok());
    let mut context = json!({
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": host(&from.parts.headers)?,
        "domainPrefix": API_ID,
        "http": {
            "method": from.parts.method.as_str(),
            "path": decode(from.parts.uri.path()),
            "protocol": format!("{:?}", from.parts.version),
            "sourceIp": from.peer.ip().to_string(),
            "userAgent": headers.get("user-agent").map_or("", String::as_str),
        },
        "requestId": from.request_id,
        "routeKey": from.route_key,
        "stage": "$default",
        "time": at.and_then(|at| at.format(TIME).ok()).unwrap_or_default(),
        "timeEpoch": from.now.saturating_mul(1_000),
    });
    if let (Some(claims), Some(context)) = (&from.claims, context.as_object_mut()) {
        context.insert("authorizer".to_owned(), json!({ "jwt": { "claims": claims, "scopes": null } }));
    }
    Ok(context)
}

/// The `Host` header, which is a host with or without a port.
fn host(headers: &HeaderMap) -> Result<&str, BadRequest> {
    let host = headers.get(header::HOST).map_or(Ok("localhost"), |host| host.to_str()).map_err(|_| BadRequest)?;
    let authority: Authority = host.parse().map_err(|_| BadRequest)?;
    let port = authority.as_str().strip_prefix(authority.host()).ok_or(BadRequest)?;
    let port_is_valid = port.is_empty() || authority.port_u16().is_some();
    port_is_valid.then_some(host).ok_or(BadRequest)
}

/// The decoded query parameters; those of one name are joined with commas.
fn query(raw: &str) -> Result<BTreeMap<String, String>, BadRequest> {
    if raw.contains(|character: char| matches!(character, ' ' | '"' | '<' | '>') || character.is_control()) {
        return Err(BadRequest);
    }
    let mut parameters = BTreeMap::<String, String>::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")));
        parameters
            .entry(name)
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    Ok(parameters)
}

/// The headers by lower-case name; those of one name are joined with commas, bytes outside ASCII are read as ISO-8859-1
/// (RFC 9110 §5.5).
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let text: String = value.as_bytes().iter().copied().map(char::from).collect();
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&text);
            })
            .or_insert(text);
    }
    joined
}

/// The bytes that a body takes in an event, at the least: as text with its escapes, or in Base64.
pub(crate) fn least_length(headers: &HeaderMap, body: &[u8]) -> usize {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text(headers, body).map_or(body.len().div_ceil(3) * 4, |text| text.as_bytes().iter().map(escaped).sum())
}

/// The text of a body that is passed on as text.
fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    is_text(&String::from_utf8_lossy(content_type)).then(|| std::str::from_utf8(body).ok()).flatten()
}

/// Returns `true` if a body of this content type is passed on as text.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
    let is = |name: &str| subtype == name || subtype.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('+'));
    kind == "text" || (kind == "application" && (is("json") || is("xml") || subtype == "javascript"))
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
