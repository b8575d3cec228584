//! The principals of an emulator, and the requests that it answers.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_credential_types::Credentials;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, Uri, header};
use subtle::ConstantTimeEq as _;

use crate::signature;

/// A principal, known by its credentials, and the actions that it may use: the stand-in for a role and its policy.
#[derive(Clone)]
pub struct Principal {
    /// Names the principal in a request's signature.
    pub access_key_id: String,
    /// Makes the signature.
    pub secret_access_key: String,
    /// Travels in `X-Amz-Security-Token`, if the principal has one.
    pub session_token: Option<String>,
    /// The actions the principal may use, on every resource.
    pub grants: Grants,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principal")
            .field("access_key_id", &self.access_key_id)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

impl Principal {
    /// Returns `true` if the principal made the request's signature, AWS Signature Version 4 in the `Authorization` header.
    #[must_use]
    pub fn signed(&self, head: &Parts, body: &[u8]) -> bool {
        let (id, secret, token) = (&self.access_key_id, &self.secret_access_key, self.session_token.clone());
        signature::is_made_with(Credentials::new(id, secret, token, None, "principal"), head, body)
    }
}

/// A set of IAM actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// All actions of the service.
    Everything,
    /// These actions and no other: names such as `s3:GetObject`, without wildcards.
    Actions(BTreeSet<String>),
}

impl Grants {
    /// A set of these actions and no other: names such as `s3:GetObject`, without wildcards.
    pub fn actions<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::Actions(actions.into_iter().map(Into::into).collect())
    }

    /// Returns `true` if the action is in the set; IAM does not look at the case.
    #[must_use]
    pub fn allow(&self, action: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Actions(actions) => actions.iter().any(|granted| granted.eq_ignore_ascii_case(action)),
        }
    }
}

/// The reason for which a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A browser sent the request, or it is meant for a host other than the loopback interface, or its method is not one
    /// that the SDKs use. The answer is [`foreign`].
    #[error("the request comes from a browser, or names a host other than the loopback interface")]
    Foreign,
    /// There is no principal with the access key id, or its session token is another one. The answer does not tell which.
    #[error("the access key id or the session token is not that of a principal")]
    Credentials,
}

/// The principals of an emulator, by access key id.
#[derive(Clone, Debug)]
pub struct Principals(Arc<HashMap<String, Principal>>);

impl Principals {
    /// Admits these principals and no other.
    pub fn new(principals: impl IntoIterator<Item = Principal>) -> Self {
        Self(Arc::new(principals.into_iter().map(|principal| (principal.access_key_id.clone(), principal)).collect()))
    }

    /// The principal with this access key id.
    #[must_use]
    pub fn get(&self, access_key_id: &str) -> Option<&Principal> {
        self.0.get(access_key_id)
    }

    /// The principal who sends a request with this head. Tokens are compared in constant time. The signature is not checked
    /// here: it covers the body, which is not read for a stranger; [`Principal::signed`] checks it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(&self, head: &Parts) -> Result<&Principal, Refusal> {
        if is_foreign(head) {
            return Err(Refusal::Foreign);
        }
        let principal = access_key_id(head).and_then(|id| self.get(id)).ok_or(Refusal::Credentials)?;
        let token = session_token(head).unwrap_or_default();
        let right = principal.session_token.as_deref().unwrap_or_default();
        if bool::from(token.as_bytes().ct_eq(right.as_bytes())) { Ok(principal) } else { Err(Refusal::Credentials) }
    }
}

/// The answer to a request that is [`Refusal::Foreign`]: 403 without a body.
#[must_use]
pub fn foreign() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// Returns `true` for a request that is [`Refusal::Foreign`].
#[must_use]
pub fn is_foreign(head: &Parts) -> bool {
    !is_program(head) || !is_for_loopback(head)
}

/// Returns `true` if a program sends the request, and not a page in a browser.
///
/// Browsers add `Sec-Fetch-Site` to each request for the loopback interface (Fetch Metadata Request Headers) and `Origin`
/// to each that could write (Fetch Standard).
fn is_program(head: &Parts) -> bool {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = methods.contains(&head.method);
    method && !head.headers.contains_key(header::ORIGIN) && !head.headers.contains_key(SEC_FETCH_SITE)
}

/// Returns `true` if the request names the loopback interface, in its one `Host` header and in a target that is a URL.
///
/// A page whose own host name was made to resolve to the loopback interface (DNS rebinding) sends that name.
fn is_for_loopback(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let named = host.to_str().ok().and_then(|host| host.parse::<Uri>().ok());
    let target = head.uri.host().is_none_or(is_loopback);
    target && named.as_ref().and_then(Uri::host).is_some_and(is_loopback)
}

/// Returns `true` if this host is the loopback interface: `localhost` or an address of it, without the port.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// The access key id: the first part of the credential that signed the request, in the `Authorization` header or, in a
/// presigned URL, in `X-Amz-Credential`.
fn access_key_id(head: &Parts) -> Option<&str> {
    let credential = match head.headers.get(header::AUTHORIZATION) {
        Some(value) => signature::credential(value.to_str().ok()?)?,
        None => query_parameter(&head.uri, "X-Amz-Credential")?,
    };
    credential.split_once(['/', '%']).map(|(id, _)| id)
}

/// The session token: `X-Amz-Security-Token`, a header or, in a presigned URL, a query parameter.
fn session_token(head: &Parts) -> Option<&str> {
    match head.headers.get("x-amz-security-token") {
        Some(value) => value.to_str().ok(),
        None => query_parameter(&head.uri, "X-Amz-Security-Token"),
    }
}

/// The value of a query parameter as it stands in the URL: access key ids and tokens of this kit need no decoding.
fn query_parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
