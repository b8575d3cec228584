//! AWS Signature Version 4 in the `Authorization` header, verified.
//!
//! Source: IAM User Guide, "Create a signed AWS API request".

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::header;
use http::request::Parts;
use subtle::ConstantTimeEq as _;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The format of `X-Amz-Date`, in UTC.
const AMZ_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// The members of an `Authorization` header: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let members = text.strip_prefix("AWS4-HMAC-SHA256 ")?;
        if members.split(',').count() != 3 {
            return None;
        }
        let member = |name: &str| {
            members.split(',').find_map(|member| member.trim_start().strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            credential: member("Credential")?,
            signed_headers: member("SignedHeaders")?,
            signature: member("Signature")?,
        })
    }
}

/// The credential of an `Authorization` header: access key id, date, region, service and `aws4_request`, with slashes.
pub(crate) fn credential(authorization: &str) -> Option<&str> {
    Some(Authorization::parse(authorization)?.credential)
}

/// Returns `true` if these credentials make the signature of a request, which covers `Host` and every `x-amz-` header. It is
/// signed again, and the two signatures are compared in constant time.
pub(crate) fn is_made_with(credentials: Credentials, head: &Parts, body: &[u8]) -> bool {
    verify(credentials, head, body).is_some()
}

fn verify(credentials: Credentials, head: &Parts, body: &[u8]) -> Option<()> {
    let authorization = Authorization::parse(head.headers.get(header::AUTHORIZATION)?.to_str().ok()?)?;
    let mut scope = authorization.credential.split('/').skip(2);
    let (region, service) = (scope.next()?, scope.next()?);
    let date = PrimitiveDateTime::parse(head.headers.get("x-amz-date")?.to_str().ok()?, AMZ_DATE).ok()?;

    let signed = |name: &str| authorization.signed_headers.split(';').any(|signed| signed == name);
    if head.headers.keys().any(|name| name.as_str().starts_with("x-amz-") && !signed(name.as_str())) {
        return None;
    }
    let mut settings = SigningSettings::default();
    // The headers that the request names as signed decide.
    settings.excluded_headers = None;
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(date.assume_utc()))
        .settings(settings)
        .build()
        .ok()?
        .into();
    let mut headers = Vec::new();
    for name in authorization.signed_headers.split(';') {
        for value in head.headers.get_all(name) {
            headers.push((name, value.to_str().ok()?));
        }
    }
    let url = format!("http://{}{}", head.headers.get(header::HOST)?.to_str().ok()?, head.uri.path_and_query()?);
    let request =
        SignableRequest::new(head.method.as_str(), url, headers.into_iter(), SignableBody::Bytes(body)).ok()?;
    let signature = sign(request, &params).ok()?.into_parts().1;
    bool::from(signature.as_bytes().ct_eq(authorization.signature.as_bytes())).then_some(())
}
