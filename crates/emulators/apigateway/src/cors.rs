//! CORS, answered by the gateway itself: the functions' own CORS headers are replaced.
//!
//! Source: API Gateway Developer Guide, "Configuring CORS for HTTP APIs".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};

const CORS_HEADERS: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The pages that may call an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The allowed origins; `*` stands for any.
    pub allow_origins: Vec<String>,
    /// The methods that a page may use.
    pub allow_methods: Vec<String>,
    /// The request headers that a page may send.
    pub allow_headers: Vec<String>,
    /// The response headers that a page may read.
    pub expose_headers: Vec<String>,
    /// Seconds for which a browser may keep the answer to a preflight request.
    pub max_age_seconds: u64,
    /// `true` if a page may send cookies.
    pub allow_credentials: bool,
}

impl Cors {
    /// The answer to a preflight request, whatever its path; `None` for another request.
    pub(crate) fn preflight(&self, request: &Request<Body>) -> Option<Response> {
        let headers = request.headers();
        let is_preflight = request.method() == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed_origin(headers.get(header::ORIGIN)).is_some() {
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.join(",")),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, self.allow_headers.join(",")),
                (header::ACCESS_CONTROL_MAX_AGE, self.max_age_seconds.to_string()),
            ] {
                response.headers_mut().extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
            }
        }
        Some(response)
    }

    /// Adds the CORS headers to the answer to a request of this origin.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let is_preflight = response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
        let headers = response.headers_mut();
        if !is_preflight {
            for name in CORS_HEADERS {
                headers.remove(name);
            }
        }
        let Some(origin) = self.allowed_origin(origin) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.allow_credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        let expose = HeaderValue::try_from(self.expose_headers.join(",")).ok().filter(|value| !value.is_empty());
        headers.extend(expose.map(|expose| (header::ACCESS_CONTROL_EXPOSE_HEADERS, expose)));
    }

    /// The origin that is allowed, as the answer names it.
    fn allowed_origin(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        if self.allow_origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.allow_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}
