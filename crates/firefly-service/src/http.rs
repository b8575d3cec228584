//! The HTTP side: API Gateway's payload 2.0 in and out, requests, answers.

use std::borrow::Cow;
use std::collections::HashMap;

use base64_simd::STANDARD as BASE64;
use bytes::Bytes;
use firefly_core::etag::ETag;
use firefly_core::group::SUPER_USERS;
use firefly_core::registration::{KEY_HEADER, RegistrationKey};
use firefly_core::signed_request::{
    NONCE_HEADER, SIGNATURE_HEADER, SignatureHeaders, SignedRequest, TIMESTAMP_HEADER, UUID_HEADER,
};
pub use http::header;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::{Body, Request, RequestExt as _, Response};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::registration_keys::SourceAddress;

/// An event of an API Gateway HTTP API, payload format 2.0, as far as the functions read it.
///
/// `lambda_http`'s own conversion panics on hosts, forwarded protocols and query strings that clients can send, and
/// fails on header values outside ASCII; here none of them is parsed, and a header that HTTP does not allow is absent.
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

/// Why an event is not a request. API Gateway sends no such event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// `requestContext.http.method` is not a method.
    #[error("the event's method is malformed")]
    Method,
    /// `isBase64Encoded` is true and `body` is not Base64.
    #[error("the event's body is not Base64")]
    Body,
}

/// The claims of a verified JWT, as API Gateway passes them: strings.
#[derive(Clone, Debug)]
struct Claims(HashMap<String, String>);

/// A signed-in user.
#[derive(Debug)]
pub struct Caller {
    /// The claim `sub`.
    pub(crate) sub: String,
    /// The claim `email`, which access tokens do not carry.
    pub(crate) email: Option<String>,
}

impl Event {
    /// The request that the event describes.
    ///
    /// # Errors
    ///
    /// [`EventError`] when method or body are malformed.
    pub fn into_request(self) -> Result<Request, EventError> {
        let body = match (self.body, self.is_base64_encoded) {
            (None, _) => Body::Empty,
            (Some(text), false) => Body::Text(text),
            (Some(text), true) => {
                // In place: a backup is 512 KiB.
                let mut bytes = text.into_bytes();
                let length = BASE64.decode_inplace(&mut bytes).map_err(|_| EventError::Body)?.len();
                bytes.truncate(length);
                Body::Binary(bytes)
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() =
            Method::from_bytes(self.request_context.http.method.as_bytes()).map_err(|_| EventError::Method)?;
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

/// What the handlers read from a request.
pub trait RequestParts {
    /// The signed request of a device-signed route.
    ///
    /// # Errors
    ///
    /// [`ApiError::Header`] when one of the four headers is missing or malformed, [`ApiError::DeviceMismatch`] when
    /// the device is not that of the path.
    fn signed_request(&self) -> Result<SignedRequest, ApiError>;

    /// The registration key.
    ///
    /// # Errors
    ///
    /// [`ApiError::RegistrationKey`] when `X-Registration-Key` is missing or malformed.
    fn registration_key(&self) -> Result<RegistrationKey, ApiError>;

    /// The address that the request comes from, as API Gateway saw it.
    ///
    /// # Errors
    ///
    /// [`ApiError::NoSourceAddress`] when the event names none, which API Gateway's always do.
    fn source_address(&self) -> Result<SourceAddress, ApiError>;

    /// The signed-in user.
    ///
    /// # Errors
    ///
    /// [`ApiError::NoSubject`] when the token names none.
    fn caller(&self) -> Result<Caller, ApiError>;

    /// Nothing, for a member of the group `super_users`.
    ///
    /// # Errors
    ///
    /// [`ApiError::NotInGroup`] for everybody else.
    fn require_super_user(&self) -> Result<(), ApiError>;

    /// A query parameter, if the request has it.
    fn query_parameter(&self, name: &str) -> Option<&str>;

    /// A header that is a valid ETag; any other form counts as absent.
    fn etag_header(&self, name: HeaderName) -> Option<ETag>;

    /// The body's bytes, taken out of the request; a text body's are its UTF-8.
    fn take_body(&mut self) -> Bytes;
}

impl RequestParts for Request {
    fn signed_request(&self) -> Result<SignedRequest, ApiError> {
        let headers =
            [UUID_HEADER, NONCE_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].map(|name| header_text(self, name));
        let [uuid, nonce, timestamp, signature] = headers.each_ref().map(Option::as_deref);
        let signed = SignedRequest::parse(SignatureHeaders { uuid, nonce, timestamp, signature })?;
        let path = self.path_parameters_ref().and_then(|parameters| parameters.first("uuid"));
        if path.and_then(|uuid| uuid.parse().ok()) != Some(signed.device()) {
            return Err(ApiError::DeviceMismatch);
        }
        Ok(signed)
    }

    fn registration_key(&self) -> Result<RegistrationKey, ApiError> {
        Ok(header_text(self, KEY_HEADER).unwrap_or_default().parse()?)
    }

    fn source_address(&self) -> Result<SourceAddress, ApiError> {
        self.extensions().get().copied().ok_or(ApiError::NoSourceAddress)
    }

    fn caller(&self) -> Result<Caller, ApiError> {
        let claim = |name| claim(self, name).filter(|value| !value.is_empty()).map(str::to_owned);
        Ok(Caller { sub: claim("sub").ok_or(ApiError::NoSubject)?, email: claim("email") })
    }

    fn require_super_user(&self) -> Result<(), ApiError> {
        // API Gateway writes a list as `[a b]`. A group's own name may have brackets, too.
        let groups = claim(self, "cognito:groups").unwrap_or_default();
        let list = groups.strip_prefix('[').and_then(|groups| groups.strip_suffix(']'));
        let mut groups = list.unwrap_or(groups).split_whitespace();
        groups.any(|group| group == SUPER_USERS).then_some(()).ok_or(ApiError::NotInGroup)
    }

    fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query_string_parameters_ref()?.first(name)
    }

    fn etag_header(&self, name: HeaderName) -> Option<ETag> {
        header_text(self, name.as_str())?.parse().ok()
    }

    fn take_body(&mut self) -> Bytes {
        match std::mem::take(self.body_mut()) {
            Body::Text(text) => text.into(),
            Body::Binary(bytes) => bytes.into(),
            _ => Bytes::new(),
        }
    }
}

/// A header's text; repeated ones are joined with commas, as API Gateway joins them.
fn header_text<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let mut values = request.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |joined, value| Cow::Owned(format!("{joined},{value}"))))
}

