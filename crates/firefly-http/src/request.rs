//! The request of a route, and its parts.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use firefly_core::etag::ETag;
use firefly_core::group::{SuperUser, super_user};
use firefly_core::registration::{KEY_HEADER, RegistrationKey};
use firefly_core::signed_request::{
    NONCE_HEADER, SIGNATURE_HEADER, SignatureHeaders, SignedRequest, TIMESTAMP_HEADER, UUID_HEADER,
};
use firefly_core::source_address::SourceAddress;
use firefly_core::user::User;
use http::HeaderName;
use lambda_http::{Body, RequestExt as _};

use crate::error::ApiError;
use crate::event::Claims;

/// A request to a route, as API Gateway's event says it.
pub struct Request(pub(crate) lambda_http::Request);

/// A sentence on who changes what, from the moment at which something may have been changed. It outlives the handler, which
/// the deadline may end anywhere.
#[derive(Clone, Default)]
pub(crate) struct Audit(Arc<Mutex<Option<String>>>);

impl Audit {
    /// Takes the sentence, if there is one.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Request {
    /// Says who is about to change what: from here on the log has the sentence, however the request ends. A later one, on
    /// what was changed, takes its place.
    pub fn audit(&self, sentence: String) {
        if let Some(Audit(audit)) = self.0.extensions().get() {
            *audit.lock().unwrap_or_else(PoisonError::into_inner) = Some(sentence);
        }
    }

    /// The signed request of a device-signed route.
    ///
    /// # Errors
    ///
    /// [`ApiError::Header`] when one of the four headers is missing or malformed, [`ApiError::DeviceMismatch`] when
    /// the device is not that of the path.
    pub fn signed_request(&self) -> Result<SignedRequest, ApiError> {
        let headers =
            [UUID_HEADER, NONCE_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].map(|name| self.header_text(name));
        let [uuid, nonce, timestamp, signature] = headers.each_ref().map(Option::as_deref);
        let signed = SignedRequest::parse(SignatureHeaders { uuid, nonce, timestamp, signature })?;
        let path = self.0.path_parameters_ref().and_then(|parameters| parameters.first("uuid"));
        if path.and_then(|uuid| uuid.parse().ok()) != Some(signed.device()) {
            return Err(ApiError::DeviceMismatch);
        }
        Ok(signed)
    }

    /// The registration key.
    ///
    /// # Errors
    ///
    /// [`ApiError::RegistrationKey`] when `X-Registration-Key` is missing or malformed.
    pub fn registration_key(&self) -> Result<RegistrationKey, ApiError> {
        Ok(self.header_text(KEY_HEADER).unwrap_or_default().parse()?)
    }

    /// The address that the request comes from: as API Gateway saw it, or, behind an edge, as the edge did.
    ///
    /// # Errors
    ///
    /// [`ApiError::NoSourceAddress`] when it is not named, which API Gateway and CloudFront always do.
    pub fn source_address(&self) -> Result<SourceAddress, ApiError> {
        self.0.extensions().get().copied().ok_or(ApiError::NoSourceAddress)
    }

    /// The signed-in user.
    ///
    /// # Errors
    ///
    /// [`ApiError::NoSubject`] when the token does not name one.
    pub fn user(&self) -> Result<User, ApiError> {
        User::of_claims(self.claim("sub"), self.claim("email")).ok_or(ApiError::NoSubject)
    }

    /// Evidence that the signed-in user is a member of the group `super_users`.
    ///
    /// # Errors
    ///
    /// [`ApiError::NotInGroup`] for everybody else.
    pub fn require_super_user(&self) -> Result<SuperUser, ApiError> {
        // API Gateway writes a list as `[a b]`, one value as it is. A group's own name may have brackets, and no blank.
        let groups = self.claim("cognito:groups").unwrap_or_default();
        let member = match groups.strip_prefix('[').and_then(|groups| groups.strip_suffix(']')) {
            Some(list) => super_user(list.split(' ')),
            None => super_user([groups]),
        };
        member.ok_or(ApiError::NotInGroup)
    }

    /// A variable segment of the path.
    ///
    /// # Errors
    ///
    /// [`ApiError::Path`] when it is malformed.
    pub fn path_parameter<T: FromStr>(&self, parameter: &'static str) -> Result<T, ApiError> {
        let text = self.0.path_parameters_ref().and_then(|parameters| parameters.first(parameter));
        text.and_then(|text| text.parse().ok()).ok_or(ApiError::Path { parameter })
    }

    /// A query parameter, if the request has it.
    ///
    /// # Errors
    ///
    /// [`ApiError::Query`] when it is malformed.
    pub fn query_parameter<T: FromStr>(&self, parameter: &'static str) -> Result<Option<T>, ApiError> {
        let text = self.0.query_string_parameters_ref().and_then(|parameters| parameters.first(parameter));
        text.map(|text| text.parse().map_err(|_| ApiError::Query { parameter })).transpose()
    }

    /// A header that is a valid ETag; any other form counts as absent.
    pub fn etag_header(&self, name: HeaderName) -> Option<ETag> {
        self.header_text(name.as_str())?.parse().ok()
    }

    /// The body's bytes, taken out of the request; a text body's are its UTF-8.
    pub fn take_body(&mut self) -> Bytes {
        match std::mem::take(self.0.body_mut()) {
            Body::Text(text) => text.into(),
            Body::Binary(bytes) => bytes.into(),
            _ => Bytes::new(),
        }
    }

    /// Returns a header's text; repeated ones are joined with commas, as API Gateway joins them.
    fn header_text(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.0.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let first = values.next()?;
        Some(values.fold(first, |joined, value| Cow::Owned(format!("{joined},{value}"))))
    }

    /// Returns a claim's text; one that is null counts as absent.
    fn claim(&self, name: &str) -> Option<&str> {
        /// Null as API Gateway writes it.
        const NULL: &str = "<nil>";
        self.0.extensions().get::<Claims>()?.0.get(name).map(String::as_str).filter(|text| *text != NULL)
    }
}
