//! The vectors of `vectors/device.json`: bytes of the firmware's own code, and bytes that must be refused. The vector
//! `largest` needs AES-GCM; firefly-device, which seals envelopes, checks it.

use base64::{Engine, prelude::BASE64_STANDARD};
use firefly_core::{
    device::{DeviceId, DevicePublicKey, PublicKeyError},
    envelope::{Envelope, EnvelopeError},
    etag::ETag,
    signature::Signature,
    signed_request::{
        AuthError, CLOCK_SKEW_SECONDS, HeaderError, Nonce, SignatureHeaders, SignedRequest, Timestamp, signed_message,
    },
    time::UnixSeconds,
};
use p256::ecdsa::signature::Verifier;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    accepted: Vec<Accepted>,
    refused_envelopes: Vec<RefusedEnvelope>,
    refused_signatures: Vec<RefusedSignature>,
    refused_public_keys: Vec<RefusedPublicKey>,
}

#[derive(Deserialize)]
struct Accepted {
    name: String,
    uuid: String,
    public_key_b64: String,
    epoch: u64,
    headers: Headers,
    signature_high_s: bool,
    gcm_nonce_hex: String,
    plaintext_b64: String,
    plaintext_sha256_hex: String,
    ffce_b64: String,
}

#[derive(Deserialize)]
struct RefusedEnvelope {
    name: String,
    ffce_b64: String,
}

#[derive(Deserialize)]
struct RefusedSignature {
    name: String,
    public_key_b64: String,
    epoch: u64,
    headers: Headers,
}

#[derive(Deserialize)]
struct RefusedPublicKey {
    name: String,
    public_key_b64: String,
}

#[derive(Deserialize)]
struct Headers {
    #[serde(rename = "X-Device-UUID")]
    uuid: String,
    #[serde(rename = "X-Device-Nonce")]
    nonce: String,
    #[serde(rename = "X-Device-Timestamp")]
    timestamp: String,
    #[serde(rename = "X-Device-Signature")]
    signature: String,
}

impl Headers {
    fn parse(&self) -> Result<SignedRequest, HeaderError> {
        SignedRequest::parse(SignatureHeaders {
            uuid: Some(&self.uuid),
            nonce: Some(&self.nonce),
            timestamp: Some(&self.timestamp),
            signature: Some(&self.signature),
        })
    }
}

fn vectors() -> Result<Vectors, serde_json::Error> {
    serde_json::from_str(include_str!("vectors/device.json"))
}

#[test]
fn accepted_requests_verify_within_the_window() {
    let vectors = vectors().unwrap();
    assert_eq!(vectors.accepted.len(), 10);
    for vector in vectors.accepted {
        let name = &vector.name;
        let key = DevicePublicKey::from_base64(&vector.public_key_b64).unwrap();
        assert_eq!(key.to_base64(), vector.public_key_b64, "{name}");
        let device: DeviceId = vector.uuid.parse().unwrap();
        let signed_at = UnixSeconds::new(vector.epoch);
        let request = vector.headers.parse().unwrap();
        assert_eq!((request.device(), request.sent_at()), (device, signed_at), "{name}");

        for now in
            [signed_at, signed_at.saturating_sub(CLOCK_SKEW_SECONDS), signed_at.saturating_add(CLOCK_SKEW_SECONDS)]
        {
            let verified = request.clone().verify(&key, now).unwrap();
            assert_eq!(verified.device(), device, "{name}");
            assert_eq!(verified.sent_at(), signed_at, "{name}");
            assert_eq!(verified.nonce().to_base64(), vector.headers.nonce, "{name}");
        }
        for now in [signed_at.saturating_sub(CLOCK_SKEW_SECONDS + 1), signed_at.saturating_add(CLOCK_SKEW_SECONDS + 1)]
        {
            assert_eq!(
                request.clone().verify(&key, now),
                Err(AuthError::StaleTimestamp { sent_at: signed_at, now }),
                "{name}"
            );
        }
    }
}

#[test]
fn accepted_texts_are_written_unchanged() {
    for vector in vectors().unwrap().accepted {
        let headers = &vector.headers;
        let nonce = Nonce::from_base64(&headers.nonce).unwrap();
        let timestamp: Timestamp = headers.timestamp.parse().unwrap();
        let signature = Signature::from_base64(&headers.signature).unwrap();
        assert_eq!(vector.uuid.parse::<DeviceId>().unwrap().to_string(), headers.uuid);
        assert_eq!(nonce.to_base64(), headers.nonce);
        assert_eq!(timestamp.as_str(), headers.timestamp);
        assert_eq!(Timestamp::from(UnixSeconds::new(vector.epoch)), timestamp);
        assert_eq!(signature.to_base64(), headers.signature);
        let tag: ETag = vector.plaintext_sha256_hex.parse().unwrap();
        assert_eq!(tag.to_hex(), vector.plaintext_sha256_hex);
    }
}

#[test]
fn both_halves_of_the_range_of_s_are_accepted() {
    let mut seen_high = 0;
    for vector in vectors().unwrap().accepted {
        let key = DevicePublicKey::from_base64(&vector.public_key_b64).unwrap();
        let der = BASE64_STANDARD.decode(&vector.headers.signature).unwrap();
        let (r, s) = p256::ecdsa::Signature::from_der(&der).unwrap().split_scalars();
        let mirrored = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
        let headers = Headers { signature: BASE64_STANDARD.encode(mirrored.to_der()), ..vector.headers };
        assert_ne!(mirrored.to_der().as_bytes(), der);
        let request = headers.parse().unwrap();
        let now = request.sent_at();
        assert!(request.verify(&key, now).is_ok(), "{}", vector.name);
        seen_high += usize::from(vector.signature_high_s);
    }
    assert!((1..10).contains(&seen_high), "the vectors have both");
}

