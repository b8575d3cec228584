//! S3's demands on a signature, as far as s3s does not make them itself: the headers that it covers, and the time for which it holds.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderName, header};
use percent_encoding::percent_decode_str;

/// The longest life of a presigned URL, in seconds. Source: S3 API Reference, `X-Amz-Expires`.
const MAX_EXPIRES: i64 = 604_800;

/// The reason for which S3 does not compute a signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// The request is signed twice.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or \
         the Authorization header should be specified"
    )]
    TwoMechanisms,
    /// `X-Amz-Expires` is not a number.
    #[error("X-Amz-Expires should be a number")]
    ExpiresIsNoNumber,
    /// `X-Amz-Expires` is below 0.
    #[error("X-Amz-Expires must be non-negative")]
    ExpiresIsNegative,
    /// `X-Amz-Expires` is above [`MAX_EXPIRES`].
    #[error(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
         {MAX_EXPIRES} seconds"
    )]
    ExpiresTooLate,
    /// These headers have to be signed and are not.
    #[error("There were headers present in the request which were not signed")]
    HeadersNotSigned(Vec<HeaderName>),
}

/// Succeeds if the signature of a request is one that S3 computes.
pub(crate) fn check(head: &Parts) -> Result<(), SigningError> {
    let authorization = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    // s3s takes the signature of the query where there is one.
    let signed = match (authorization, query_parameter(head, "X-Amz-Signature")) {
        (Some(_), Some(_)) => return Err(SigningError::TwoMechanisms),
        (Some(authorization), None) => signed_by_header(authorization).map(Cow::Borrowed),
        (None, _) => {
            check_expires(head)?;
            query_parameter(head, "X-Amz-SignedHeaders")
        }
    };
    let signed = signed.unwrap_or_default();
    let is_signed = |name: &HeaderName| signed.split(';').any(|signed| signed == name.as_str());
    let unsigned: Vec<_> = head.headers.keys().filter(|name| has_to_be_signed(name) && !is_signed(name)).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(SigningError::HeadersNotSigned(unsigned.into_iter().cloned().collect()))
}

/// Returns `true` for a header that S3 does not take unsigned. Its reference names `Content-Type` as well, which S3 takes:
/// presigned URLs of SDKs leave it open. `x-amz-content-sha256` is part of what is signed in any case.
fn has_to_be_signed(name: &HeaderName) -> bool {
    match name.as_str() {
        "host" | "content-md5" => true,
        "x-amz-content-sha256" => false,
        name => name.starts_with("x-amz-"),
    }
}

fn check_expires(head: &Parts) -> Result<(), SigningError> {
    match query_parameter(head, "X-Amz-Expires").map(|seconds| seconds.parse::<i64>()) {
        Some(Err(_)) => Err(SigningError::ExpiresIsNoNumber),
        Some(Ok(..0)) => Err(SigningError::ExpiresIsNegative),
        Some(Ok(seconds)) if seconds > MAX_EXPIRES => Err(SigningError::ExpiresTooLate),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// The list of signed headers in an `Authorization` header.
fn signed_by_header(authorization: &str) -> Option<&str> {
    authorization.split([',', ' ']).find_map(|member| member.strip_prefix("SignedHeaders="))
}

/// The decoded value of a query parameter, whose name may be encoded, too.
fn query_parameter<'a>(head: &'a Parts, name: &str) -> Option<Cow<'a, str>> {
    let pairs = head.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decode = |text: &'a str| percent_decode_str(text).decode_utf8_lossy();
    pairs.into_iter().find(|(found, _)| decode(found) == name).map(|(_, value)| decode(value))
}