fn claim<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.extensions().get::<Claims>()?.0.get(name).map(String::as_str)
}

/// What a request led to, for the log and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The API is up.
    Healthy,
    /// A registration key was made.
    KeyCreated,
    /// Registration keys were listed.
    KeysListed,
    /// A device was registered.
    DeviceRegistered,
    /// A device was registered before with the same public key.
    DeviceRegisteredBefore,
    /// A device was told its registration.
    RegistrationRead,
    /// Devices were listed.
    DevicesListed,
    /// A backup was stored.
    BackupStored {
        /// The length of the envelope.
        bytes: usize,
    },
    /// A backup was not stored because it is what is stored.
    BackupUnchanged,
    /// A backup was returned.
    BackupRestored {
        /// The length of what is stored.
        bytes: usize,
    },
    /// A backup was deleted.
    BackupDeleted,
}

impl Outcome {
    /// The name that the log knows it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::KeyCreated => "key_created",
            Self::KeysListed => "keys_listed",
            Self::DeviceRegistered => "device_registered",
            Self::DeviceRegisteredBefore => "device_registered_before",
            Self::RegistrationRead => "registration_read",
            Self::DevicesListed => "devices_listed",
            Self::BackupStored { .. } => "backup_stored",
            Self::BackupUnchanged => "backup_unchanged",
            Self::BackupRestored { .. } => "backup_restored",
            Self::BackupDeleted => "backup_deleted",
        }
    }

    /// The length of the backup that was stored or returned.
    pub(crate) fn bytes(self) -> Option<usize> {
        match self {
            Self::BackupStored { bytes } | Self::BackupRestored { bytes } => Some(bytes),
            _ => None,
        }
    }
}

/// What a handler answers a request with that it has done.
#[derive(Debug)]
pub struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) response: Response<Body>,
}

impl Answer {
    /// An answer with a JSON body.
    pub fn json(outcome: Outcome, status: StatusCode, body: &impl Serialize) -> Self {
        // Serialization of the answers' own types into memory does not fail.
        let text = serde_json::to_string(body).unwrap_or_default();
        Self { outcome, response: response(status, "application/json", Body::Text(text)) }
    }

    /// An answer without a body, for 204 and 304.
    pub fn empty(outcome: Outcome, status: StatusCode) -> Self {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        Self { outcome, response }
    }

    /// An answer whose body is the bytes of a backup.
    pub fn octets(outcome: Outcome, bytes: Vec<u8>) -> Self {
        Self { outcome, response: response(StatusCode::OK, "application/octet-stream", Body::Binary(bytes)) }
    }

    /// The answer with `Cache-Control: no-store`.
    #[must_use]
    pub fn no_store(mut self) -> Self {
        self.response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self
    }

    /// The answer with `ETag: "<64 hex>"`, if there is an ETag.
    #[must_use]
    pub fn etag(mut self, etag: Option<ETag>) -> Self {
        let value = etag.and_then(|etag| HeaderValue::try_from(etag.quoted()).ok());
        self.response.headers_mut().extend(value.map(|value| (header::ETAG, value)));
        self
    }
}

/// The body of every failure.
#[derive(Serialize)]
struct FailureBody {
    message: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_time: Option<String>,
}

/// The answer to a request that failed.
pub(crate) fn failure(error: &ApiError) -> Response<Body> {
    let failure = error.answer();
    let body = FailureBody {
        message: failure.message,
        code: failure.code,
        server_time: failure.server_time.map(|time| time.to_string()),
    };
    let text = serde_json::to_string(&body).unwrap_or_default();
    let mut response = response(failure.status, "application/json", Body::Text(text));
    if let Some(wait) = failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    response
}

/// The response as a function returns it: payload format 2.0, binary bodies in Base64.
pub(crate) fn payload(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut payload = ApiGatewayV2httpResponse::default();
    payload.status_code = i64::from(parts.status.as_u16());
    payload.headers = parts.headers;
    payload.is_base64_encoded = matches!(body, Body::Binary(_));
    payload.body = match body {
        Body::Empty => None,
        Body::Binary(bytes) => Some(Body::Text(BASE64.encode_to_string(bytes))),
        body => Some(body),
    };
    payload
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
