//! Reads the parts of a request.

use std::borrow::Cow;
use std::str::FromStr;

use bytes::Bytes;
use firefly_core::caller::Caller;
use firefly_core::etag::ETag;
use firefly_core::group::{SuperUser, super_user};
use firefly_core::registration::{KEY_HEADER, RegistrationKey};
use firefly_core::signed_request::{
    NONCE_HEADER, SIGNATURE_HEADER, SignatureHeaders, SignedRequest, TIMESTAMP_HEADER, UUID_HEADER,
};
use firefly_core::source_address::SourceAddress;
use http::HeaderName;
use lambda_http::{Body, Request, RequestExt as _};

use crate::error::ApiError;
use crate::event::Claims;

/// The parts of a request that handlers read.
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
    /// [`ApiError::NoSourceAddress`] when the event does not name it, which API Gateway's always do.
    fn source_address(&self) -> Result<SourceAddress, ApiError>;

    /// The signed-in user.
    ///
    /// # Errors
    ///
    /// [`ApiError::NoSubject`] when the token does not name one.
    fn caller(&self) -> Result<Caller, ApiError>;

    /// Evidence that the signed-in user is a member of the group `super_users`.
    ///
    /// # Errors
    ///
    /// [`ApiError::NotInGroup`] for everybody else.
    fn require_super_user(&self) -> Result<SuperUser, ApiError>;

    /// A variable segment of the path.
    ///
    /// # Errors
    ///
    /// [`ApiError::Path`] when it is malformed.
    fn path_parameter<T: FromStr>(&self, name: &'static str) -> Result<T, ApiError>;

    /// A query parameter, if the request has it.
    ///
    /// # Errors
    ///
    /// [`ApiError::Query`] when it is malformed.
    fn query_parameter<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, ApiError>;

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
        Caller::of_claims(claim(self, "sub"), claim(self, "email")).ok_or(ApiError::NoSubject)
    }

    fn require_super_user(&self) -> Result<SuperUser, ApiError> {
        // API Gateway writes a list as `[a b]`. A group's own name may have brackets, too.
        let groups = claim(self, "cognito:groups").unwrap_or_default();
        let list = groups.strip_prefix('[').and_then(|groups| groups.strip_suffix(']'));
        super_user(list.unwrap_or(groups).split_whitespace()).ok_or(ApiError::NotInGroup)
    }

    fn path_parameter<T: FromStr>(&self, parameter: &'static str) -> Result<T, ApiError> {
        let text = self.path_parameters_ref().and_then(|parameters| parameters.first(parameter));
        text.and_then(|text| text.parse().ok()).ok_or(ApiError::Path { parameter })
    }

    fn query_parameter<T: FromStr>(&self, parameter: &'static str) -> Result<Option<T>, ApiError> {
        let text = self.query_string_parameters_ref().and_then(|parameters| parameters.first(parameter));
        text.map(|text| text.parse().map_err(|_| ApiError::Query { parameter })).transpose()
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
