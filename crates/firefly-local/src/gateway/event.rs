//! Writes an HTTP request as an event of payload format 2.0.
//!
//! Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use firefly_core::time::UnixSeconds;
use http::uri::Authority;
use http::{HeaderMap, header, request};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use firefly_templates::Route;

/// The account and API that events name.
const ACCOUNT_ID: &str = "000000000000";
const API_ID: &str = "local";

/// The request is none that API Gateway passes on.
pub(super) struct BadRequest;

/// What an event is made of.
pub(super) struct EventParts<'a> {
    pub(super) route: &'a Route,
    pub(super) parts: &'a request::Parts,
    pub(super) path_parameters: Vec<(String, String)>,
    pub(super) claims: Option<BTreeMap<String, String>>,
    pub(super) body: Bytes,
    pub(super) peer: SocketAddr,
    pub(super) request_id: &'a str,
    pub(super) now: UnixSeconds,
}

/// The event's JSON text.
pub(super) fn build(from: EventParts<'_>) -> Result<String, BadRequest> {
    let EventParts { route, parts, path_parameters, claims, body, peer, request_id, now } = from;
    let host = host(&parts.headers)?;
    let query = query(parts.uri.query().unwrap_or_default())?;
    let mut headers = joined(&parts.headers);
    headers.insert("x-forwarded-for".to_owned(), peer.ip().to_string());
    headers.insert("x-forwarded-port".to_owned(), "443".to_owned());
    headers.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    let cookies = headers.remove("cookie").map(|cookies| cookies.split("; ").map(str::to_owned).collect::<Vec<_>>());
    let path = decode(parts.uri.path());
    let route_key = format!("{} {}", route.method, route.path);
    let mut context = json!({
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": host,
        "domainPrefix": API_ID,
        "http": {
            "method": parts.method.as_str(),
            "path": path,
            "protocol": format!("{:?}", parts.version),
            "sourceIp": peer.ip().to_string(),
            "userAgent": headers.get("user-agent").map_or("", String::as_str),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": now.to_string(),
        "timeEpoch": now.get().saturating_mul(1_000),
    });
    if let (Some(claims), Some(context)) = (claims, context.as_object_mut()) {
        context.insert("authorizer".to_owned(), json!({ "jwt": { "claims": claims, "scopes": null } }));
    }
    let content_type = headers.get(header::CONTENT_TYPE.as_str()).map_or("", String::as_str);
    let text = is_text(content_type).then(|| std::str::from_utf8(&body).ok()).flatten();
    let is_base64_encoded = !body.is_empty() && text.is_none();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": is_base64_encoded,
    });
    if let Some(event) = event.as_object_mut() {
        let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
        if let Some(cookies) = cookies {
            set("cookies", json!(cookies));
        }
        if !query.is_empty() {
            set("queryStringParameters", json!(query));
        }
        if !path_parameters.is_empty() {
            set(
                "pathParameters",
                path_parameters.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
            );
        }
        if is_base64_encoded {
            set("body", Value::from(STANDARD.encode(&body)));
        } else if let Some(text) = text.filter(|text| !text.is_empty()) {
            set("body", Value::from(text));
        }
    }
    Ok(event.to_string())
}

/// The `Host` header, if it is a host and perhaps a port.
fn host(headers: &HeaderMap) -> Result<&str, BadRequest> {
    let host = headers.get(header::HOST).map_or(Ok("localhost"), |host| host.to_str()).map_err(|_| BadRequest)?;
    let authority: Authority = host.parse().map_err(|_| BadRequest)?;
    let port = authority.as_str().strip_prefix(authority.host()).ok_or(BadRequest)?;
    let port_is_valid = port.is_empty() || authority.port_u16().is_some();
    port_is_valid.then_some(host).ok_or(BadRequest)
}

/// The decoded query parameters, repeated ones joined with commas.
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

/// The headers by lower-case name, repeated ones joined with commas; bytes outside ASCII as ISO-8859-1 (RFC 9110 §5.5).
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

/// Whether a body of this content type is passed on as text.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
    let is = |name: &str| subtype == name || subtype.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('+'));
    kind == "text" || (kind == "application" && (is("json") || is("xml") || subtype == "javascript"))
}

/// Undoes percent-encoding.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
