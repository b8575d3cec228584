//! The four headers one by one, and the way to the evidence.

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    device::{DevicePublicKey, PublicKeyError},
    signature::{Signature, SignatureError},
    signed_request::{
        AuthError, HeaderError, NONCE_HEADER, Nonce, NonceError, SIGNATURE_HEADER, SignatureHeaders, SignedRequest,
        TIMESTAMP_HEADER, UUID_HEADER, signed_message,
    },
    time::UnixSeconds,
};
use p256::ecdsa::{SigningKey, signature::Signer};

const UUID: &str = "2d411e72-c806-3038-573b-bb16a4a19bcf";
const TIMESTAMP: &str = "2025-06-15T15:06:40Z";
const EPOCH: u64 = 1_750_000_000;

/// The headers of a good request, as owned text.
struct Good {
    nonce: String,
    signature: String,
}

impl Good {
    fn headers(&self) -> SignatureHeaders<'_> {
        SignatureHeaders {
            uuid: Some(UUID),
            nonce: Some(&self.nonce),
            timestamp: Some(TIMESTAMP),
            signature: Some(&self.signature),
        }
    }
}

fn signing_key() -> Result<SigningKey, p256::ecdsa::Error> {
    SigningKey::from_slice(&[7; 32])
}

fn public_key(key: &SigningKey) -> Result<DevicePublicKey, PublicKeyError> {
    let point = key.verifying_key().to_sec1_point(false);
    DevicePublicKey::from_base64(&BASE64_STANDARD.encode(point))
}

fn good(key: &SigningKey) -> Result<Good, Box<dyn std::error::Error>> {
    let nonce = Nonce::new([9; 32]);
    let signature: p256::ecdsa::DerSignature = key.sign(&signed_message(&nonce, &TIMESTAMP.parse()?));
    Ok(Good { nonce: nonce.to_base64(), signature: Signature::from_der(signature.as_bytes())?.to_base64() })
}

#[test]
fn header_names_are_those_of_the_protocol() {
    for (name, header) in [
        ("X-Device-UUID", UUID_HEADER),
        ("X-Device-Nonce", NONCE_HEADER),
        ("X-Device-Timestamp", TIMESTAMP_HEADER),
        ("X-Device-Signature", SIGNATURE_HEADER),
    ] {
        assert_eq!(name, header);
    }
}

#[test]
fn a_missing_header_is_named() {
    let good = good(&signing_key().unwrap()).unwrap();
    let headers = good.headers();
    for (header, headers) in [
        ("X-Device-UUID", SignatureHeaders { uuid: None, ..headers }),
        ("X-Device-Nonce", SignatureHeaders { nonce: None, ..headers }),
        ("X-Device-Timestamp", SignatureHeaders { timestamp: None, ..headers }),
        ("X-Device-Signature", SignatureHeaders { signature: None, ..headers }),
        ("X-Device-UUID", SignatureHeaders::default()),
    ] {
        assert_eq!(SignedRequest::parse(headers).err(), Some(HeaderError::Missing { header }));
    }
    assert!(SignedRequest::parse(headers).is_ok());
}

#[test]
fn a_malformed_header_is_named() {
    let good = good(&signing_key().unwrap()).unwrap();
    let headers = good.headers();
    let doubled = |value: &str| format!("{value},{value}");
    let (uuids, nonces, timestamps, signatures) =
        (doubled(UUID), doubled(&good.nonce), doubled(TIMESTAMP), doubled(&good.signature));
    for uuid in ["", "x", &uuids] {
        assert_eq!(
            SignedRequest::parse(SignatureHeaders { uuid: Some(uuid), ..headers }).err(),
            Some(HeaderError::Malformed { header: "X-Device-UUID" })
        );
    }
    let short = BASE64_STANDARD.encode([9; 31]);
    let long = BASE64_STANDARD.encode([9; 33]);
    let unpadded = good.nonce.trim_end_matches('=');
    for nonce in ["", "%", &short, &long, unpadded, &nonces] {
        assert_eq!(
            SignedRequest::parse(SignatureHeaders { nonce: Some(nonce), ..headers }).err(),
            Some(HeaderError::Malformed { header: "X-Device-Nonce" })
        );
    }
    for timestamp in ["", "1750000000", "2025-06-15T15:06:40+00:00", &timestamps] {
        assert_eq!(
            SignedRequest::parse(SignatureHeaders { timestamp: Some(timestamp), ..headers }).err(),
            Some(HeaderError::Malformed { header: "X-Device-Timestamp" })
        );
    }
    for signature in ["", "AAAA", &good.signature[1..], &signatures] {
        assert_eq!(
            SignedRequest::parse(SignatureHeaders { signature: Some(signature), ..headers }).err(),
            Some(HeaderError::Malformed { header: "X-Device-Signature" })
        );
    }
}

