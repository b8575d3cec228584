//! Keys, headers and envelopes against `crates/firefly-core/tests/vectors/device.json`, whose accepted part equals the
//! firmware's own output.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use firefly_core::envelope::EnvelopeError;
use firefly_core::signed_request::Nonce;
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, OpenError, etag};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../firefly-core/tests/vectors/device.json")).unwrap()
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap()
}

fn base64(vector: &Value, member: &str) -> Vec<u8> {
    STANDARD.decode(text(vector, member)).unwrap()
}

fn hex<const N: usize>(vector: &Value, member: &str) -> [u8; N] {
    let digits = text(vector, member);
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}

fn identity(vector: &Value, uuid: &str) -> Identity {
    let product_hex = "0x0000F1F1".parse().unwrap();
    Identity::new(uuid.parse().unwrap(), product_hex, hex(vector, "master_key_hex")).unwrap()
}

fn accepted() -> Vec<(Value, Identity)> {
    let vectors = vectors();
    let accepted = vectors["accepted"].as_array().unwrap();
    assert_eq!(accepted.len(), 10);
    accepted.iter().map(|vector| (vector.clone(), identity(vector, text(vector, "uuid")))).collect()
}

#[test]
fn public_keys_are_the_firmware_s() {
    for (vector, identity) in accepted() {
        assert_eq!(identity.public_key().to_base64(), text(&vector, "public_key_b64"));
    }
}

#[test]
fn headers_are_the_firmware_s() {
    let mut high = 0;
    for (vector, identity) in accepted() {
        let nonce = Nonce::from_base64(text(&vector["headers"], "X-Device-Nonce")).unwrap();
        let now = UnixSeconds::new(vector["epoch"].as_u64().unwrap());
        let signed = identity.sign(&nonce, now);
        assert_eq!(signed.pairs().len(), vector["headers"].as_object().unwrap().len());
        for (name, value) in signed.pairs() {
            assert_eq!(value, text(&vector["headers"], name), "{} {name}", vector["name"]);
        }
        high += usize::from(vector["signature_high_s"].as_bool().unwrap());
    }
    assert!(high > 0, "no vector would notice a normalised s");
}

#[test]
fn envelopes_are_the_firmware_s_and_open() {
    for (vector, identity) in accepted() {
        let plaintext = base64(&vector, "plaintext_b64");
        let expected = base64(&vector, "ffce_b64");
        let sealed = identity.seal(&plaintext, &hex(&vector, "gcm_nonce_hex"));
        assert!(sealed.unwrap() == expected, "{}", vector["name"]);
        assert!(identity.open(&expected).unwrap() == plaintext, "{}", vector["name"]);
        assert_eq!(etag(&plaintext).quoted(), format!("\"{}\"", text(&vector, "plaintext_sha256_hex")));
    }
}

#[test]
fn the_largest_envelope_is_the_firmware_s() {
    let vector = &vectors()["largest"];
    let identity = identity(vector, "2d411e72-c806-3038-573b-bb16a4a19bcf");
    let gcm_nonce = hex(vector, "gcm_nonce_hex");
    let envelope = identity.seal(&[b'A'; 524_288], &gcm_nonce).unwrap();
    let digest: [u8; 32] = Sha256::digest(&envelope).into();
    assert_eq!(digest, hex(vector, "ffce_sha256_hex"));
    assert_eq!(identity.open(&envelope).unwrap(), [b'A'; 524_288]);
    let refused = identity.seal(&[b'A'; 524_289], &gcm_nonce);
    assert!(matches!(refused, Err(EnvelopeError::TooLarge { .. })));
}

#[test]
fn refused_envelopes_do_not_open() {
    let vectors = vectors();
    let (_, identity) = accepted().swap_remove(0);
    let refused = vectors["refused_envelopes"].as_array().unwrap();
    assert_eq!(refused.len(), 22);
    for vector in refused {
        let opened = identity.open(&base64(vector, "ffce_b64"));
        assert!(matches!(opened, Err(OpenError::Envelope(_))), "{}", vector["name"]);
    }
}

#[test]
fn another_device_s_key_does_not_open() {
    let accepted = accepted();
    for (at, (vector, _)) in accepted.iter().enumerate() {
        let (_, other) = &accepted[(at + 1) % accepted.len()];
        let opened = other.open(&base64(vector, "ffce_b64"));
        assert_eq!(opened, Err(OpenError::Unauthentic), "{}", vector["name"]);
    }
}

#[test]
fn no_byte_of_an_envelope_can_be_altered() {
    let (vector, identity) = accepted().swap_remove(2);
    let envelope = base64(&vector, "ffce_b64");
    for at in 0..envelope.len() {
        let mut altered = envelope.clone();
        altered[at] ^= 1;
        assert!(identity.open(&altered).is_err(), "byte {at}");
        assert!(identity.open(&envelope[..at]).is_err(), "first {at} bytes");
    }
    assert!(identity.open(&[&envelope[..], &[0]].concat()).is_err());
}
