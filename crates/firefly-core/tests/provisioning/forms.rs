//! The forms: good values, each refusal, every truncation.

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    device::DevicePublicKey,
    provisioning::{
        body::{BodyError, MemberError, ProvisionRequest},
        certificate::{
            CertificateId, CertificateMismatch, CertificatePem, CertificatePemError, CheckedCertificate,
            PublicKeyDigest,
        },
        device_api_key::DeviceApiKey,
        key_pair::KeyPair,
        name::{BalenaService, BalenaUuid, PolicyName, Scope, ThingName},
        request::{AnotherKey, CertificateRequest, CertificateRequestError},
        variables::{Value, Variable, Variables},
    },
};
use proptest::prelude::*;

use crate::{
    runs::balena,
    truncation::{assert_no_other_length, text},
};

/// OpenSSL 3.0 made the vectors; `openssl dgst -sha256` gave their digests.
macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("vectors/", $name, ".pem"))
    };
}

const P256_ID: &str = "691ae026834fb7dd22bbf5cbaf07c9a450c464bdb5ea6f8c5be7cb557bbfa223";
const P256_KEY: &str = "b4802cabcab5d998de1bdb4fc17c4caa2cc53134875dc09d26ec888178dc2b12";
const P256_POINT: &str = "BD6fwLEEpWD90Vj+JuPzgz6grBUq1kzxo4MMuiMxmGYcGCJ2NUewN+LTZoajkX23E3CViOGUZ/FAJFlqXpEbfTE=";
const RSA_ID: &str = "99f26ca42a5d2b9a1a4790be01af1360acb41e2aa3905d9b1d7ea73633702f3d";
const RSA_KEY: &str = "fb222cb3adb9cdda2d467c94caa767b0a992a81c98c262b372006ea767ee84fc";
const UUID: &str = "00112233445566778899aabbccddeeff";

#[test]
fn a_balena_uuid_is_32_lower_case_digits() {
    assert_eq!(UUID.parse::<BalenaUuid>().unwrap().to_string(), UUID);
    assert_no_other_length(UUID.as_bytes(), b"", text(str::parse::<BalenaUuid>));
    for refused in [&UUID.to_uppercase(), "7", "test-provision", &UUID.replace('0', " "), &UUID.replace('0', "٠")] {
        assert!(refused.parse::<BalenaUuid>().is_err(), "{refused}");
    }
}

#[test]
fn a_service_is_1_to_255_characters_and_not_undefined() {
    for accepted in ["a", "cloud-relay", "A_9", "undefined1", "Undefined", &"a".repeat(255)] {
        assert_eq!(accepted.parse::<BalenaService>().unwrap().as_str(), accepted);
    }
    for refused in ["", "undefined", "a b", "a.b", "a'", "ä", &"a".repeat(256)] {
        assert!(refused.parse::<BalenaService>().is_err(), "{refused}");
    }
}

#[test]
fn a_thing_is_called_by_the_canonical_uuid_of_its_device() {
    let device = "2d411e72-c806-3038-573b-bb16a4a19bcf";
    assert_eq!(UUID.parse(), Ok(ThingName::Balena(UUID.parse().unwrap())));
    assert_eq!(device.parse(), Ok(ThingName::Firefly(device.parse().unwrap())));
    for name in [UUID, device] {
        assert_eq!(name.parse::<ThingName>().unwrap().to_string(), name);
        assert_no_other_length(name.as_bytes(), b"", text(str::parse::<ThingName>));
    }
    for refused in ["", "test-provision", &device.to_uppercase(), &UUID.to_uppercase().replace('0', "A")] {
        assert!(refused.parse::<ThingName>().is_err(), "{refused}");
    }
}

#[test]
fn a_policy_is_called_as_aws_allows() {
    for accepted in ["firefly-balena", "a", "A_1+=,.@-", &"p".repeat(128)] {
        assert_eq!(accepted.parse::<PolicyName>().unwrap().as_str(), accepted);
    }
    for refused in ["", "a/b", "a b", "ä", "${x}", &"p".repeat(129)] {
        assert!(refused.parse::<PolicyName>().is_err(), "{refused}");
    }
}