#[test]
fn the_signed_message_is_hashed_once() {
    for vector in vectors().unwrap().accepted {
        let message = signed_message(
            &Nonce::from_base64(&vector.headers.nonce).unwrap(),
            &vector.headers.timestamp.parse().unwrap(),
        );
        assert_eq!(message.len(), 52);
        let key = BASE64_STANDARD.decode(&vector.public_key_b64).unwrap();
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&key).unwrap();
        let der = BASE64_STANDARD.decode(&vector.headers.signature).unwrap();
        let signature = p256::ecdsa::DerSignature::from_bytes(&der).unwrap();
        assert!(key.verify(&message, &signature).is_ok(), "{}", vector.name);
    }
}

#[test]
fn accepted_envelopes_parse_and_are_written_unchanged() {
    for vector in vectors().unwrap().accepted {
        let name = &vector.name;
        let bytes = BASE64_STANDARD.decode(&vector.ffce_b64).unwrap();
        let plaintext = BASE64_STANDARD.decode(&vector.plaintext_b64).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        let nonce_hex: String = envelope.nonce().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(nonce_hex, vector.gcm_nonce_hex, "{name}");
        assert_eq!(envelope.ciphertext().len(), plaintext.len(), "{name}");
        assert_eq!(
            Envelope::write(envelope.nonce(), envelope.tag(), envelope.ciphertext()),
            Ok(bytes.clone()),
            "{name}"
        );
        for end in 0..bytes.len().min(200) {
            assert!(Envelope::parse(&bytes[..end]).is_err(), "{name} cut after {end} bytes");
        }
        let longer = [bytes.as_slice(), b"\0"].concat();
        assert!(Envelope::parse(&longer).is_err(), "{name}");
    }
}

#[test]
fn refused_envelopes_are_refused_for_their_reason() {
    use EnvelopeError::{BadMagic, Empty, LengthMismatch, Truncated, UnsupportedVersion};
    let vectors = vectors().unwrap();
    assert_eq!(vectors.refused_envelopes.len(), 22);
    for vector in vectors.refused_envelopes {
        let mismatch = |declared, actual| LengthMismatch { declared, actual };
        let expected = match vector.name.as_str() {
            "magic" | "lower-case magic" => BadMagic,
            "version 0" => UnsupportedVersion { version: 0 },
            "version 2" => UnsupportedVersion { version: 2 },
            "length +1" => mismatch(38, 37),
            "length -1" => mismatch(36, 37),
            "length 0 with ciphertext" => mismatch(0, 37),
            "length 0xFFFFFFFF" => mismatch(u32::MAX, 37),
            "length wraps 32 bits" => mismatch(0xFFFF_FFDB, 37),
            "length big-endian" => mismatch(37 << 24, 37),
            "trailing byte" => mismatch(37, 38),
            "first 0 bytes" => Empty,
            "first 3 bytes" => Truncated { length: 3 },
            "first 4 bytes" => Truncated { length: 4 },
            "first 5 bytes" => Truncated { length: 5 },
            "first 16 bytes" => Truncated { length: 16 },
            "first 17 bytes" => Truncated { length: 17 },
            "first 20 bytes" => Truncated { length: 20 },
            "first 21 bytes" => Truncated { length: 21 },
            "first 36 bytes" => Truncated { length: 36 },
            "first 37 bytes" => mismatch(37, 0),
            "first 73 bytes" => mismatch(37, 36),
            other => panic!("unexpected vector {other}"),
        };
        let bytes = BASE64_STANDARD.decode(&vector.ffce_b64).unwrap();
        assert_eq!(Envelope::parse(&bytes), Err(expected), "{}", vector.name);
    }
}

#[test]
fn refused_signatures_are_refused_for_their_reason() {
    let vectors = vectors().unwrap();
    assert_eq!(vectors.refused_signatures.len(), 17);
    for vector in vectors.refused_signatures {
        let request = vector.headers.parse();
        match vector.name.as_str() {
            "other device's key"
            | "other nonce"
            | "other timestamp"
            | "nonce signed as Base64"
            | "timestamp before nonce"
            | "hashed twice" => {
                let key = DevicePublicKey::from_base64(&vector.public_key_b64).unwrap();
                let now = UnixSeconds::new(vector.epoch);
                assert_eq!(request.unwrap().verify(&key, now), Err(AuthError::BadSignature), "{}", vector.name);
            }
            "r = 0"
            | "s = 0"
            | "r = n"
            | "s + n"
            | "raw r||s, 64 bytes"
            | "redundant zero in r"
            | "long-form length"
            | "trailing byte"
            | "last byte missing"
            | "s missing"
            | "empty" => {
                assert_eq!(
                    request.err(),
                    Some(HeaderError::Malformed { header: "X-Device-Signature" }),
                    "{}",
                    vector.name
                );
            }
            other => panic!("unexpected vector {other}"),
        }
    }
}

#[test]
fn refused_public_keys_are_refused() {
    let vectors = vectors().unwrap();
    assert_eq!(vectors.refused_public_keys.len(), 9);
    for vector in vectors.refused_public_keys {
        assert_eq!(DevicePublicKey::from_base64(&vector.public_key_b64), Err(PublicKeyError), "{}", vector.name);
    }
}