#[test]
fn the_first_header_that_is_wrong_is_named() {
    let headers = SignatureHeaders { uuid: Some(UUID), nonce: Some("?"), timestamp: None, signature: Some("?") };
    assert_eq!(SignedRequest::parse(headers).err(), Some(HeaderError::Malformed { header: "X-Device-Nonce" }));
}

#[test]
fn only_the_registered_key_verifies() {
    let key = signing_key().unwrap();
    let good = good(&key).unwrap();
    let request = SignedRequest::parse(good.headers()).unwrap();
    let now = UnixSeconds::new(EPOCH);
    let other = SigningKey::from_slice(&[8; 32]).unwrap();
    assert_eq!(request.clone().verify(&public_key(&other).unwrap(), now), Err(AuthError::BadSignature));
    let verified = request.verify(&public_key(&key).unwrap(), now).unwrap();
    assert_eq!(verified.device().to_string(), UUID);
    assert_eq!(verified.nonce(), Nonce::new([9; 32]));
    assert_eq!(verified.sent_at(), now);
}

#[test]
fn the_window_is_judged_before_the_signature() {
    let key = signing_key().unwrap();
    let good = good(&key).unwrap();
    let request = SignedRequest::parse(good.headers()).unwrap();
    let other = SigningKey::from_slice(&[8; 32]).unwrap();
    let now = UnixSeconds::new(EPOCH + 11);
    assert_eq!(
        request.verify(&public_key(&other).unwrap(), now),
        Err(AuthError::StaleTimestamp { sent_at: UnixSeconds::new(EPOCH), now })
    );
}

#[test]
fn the_uuid_may_come_in_any_case() {
    let good = good(&signing_key().unwrap()).unwrap();
    let upper = UUID.to_uppercase();
    let request = SignedRequest::parse(SignatureHeaders { uuid: Some(&upper), ..good.headers() });
    assert_eq!(request.unwrap().device().to_string(), UUID);
}

#[test]
fn a_nonce_is_strict_base64_of_32_bytes() {
    let nonce = Nonce::new([0xFB; 32]);
    let text = nonce.to_base64();
    assert_eq!(text.len(), 44);
    assert_eq!(Nonce::from_base64(&text), Ok(nonce));
    assert_eq!(nonce.as_bytes(), &[0xFB; 32]);
    for text in [
        text.replace('+', "-"),
        text.replace('=', ""),
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        // The same bytes, but the bits after the last of them are not zero.
        text.replace("s=", "t="),
    ] {
        assert_eq!(Nonce::from_base64(&text), Err(NonceError), "{text}");
    }
}

#[test]
fn der_has_one_encoding_of_a_signature() {
    // r = 1, s = 0x80, in the only encoding there is and in others of the same integers.
    assert!(Signature::from_der(&[0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]).is_ok());
    for der in [
        [0x30, 0x80, 2, 1, 1, 2, 2, 0, 0x80, 0, 0].as_slice(),
        &[0x30, 0x81, 7, 2, 1, 1, 2, 2, 0, 0x80],
        &[0x30, 0x82, 0, 7, 2, 1, 1, 2, 2, 0, 0x80],
        &[0x30, 8, 2, 2, 0, 1, 2, 2, 0, 0x80],
        &[0x30, 8, 2, 1, 1, 2, 3, 0, 0, 0x80],
        &[0x30, 8, 2, 0x81, 1, 1, 2, 2, 0, 0x80],
        // s negative, an empty integer, another tag, bytes inside and after the sequence.
        &[0x30, 6, 2, 1, 1, 2, 1, 0x80],
        &[0x30, 6, 2, 0, 2, 2, 0, 0x80],
        &[0x31, 7, 2, 1, 1, 2, 2, 0, 0x80],
        &[0x30, 7, 3, 1, 1, 2, 2, 0, 0x80],
        &[0x30, 9, 2, 1, 1, 2, 2, 0, 0x80, 5, 0],
        &[0x30, 7, 2, 1, 1, 2, 2, 0, 0x80, 0],
        &[0x30, 6, 2, 1, 1, 2, 2, 0, 0x80],
        &[0x30, 0],
    ] {
        assert_eq!(Signature::from_der(der), Err(SignatureError), "{der:02x?}");
    }
}

#[test]
fn debug_hides_nonce_and_signature() {
    let key = signing_key().unwrap();
    let good = good(&key).unwrap();
    let request = SignedRequest::parse(good.headers()).unwrap();
    let shown = format!("{request:?}");
    assert!(shown.contains("Nonce(..)") && shown.contains("Signature(..)"), "{shown}");
    assert!(shown.contains(UUID), "{shown}");
    let now = UnixSeconds::new(EPOCH);
    let verified = request.verify(&public_key(&key).unwrap(), now).unwrap();
    assert!(format!("{verified:?}").contains("Nonce(..)"));
}