#[test]
fn a_device_api_key_has_its_form_and_its_scheme() {
    let key = "0123456789abcdef";
    for accepted in [key, &"Z".repeat(512), "a_b.c-d_e.f-g_h."] {
        assert_eq!(accepted.parse::<DeviceApiKey>().ok().unwrap().expose(), accepted);
    }
    for refused in ["", "0123456789abcde", &"Z".repeat(513), "0123456789abcde ", "0123456789abcde/", "0123456789abcdeé"]
    {
        assert!(refused.parse::<DeviceApiKey>().is_err(), "{refused}");
    }
    for accepted in ["Bearer ", "bearer ", "BEARER "] {
        let value = format!("{accepted}{key}");
        assert!(DeviceApiKey::from_authorization(&value).is_ok_and(|of| of == key.parse().ok().unwrap()), "{value}");
    }
    for refused in ["", "Bearer", "Bearer  ", "Basic ", "Bearer\t", " Bearer "] {
        assert!(DeviceApiKey::from_authorization(&format!("{refused}{key}")).is_err(), "{refused}");
    }
    assert!(key.parse::<DeviceApiKey>().ok() != "0123456789abcdeg".parse::<DeviceApiKey>().ok());
}

#[test]
fn a_provision_body_has_two_members_and_no_other() {
    let body = format!(r#"{{"uuid":"{UUID}","balena_service":"main"}}"#);
    let request = ProvisionRequest::parse(body.as_bytes()).unwrap();
    assert_eq!((request.uuid.to_string().as_str(), request.scope()), (UUID, Scope::Service("main".parse().unwrap())));
    assert_no_other_length(body.as_bytes(), b" \t\n\r", |bytes| ProvisionRequest::parse(bytes).is_ok());
    let without = ProvisionRequest::parse(format!(r#"{{"uuid":"{UUID}"}}"#).as_bytes()).unwrap();
    assert_eq!(without.scope(), Scope::Device);
    let good = format!(r#""uuid":"{UUID}""#);
    for (body, refusal) in [
        (String::new(), "the body is not a JSON object"),
        ("[]".to_owned(), "the body is not a JSON object"),
        ("{}".to_owned(), "member uuid is missing"),
        (r#"{"balena_service":"main"}"#.to_owned(), "member uuid is missing"),
        (format!(r#"{{{good},"force":true}}"#), "member \"force\" is not known"),
        (format!(r#"{{{good},"":1}}"#), "member \"\" is not known"),
        (format!(r#"{{{good},"\ud800":1}}"#), "member \"\\ud800\" is not known"),
        (format!(r#"{{"UUID":"{UUID}"}}"#), "member \"UUID\" is not known"),
        (format!("{{{good},{good}}}"), "member uuid is invalid: sent more than once"),
        (r#"{"uuid":7}"#.to_owned(), "member uuid is invalid: not a string"),
        (r#"{"uuid":"0123456"}"#.to_owned(), "member uuid is invalid: not 32 lower-case hex digits"),
        (format!(r#"{{{good},"balena_service":null}}"#), "member balena_service is invalid: not a string"),
        (
            format!(r#"{{{good},"balena_service":"undefined"}}"#),
            "member balena_service is invalid: not 1 to 255 characters of A-Z, a-z, 0-9, _ and -, or the word undefined",
        ),
        (format!("{{{good}}}{}", " ".repeat(16_384)), "the body of 16427 bytes is larger than 16384"),
    ] {
        assert_eq!(ProvisionRequest::parse(body.as_bytes()).unwrap_err().to_string(), refusal, "{body}");
    }
    let long = format!(r#"{{"{}":1}}"#, "x".repeat(1_000));
    assert!(ProvisionRequest::parse(long.as_bytes()).unwrap_err().to_string().len() < 100);
}

#[test]
fn a_request_is_for_a_p256_key_that_signed_it() {
    let pem = vector!("p256-request");
    let request = CertificateRequest::parse(pem).unwrap();
    assert_eq!(request.key().to_base64(), P256_POINT);
    assert_eq!(PublicKeyDigest::of(request.key()).to_string(), P256_KEY);
    assert_no_other_length(pem.trim_end().as_bytes(), b"\n", text(CertificateRequest::parse));
    let body = serde_json::json!({ "csr": pem }).to_string();
    assert_eq!(CertificateRequest::parse_body(body.as_bytes()).as_ref(), Ok(&request));
    assert_no_other_length(body.as_bytes(), b" \t\n\r", |bytes| CertificateRequest::parse_body(bytes).is_ok());

    let registered = DevicePublicKey::from_base64(P256_POINT).unwrap();
    assert_eq!(request.clone().for_registered(&registered).unwrap().request(), &request);
    let other = "BHRPMwsN6NE64+IR9DtdWAMf4VOL/re7d139w9+gYrpBu924ZhbKnNsgeD6Qy2ukuv1YWVA/gEe2iiWQtyi38Os=";
    assert_eq!(request.for_registered(&DevicePublicKey::from_base64(other).unwrap()), Err(AnotherKey));
}

#[test]
fn any_other_request_is_refused() {
    use CertificateRequestError as E;
    let pem = vector!("p256-request");
    let relabelled = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    let large = format!("{pem}{}", "\n".repeat(4_096));
    for (request, error) in [
        (large.as_str(), E::TooLarge { length: large.len() }),
        ("", E::NotPem),
        (&format!("\n{pem}"), E::NotPem),
        (&format!("Subject: a\n{pem}"), E::NotPem),
        (&format!("{pem}{pem}"), E::NotPem),
        (&relabelled, E::NotPem),
        (vector!("p256-certificate"), E::NotPem),
        (vector!("p384-request"), E::NotP256),
        (vector!("rsa-request"), E::NotP256),
        (vector!("compressed-request"), E::NotP256),
        (vector!("p256-sha384-request"), E::NotEcdsaWithSha256),
    ] {
        assert_eq!(CertificateRequest::parse(request), Err(error), "{request}");
    }
    let body = serde_json::json!({ "csr": "no" }).to_string();
    let refusal = BodyError::Invalid { field: "csr", reason: MemberError::Request(E::NotPem) };
    assert_eq!(CertificateRequest::parse_body(body.as_bytes()), Err(refusal));
}

/// Returns the PEM of `der` in lines of 64 characters.
fn pem_of(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn der_of(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    BASE64_STANDARD.decode(lines).unwrap()
}

#[test]
fn every_changed_or_cut_byte_of_a_request_is_refused() {
    let der = der_of(vector!("p256-request"));
    let accepts = |der: &[u8]| CertificateRequest::parse(&pem_of("CERTIFICATE REQUEST", der)).is_ok();
    assert_no_other_length(&der, b"", accepts);
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            assert!(!accepts(&changed), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_certificate_has_the_id_and_the_key_that_openssl_gives() {
    for (pem, id, key) in
        [(vector!("p256-certificate"), P256_ID, P256_KEY), (vector!("rsa-certificate"), RSA_ID, RSA_KEY)]
    {
        let certificate = CertificatePem::parse(pem).unwrap();
        let (id, key): (CertificateId, PublicKeyDigest) = (id.parse().unwrap(), key.parse().unwrap());
        assert_eq!((certificate.id(), certificate.key(), certificate.as_str()), (id, key, pem));
        let check = |id, key| certificate.clone().check(id, key);
        assert_eq!(check(id, key).map(CheckedCertificate::into_pem), Ok(certificate.clone()));
        let (other, another) = (CertificateId::from_digest([0; 32]), PublicKeyDigest::from_digest([0; 32]));
        assert_eq!(check(other, key), Err(CertificateMismatch::AnotherCertificate));
        assert_eq!(check(other, another), Err(CertificateMismatch::AnotherCertificate));
        assert_eq!(check(id, another), Err(CertificateMismatch::AnotherKey));
        assert_no_other_length(pem.trim_end().as_bytes(), b"\n", text(CertificatePem::parse));
        let accepts = |der: &[u8]| CertificatePem::parse(&pem_of("CERTIFICATE", der)).is_ok();
        assert_no_other_length(&der_of(pem), b"", accepts);
    }
    for refused in ["", vector!("p256-request"), &"-".repeat(20_000)] {
        assert_eq!(CertificatePem::parse(refused), Err(CertificatePemError));
    }
    for digits in [P256_ID, P256_KEY] {
        assert_no_other_length(digits.as_bytes(), b"", text(str::parse::<CertificateId>));
        assert!(digits.to_uppercase().parse::<PublicKeyDigest>().is_err());
    }
}

#[test]
fn a_key_pair_signs_its_own_request() {
    let pair = KeyPair::from_random(&[7; 32], &balena()).unwrap();
    let again = CertificateRequest::parse(pair.request().as_pem()).unwrap();
    assert_eq!(PublicKeyDigest::of(again.key()), pair.digest());
    assert!(pair.private_key_pem().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(String::from_utf8_lossy(&der_of(again.as_pem())).contains(UUID));
    let value = Variable::value(pair.private_key_pem());
    assert_eq!(Variables::read(None, Some(&value)).key, Value::Of(pair.digest()));
    assert!(!value.contains(['\n', '\r']));
    // 0 and the order of the curve are not scalars.
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551".parse::<CertificateId>().unwrap();
    let order: [u8; 32] = std::array::from_fn(|at| u8::from_str_radix(&order.to_string()[2 * at..][..2], 16).unwrap());
    for scalar in [[0; 32], order, [0xff; 32]] {
        assert!(KeyPair::from_random(&scalar, &balena()).is_none());
    }
}

#[test]
fn variables_are_a_pair_if_the_key_is_the_certificates() {
    let value = |pem: &str| Variable::value(pem).to_string();
    let (p256, rsa) = (value(vector!("p256-certificate")), value(vector!("rsa-certificate")));
    let (p256_key, rsa_key) = (value(vector!("p256-key")), value(vector!("rsa-key")));
    let pair = |certificate: &str, key: &str| Variables::read(Some(certificate), Some(key)).pair();
    assert_eq!(pair(&p256, &p256_key), Some((P256_ID.parse().unwrap(), P256_KEY.parse().unwrap())));
    assert_eq!(pair(&rsa, &rsa_key), Some((RSA_ID.parse().unwrap(), RSA_KEY.parse().unwrap())));
    assert_eq!(pair(&p256, &rsa_key), None);
    assert_eq!(pair(&rsa, &p256_key), None);
    assert_eq!(Variables::read(None, None), Variables::ABSENT);
    let swapped = Variables::read(Some(&p256_key), Some(&p256));
    assert_eq!((swapped.certificate, swapped.key), (Value::Unreadable, Value::Unreadable));
    for key in ["", "?", &value("no PEM"), &value(vector!("sec1-key")), &"A".repeat(100_004)] {
        assert_eq!(Variables::read(Some(key), Some(key)).key, Value::Unreadable);
    }
    for key in [vector!("p256-key"), vector!("rsa-key")] {
        let reads = |text: &str| match Variables::read(None, Some(&value(text))).key {
            Value::Of(_) => Ok(()),
            _ => Err(()),
        };
        assert_no_other_length(key.trim_end().as_bytes(), b"\n", text(reads));
    }
}

proptest! {
    #[test]
    fn noise_does_not_panic(bytes: Vec<u8>, noise in ".*", cut: prop::sample::Index, byte: u8) {
        let mut der = der_of(vector!("p256-request"));
        let at = cut.index(der.len());
        der[at] = byte;
        for text in [noise, pem_of("CERTIFICATE REQUEST", &der), pem_of("CERTIFICATE", &bytes), pem_of("RSA PRIVATE KEY", &bytes)] {
            let _ = CertificateRequest::parse(&text);
            let _ = CertificatePem::parse(&text);
            let _ = Variables::read(Some(&Variable::value(&text)), Some(&Variable::value(&text)));
            let _ = ProvisionRequest::parse(text.as_bytes());
            let _ = text.parse::<ThingName>();
        }
        let _ = ProvisionRequest::parse(&bytes);
        let _ = CertificateRequest::parse_body(&bytes);
    }
}
