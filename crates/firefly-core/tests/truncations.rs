//! No wire format accepts a value that is cut short or has one more byte.
//!
//! A good value is the firmware's own, from `vectors/device.json`, if that has one.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../../../tests/truncation.rs"]
pub mod truncation;

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    device::{DeviceId, DevicePublicKey, ProductHex},
    envelope::Envelope,
    etag::ETag,
    json::JsonObject,
    registration::{NewDevice, RegistrationKey},
    replay::NonceEntry,
    signature::Signature,
    signed_request::{Nonce, Timestamp},
    time::UnixSeconds,
};
use serde_json::{Value, json};
use truncation::{assert_no_other_length, text};

/// The white space of JSON (RFC 8259 §2).
const WHITE_SPACE: &[u8] = b" \t\n\r";

/// Returns a device of the firmware's vectors, with a ciphertext of one byte.
fn device() -> Value {
    let vectors: Value = serde_json::from_str(include_str!("vectors/device.json")).unwrap();
    vectors["accepted"][1].clone()
}

/// Returns the text at a JSON pointer of [`device`].
fn field(pointer: &str) -> String {
    device().pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn a_uuid_has_no_other_length() {
    assert_no_other_length(field("/uuid").as_bytes(), b"", text(str::parse::<DeviceId>));
}

/// The firmware writes its product in this form.
#[test]
fn a_product_hex_has_no_other_length() {
    assert_no_other_length(b"0x0000F1F1", b"", text(str::parse::<ProductHex>));
}

#[test]
fn a_public_key_has_no_other_length() {
    assert_no_other_length(field("/public_key_b64").as_bytes(), b"", text(DevicePublicKey::from_base64));
    let point = BASE64_STANDARD.decode(field("/public_key_b64")).unwrap();
    assert_no_other_length(&point, b"", |bytes| DevicePublicKey::from_base64(&BASE64_STANDARD.encode(bytes)).is_ok());
}

/// The cloud draws registration keys.
#[test]
fn a_registration_key_has_no_other_length() {
    assert_no_other_length(b"A1B2C3", b"", text(str::parse::<RegistrationKey>));
}

#[test]
fn an_etag_has_no_other_length() {
    let digits = field("/plaintext_sha256_hex");
    assert_no_other_length(digits.as_bytes(), b"", text(str::parse::<ETag>));
    assert_no_other_length(format!("\"{digits}\"").as_bytes(), b"", text(str::parse::<ETag>));
}

#[test]
fn a_nonce_has_no_other_length() {
    assert_no_other_length(field("/headers/X-Device-Nonce").as_bytes(), b"", text(Nonce::from_base64));
    let bytes = BASE64_STANDARD.decode(field("/headers/X-Device-Nonce")).unwrap();
    assert_no_other_length(&bytes, b"", |bytes| Nonce::from_base64(&BASE64_STANDARD.encode(bytes)).is_ok());
}

#[test]
fn a_timestamp_has_no_other_length() {
    let timestamp = field("/headers/X-Device-Timestamp");
    assert_no_other_length(timestamp.as_bytes(), b"", text(str::parse::<Timestamp>));
    assert_no_other_length(timestamp.as_bytes(), b"", text(str::parse::<UnixSeconds>));
}

#[test]
fn a_signature_has_no_other_length() {
    assert_no_other_length(field("/headers/X-Device-Signature").as_bytes(), b"", text(Signature::from_base64));
    let der = BASE64_STANDARD.decode(field("/headers/X-Device-Signature")).unwrap();
    assert_no_other_length(&der, b"", |bytes| Signature::from_der(bytes).is_ok());
}

#[test]
fn an_envelope_has_no_other_length() {
    let envelope = BASE64_STANDARD.decode(field("/ffce_b64")).unwrap();
    assert_no_other_length(&envelope, b"", |bytes| Envelope::parse(bytes).is_ok());
}

/// The cloud stores spent nonces: seconds since 1970 as u64 big-endian, then the attempt.
#[test]
fn a_stored_nonce_has_no_other_length() {
    assert_no_other_length(b"\0\0\0\0\x01\x02\x03\x04attempt1", b"", |bytes| NonceEntry::from_bytes(bytes).is_some());
}

/// The members are those that the firmware sends and the cloud requires.
#[test]
fn a_registration_body_has_no_other_length() {
    let body = json!({
        "uuid": field("/uuid"),
        "product_id": "FireFly Controller",
        "product_hex": "0x0000F1F1",
        "device_class": "CONTROLLER",
        "public_key": field("/public_key_b64"),
        "registering_application": "FireFly Controller",
        "registering_version": "2025.6.1",
        "mcu": { "model": "ESP32-S3", "features": ["WiFi", "BLE"] },
    });
    let body = body.to_string();
    assert_no_other_length(body.as_bytes(), WHITE_SPACE, |bytes| NewDevice::parse(bytes).is_ok());
}

#[test]
fn a_json_object_has_no_other_length() {
    let object = r#"{"a":[1,-2.5e-3,"\ud83d\udca1",{"b":null}],"c":true}"#;
    assert_no_other_length(object.as_bytes(), WHITE_SPACE, text(JsonObject::parse));
}
