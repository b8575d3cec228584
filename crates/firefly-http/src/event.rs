//! Events of API Gateway, payload format 2.0.

use std::collections::HashMap;

use base64_simd::STANDARD as BASE64;
use firefly_core::source_address::SourceAddress;
use firefly_runtime::MalformedEvent;
use http::{HeaderName, HeaderValue, Method};
use lambda_http::{Body, Request, RequestExt as _};
use serde::Deserialize;

/// `requestContext.http.method` is not a method.
const MALFORMED_METHOD: MalformedEvent = MalformedEvent("the event's method is malformed");
/// `isBase64Encoded` is true and `body` is not Base64.
const MALFORMED_BODY: MalformedEvent = MalformedEvent("the event's body is not Base64");

/// An event of an API Gateway HTTP API, payload format 2.0, as far as the functions read it.
///
/// `lambda_http`'s own conversion panics on hosts, forwarded protocols and query strings that clients can send, and
/// fails on header values outside ASCII; here they are not parsed, and a header that HTTP does not allow is absent.
///
/// Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    request_context: RequestContext,
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    path_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: HttpDescription,
    #[serde(default)]
    authorizer: Option<AuthorizerContext>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpDescription {
    method: String,
    #[serde(default)]
    source_ip: Option<String>,
}

#[derive(Debug, Deserialize)]
struct AuthorizerContext {
    #[serde(default)]
    jwt: Option<JwtContext>,
}

#[derive(Debug, Deserialize)]
struct JwtContext {
    #[serde(default)]
    claims: Option<HashMap<String, String>>,
}

/// The claims of a verified JWT, which API Gateway passes as strings. An extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct Claims(pub(crate) HashMap<String, String>);

impl Event {
    /// The request that the event describes.
    ///
    /// # Errors
    ///
    /// [`MalformedEvent`] when method or body are malformed, which API Gateway's never are.
    pub(crate) fn into_request(self) -> Result<Request, MalformedEvent> {
        let body = match (self.body, self.is_base64_encoded) {
            (None, _) => Body::Empty,
            (Some(text), false) => Body::Text(text),
            (Some(text), true) => {
                // In place: a backup is 512 KiB.
                let mut bytes = text.into_bytes();
                let length = BASE64.decode_inplace(&mut bytes).map_err(|_| MALFORMED_BODY)?.len();
                bytes.truncate(length);
                Body::Binary(bytes)
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() =
            Method::from_bytes(self.request_context.http.method.as_bytes()).map_err(|_| MALFORMED_METHOD)?;
        for (name, value) in self.headers.into_iter().flatten() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
                request.headers_mut().append(name, value);
            }
        }
        if let Some(address) = self.request_context.http.source_ip.and_then(|text| text.parse().ok()) {
            request.extensions_mut().insert(SourceAddress::new(address));
        }
        let jwt = self.request_context.authorizer.and_then(|authorizer| authorizer.jwt);
        if let Some(claims) = jwt.and_then(|jwt| jwt.claims) {
            request.extensions_mut().insert(Claims(claims));
        }
        Ok(request
            .with_path_parameters(self.path_parameters.unwrap_or_default())
            .with_query_string_parameters(self.query_string_parameters.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_address_is_the_gateways_and_not_one_of_a_header() {
        for (name, value) in [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "198.51.100.1, 203.0.113.7"),
            ("forwarded", "for=198.51.100.1"),
            ("x-real-ip", "198.51.100.1"),
            ("true-client-ip", "198.51.100.1"),
        ] {
            let event = format!(
                r#"{{"headers":{{"{name}":"{value}"}},
                    "requestContext":{{"http":{{"method":"POST","sourceIp":"203.0.113.7"}}}}}}"#
            );
            let request = serde_json::from_str::<Event>(&event).unwrap().into_request().unwrap();
            let address = request.extensions().get::<SourceAddress>().unwrap();
            assert_eq!(address.to_string(), "203.0.113.7", "{name}: {value}");
        }
    }
}
