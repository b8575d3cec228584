//! Admission: who is answered, and whose signature holds.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../../../../tests/truncation.rs"]
pub mod truncation;

use std::time::SystemTime;

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use emulator_kit::{Credentials, Grants, Principal, Principals, Refusal};
use http::request::{Builder, Parts};
use http::{HeaderValue, Request};
use truncation::assert_no_other_length;

const HOST: &str = "127.0.0.1:8000";
const BODY: &[u8] = b"the body";

fn principal(token: Option<&str>) -> Principal {
    Principal {
        access_key_id: "key-id".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: token.map(str::to_owned),
        grants: Grants::Everything,
    }
}

fn head(request: Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

/// A request as this principal signs it.
fn signed(principal: &Principal) -> Builder {
    let (id, secret) = (principal.access_key_id.as_str(), principal.secret_access_key.as_str());
    let identity = Identity::new(id, secret, principal.session_token.clone(), None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("dynamodb")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("http://{HOST}/path?query=1");
    let signable = SignableRequest::new("POST", &url, std::iter::empty(), SignableBody::Bytes(BODY)).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let request = Request::builder().method("POST").uri("/path?query=1").header("host", HOST);
    instructions.headers().fold(request, |request, (name, value)| request.header(name, value))
}

#[test]
fn a_principal_is_admitted_by_key_id_and_token() {
    for token in [None, Some("token")] {
        let principals = Principals::new([principal(token)]);
        let admitted = head(signed(&principal(token)));
        assert_eq!(principals.admit(&admitted).unwrap().access_key_id, "key-id");
        for other in [None, Some("token"), Some("toke"), Some("token0"), Some("")] {
            let result = principals.admit(&head(signed(&principal(other)))).map(drop);
            let same = other.unwrap_or_default() == token.unwrap_or_default();
            assert_eq!(result, if same { Ok(()) } else { Err(Refusal::Credentials) }, "{token:?} {other:?}");
        }
    }
}

#[test]
fn an_unknown_key_id_is_refused_like_a_wrong_token() {
    let principals = Principals::new([principal(None)]);
    let unknown = Principal { access_key_id: "another".to_owned(), ..principal(None) };
    assert_eq!(principals.admit(&head(signed(&unknown))).unwrap_err(), Refusal::Credentials);
    let unsigned = Request::builder().method("POST").uri("/").header("host", HOST);
    assert_eq!(principals.admit(&head(unsigned)).unwrap_err(), Refusal::Credentials);
}

#[test]
fn a_presigned_url_names_its_principal_in_the_query() {
    let principals = Principals::new([principal(Some("token"))]);
    let presigned = |query: &str| head(Request::builder().uri(format!("/?{query}")).header("host", HOST));
    let credential = "X-Amz-Credential=key-id%2F20260101%2Feu-central-1%2Fs3%2Faws4_request";
    assert!(principals.admit(&presigned(&format!("{credential}&X-Amz-Security-Token=token"))).is_ok());
    assert_eq!(principals.admit(&presigned(credential)).unwrap_err(), Refusal::Credentials);
}

#[test]
fn a_request_of_a_browser_or_for_another_host_is_foreign() {
    let principals = Principals::new([principal(None)]);
    for (name, value) in [("origin", "null"), ("sec-fetch-site", "none"), ("host", HOST)] {
        let request = head(signed(&principal(None)).header(name, value));
        assert_eq!(principals.admit(&request).unwrap_err(), Refusal::Foreign, "{name}");
    }
    for host in ["attacker.example", "localhost.attacker.example", "0.0.0.0", "128.0.0.1", "[::2]", ""] {
        let request = head(Request::builder().uri("/").header("host", host));
        assert_eq!(principals.admit(&request).unwrap_err(), Refusal::Foreign, "{host:?}");
    }
    for host in ["localhost", "LocalHost:1", "127.255.0.9:65535", "[::1]:8080"] {
        let request = head(Request::builder().uri("/").header("host", host));
        assert_eq!(principals.admit(&request).unwrap_err(), Refusal::Credentials, "{host:?}");
    }
    for method in ["OPTIONS", "TRACE", "CONNECT", "PROPFIND"] {
        let request = head(signed(&principal(None)).method(method));
        assert_eq!(principals.admit(&request).unwrap_err(), Refusal::Foreign, "{method}");
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let request = head(signed(&principal(None)).method(method));
        assert!(principals.admit(&request).is_ok(), "{method}");
    }
}

#[test]
fn a_signature_holds_for_its_secret_its_head_and_its_body_alone() {
    let principal = principal(Some("token"));
    let request = || signed(&principal);
    assert!(principal.signed(&head(request()), BODY));
    assert!(!principal.signed(&head(request()), b"another"));
    assert!(!principal.signed(&head(request().uri("/path?query=2")), BODY));
    assert!(!principal.signed(&head(request().method("PUT")), BODY));
    let mut without_date = head(request());
    without_date.headers.remove("x-amz-date");
    assert!(!principal.signed(&without_date, BODY));
    let mut another_date = head(request());
    another_date.headers.insert("x-amz-date", "20260101T000000Z".parse().unwrap());
    assert!(!principal.signed(&another_date, BODY));
    let mut added = head(request().header("x-other", "1"));
    assert!(principal.signed(&added, BODY), "only what AWS reads has to be signed");
    added.headers.insert("x-amz-target", "Service.Operation".parse().unwrap());
    assert!(!principal.signed(&added, BODY));
    let another_secret = Principal { secret_access_key: "a guess".to_owned(), ..principal.clone() };
    assert!(!another_secret.signed(&head(request()), BODY));
}

#[test]
fn an_authorization_header_has_no_other_length() {
    let principal = principal(None);
    let complete = signed(&principal).headers_ref().unwrap()["authorization"].clone();
    assert_no_other_length(complete.as_bytes(), b"", |bytes| {
        let mut request = head(signed(&principal));
        let Ok(value) = HeaderValue::from_bytes(bytes) else { return false };
        request.headers.insert("authorization", value);
        principal.signed(&request, BODY)
    });
}

#[test]
fn grants_allow_their_actions_in_any_case() {
    let grants = Grants::actions(["s3:GetObject"]);
    assert!(grants.allow("s3:GetObject") && grants.allow("S3:getobject"));
    assert!(!grants.allow("s3:GetObjectVersion") && !grants.allow("s3:*"));
    assert!(Grants::Everything.allow("s3:PutObject"));
}

#[test]
fn credentials_are_drawn_for_each_run_and_stay_out_of_debug() {
    let (one, other) = (Credentials::generate(), Credentials::generate());
    assert_ne!(one.secret_access_key(), other.secret_access_key());
    assert_ne!(one.session_token(), other.session_token());
    assert_eq!((one.secret_access_key().len(), one.session_token().len()), (64, 64));
    let variables = one.environment("key-id");
    assert_eq!(variables["AWS_ACCESS_KEY_ID"], "key-id");
    assert_eq!(variables["AWS_SECRET_ACCESS_KEY"], one.secret_access_key());
    assert_eq!(variables["AWS_SESSION_TOKEN"], one.session_token());
    let printed = format!("{one:?} {:?}", principal(Some("the token")));
    assert!(!printed.contains(one.secret_access_key()) && !printed.contains("the token"), "{printed}");
}
