//! CORS, answered by the gateway itself: the functions' own CORS headers are replaced.
//!
//! Source: API Gateway Developer Guide, "Configuring CORS for HTTP APIs".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};

use firefly_templates::CorsTemplate;

const CORS_HEADERS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The answer to a preflight request, whatever its path.
pub(super) fn preflight(cors: &CorsTemplate, request: &Request<Body>) -> Option<Response> {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allowed_origin(cors, headers.get(header::ORIGIN)).is_some() {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.join(",")),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.join(",")),
            (header::ACCESS_CONTROL_MAX_AGE, cors.max_age_seconds.to_string()),
        ] {
            response.headers_mut().extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
        }
    }
    Some(response)
}

/// Adds the CORS headers of an answer to a request of this origin.
pub(super) fn apply(cors: &CorsTemplate, origin: Option<&HeaderValue>, response: &mut Response) {
    let is_preflight = response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
    let headers = response.headers_mut();
    if !is_preflight {
        for name in CORS_HEADERS {
            headers.remove(name);
        }
    }
    let Some(origin) = allowed_origin(cors, origin) else {
        return;
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.allow_credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    let expose = HeaderValue::try_from(cors.expose_headers.join(",")).ok().filter(|value| !value.is_empty());
    headers.extend(expose.map(|expose| (header::ACCESS_CONTROL_EXPOSE_HEADERS, expose)));
}

/// The origin that is allowed, as the answer names it.
fn allowed_origin(cors: &CorsTemplate, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    let origin = origin?;
    if cors.allow_origins.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    cors.allow_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}
