//! No input makes a parser panic, be it noise or a good input with a few bytes changed.

use firefly_core::{
    device::{DeviceId, DevicePublicKey, ProductHex},
    envelope::Envelope,
    etag::ETag,
    json::JsonObject,
    registration::{NewDevice, RegistrationKey, Text},
    replay::NonceEntry,
    signature::Signature,
    signed_request::{Nonce, SignatureHeaders, SignedRequest, Timestamp},
    time::UnixSeconds,
};
use proptest::prelude::*;

const GOOD_TEXTS: [&str; 10] = [
    "2d411e72-c806-3038-573b-bb16a4a19bcf",
    "0x0A1B2C3D",
    "BHRPMwsN6NE64+IR9DtdWAMf4VOL/re7d139w9+gYrpBu924ZhbKnNsgeD6Qy2ukuv1YWVA/gEe2iiWQtyi38Os=",
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
    "ABC123",
    "ra/E24l+9D3wvH4ZkKHne+KjlpSSPZill5WX+lcrO4s=",
    "2025-06-15T15:06:40Z",
    "MEQCIA3IjhZIu3Er3BI4yrgxt6EDfTsYGQfeDpJK1Sv9tEoNAiAagcPJ8zaoJVgDJBcCCRsXjXsolXkIxSVdpSy5GIU9YQ==",
    r#"{"a":[1,-2.5e-3,"\ud83d\udca1",{"b":null}],"c":true}"#,
    r#"{"uuid":"2d411e72-c806-3038-573b-bb16a4a19bcf","mcu":{"a":[{}]},"network":[{}]}"#,
];

/// Calls every parser of text.
fn parse_text(text: &str) {
    let _ = text.parse::<DeviceId>();
    let _ = text.parse::<ProductHex>();
    let _ = DevicePublicKey::from_base64(text);
    let _ = text.parse::<ETag>();
    let _ = text.parse::<RegistrationKey>();
    let _ = text.parse::<Text>();
    let _ = Nonce::from_base64(text);
    let _ = text.parse::<Timestamp>();
    let _ = text.parse::<UnixSeconds>();
    let _ = Signature::from_base64(text);
    let _ = JsonObject::parse(text);
    let _ = SignedRequest::parse(SignatureHeaders {
        uuid: Some(text),
        nonce: Some(text),
        timestamp: Some(text),
        signature: Some(text),
    });
}

/// Calls every parser of bytes.
fn parse_bytes(bytes: &[u8]) {
    let _ = Envelope::parse(bytes);
    let _ = Signature::from_der(bytes);
    let _ = NonceEntry::from_bytes(bytes);
    let _ = NewDevice::parse(bytes);
}

proptest! {
    #[test]
    fn noise_does_not_panic(bytes: Vec<u8>, text in ".*") {
        parse_bytes(&bytes);
        parse_text(&text);
        parse_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_changed_good_text_does_not_panic(
        good in prop::sample::select(GOOD_TEXTS.as_slice()),
        at: prop::sample::Index,
        removed in 0..3_usize,
        inserted in "\\PC{0,3}|[0-9a-fA-FeE+\\-.\"\\\\{}\\[\\]:,]{0,4}",
    ) {
        let characters: Vec<char> = good.chars().collect();
        let at = at.index(characters.len());
        let rest = characters.iter().skip(at + removed);
        let text: String = characters.iter().take(at).copied().chain(inserted.chars()).chain(rest.copied()).collect();
        parse_text(&text);
        parse_bytes(text.as_bytes());
    }

    #[test]
    fn a_changed_signature_does_not_panic(
        at: prop::sample::Index,
        byte: u8,
        cut in 0..4_usize,
        r in prop::collection::vec(any::<u8>(), 0..40),
        s in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let integer = |body: &[u8]| [&[2, u8::try_from(body.len()).unwrap()], body].concat();
        let body = [integer(&r), integer(&s)].concat();
        let mut der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
        if let Ok(signature) = Signature::from_der(&der) {
            prop_assert_eq!(Signature::from_base64(&signature.to_base64()), Ok(signature));
        }
        let at = at.index(der.len());
        der[at] = byte;
        der.truncate(der.len() - cut);
        parse_bytes(&der);
    }

    #[test]
    fn a_der_signature_is_written_unchanged(
        r in prop::collection::vec(any::<u8>(), 0..34),
        s in prop::collection::vec(any::<u8>(), 0..34),
    ) {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let integer = |body: &[u8]| [&[2, u8::try_from(body.len()).unwrap()], body].concat();
        let body = [integer(&r), integer(&s)].concat();
        let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
        if let Ok(signature) = Signature::from_der(&der) {
            prop_assert_eq!(signature.to_base64(), BASE64_STANDARD.encode(&der));
        }
    }

    #[test]
    fn a_changed_envelope_does_not_panic(
        at: prop::sample::Index,
        bytes in prop::collection::vec(any::<u8>(), 0..6),
        cut: prop::sample::Index,
    ) {
        let mut envelope = Envelope::write(&[1; 12], &[2; 16], &[3; 40]).unwrap();
        let at = at.index(envelope.len() - bytes.len());
        envelope[at..at + bytes.len()].copy_from_slice(&bytes);
        parse_bytes(&envelope);
        envelope.truncate(cut.index(envelope.len()));
        parse_bytes(&envelope);
    }
}
