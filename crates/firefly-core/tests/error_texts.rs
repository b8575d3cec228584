//! The texts of all errors. The client reads most of them; the log has the others.

use firefly_core::{
    device::{DeviceIdError, ProductHexError, PublicKeyError},
    envelope::EnvelopeError,
    etag::ETagError,
    json::JsonError,
    provisioning::{
        body::{self, BodyError},
        certificate::{CertificateMismatch, CertificatePemError, DigestError},
        device_api_key::DeviceApiKeyError,
        name::{BalenaServiceError, BalenaUuidError, PolicyNameError, ThingNameError},
        request::{AnotherKey, CertificateRequestError},
        row::WordError,
    },
    registration::{MemberError, NewDeviceError, RegistrationKeyError, TextError},
    signature::SignatureError,
    signed_request::{AuthError, HeaderError, NonceError},
    time::{TimestampError, UnixSeconds},
};

/// Asserts the text of an example of every variant.
///
/// A variant without an example does not compile, because the patterns of the `match` are the examples' variants.
macro_rules! assert_texts {
    ($enum:ident { $($variant:ident $(($inner:expr))? $({ $($field:ident: $value:expr),+ })? => $text:literal,)+ }) => {
        let text = |error: $enum| match error {
            $($enum::$variant { .. } => $text,)+
        };
        for error in [$($enum::$variant $(($inner))? $({ $($field: $value),+ })?),+] {
            assert_eq!(error.to_string(), text(error));
        }
    };
}

#[test]
fn envelope_errors_have_their_texts() {
    assert_texts!(EnvelopeError {
        Empty => "the envelope is empty",
        TooLarge { length: 524_324 } =>
            "524324 bytes are more than 524288 and not one complete, well-formed envelope of at most 524325",
        Truncated { length: 36 } => "the envelope ends after 36 bytes, within its header of 37",
        BadMagic => "the envelope does not start with FFCE",
        UnsupportedVersion { version: 255 } => "the envelope has version 255, not 1",
        LengthMismatch { declared: u32::MAX, actual: 524_251 } =>
            "the envelope declares 4294967295 bytes of ciphertext and carries 524251",
    });
}

#[test]
fn header_errors_have_their_texts() {
    assert_texts!(HeaderError {
        Missing { header: "X-Device-UUID" } => "header X-Device-UUID is missing",
        Malformed { header: "X-Device-Nonce" } => "header X-Device-Nonce is malformed",
    });
}

#[test]
fn auth_errors_have_their_texts() {
    let sent_at = UnixSeconds::new(1_750_000_000);
    assert_texts!(AuthError {
        StaleTimestamp { sent_at: sent_at, now: sent_at.saturating_add(60) } =>
            "the request was signed at 2025-06-15T15:06:40Z, too far from the server's 2025-06-15T15:07:40Z",
        BadSignature => "the signature does not verify",
    });
}

#[test]
fn new_device_errors_have_their_texts() {
    assert_texts!(NewDeviceError {
        TooLarge { length: 20_000 } => "the body of 20000 bytes is larger than 16384",
        NotAnObject => "the body is not a JSON object",
        Missing { field: "mcu" } => "member mcu is missing",
        Invalid { field: "uuid", reason: JsonError::NotAString.into() } => "member uuid is invalid: not a string",
    });
}

#[test]
fn member_errors_have_their_texts() {
    assert_texts!(MemberError {
        SentTwice => "sent more than once",
        Json(JsonError::NotAnArrayOfObjects) => "not an array of objects",
        DeviceId(DeviceIdError) => "not a UUID of 36 characters",
        ProductHex(ProductHexError) => "not 0x followed by 8 hex digits",
        PublicKey(PublicKeyError) => "not the Base64 of a P-256 point in the 65-byte uncompressed form",
        Text(TextError) => "not 1 to 128 characters without control characters",
    });
}

#[test]
fn body_errors_have_their_texts() {
    assert_texts!(BodyError {
        TooLarge { length: 20_000 } => "the body of 20000 bytes is larger than 16384",
        NotAnObject => "the body is not a JSON object",
        Unknown { member: "\"force\"".to_owned() } => "member \"force\" is not known",
        Missing { field: "uuid" } => "member uuid is missing",
        Invalid { field: "uuid", reason: JsonError::NotAString.into() } => "member uuid is invalid: not a string",
    });
    use body::MemberError;
    assert_texts!(MemberError {
        SentTwice => "sent more than once",
        Json(JsonError::NotAString) => "not a string",
        Uuid(BalenaUuidError) => "not 32 lower-case hex digits",
        Service(BalenaServiceError) =>
            "not 1 to 255 characters of A-Z, a-z, 0-9, _ and -, or the word undefined",
        Request(CertificateRequestError::NotP256) => "not for a P-256 key in the uncompressed form",
    });
}

#[test]
fn certificate_errors_have_their_texts() {
    assert_texts!(CertificateRequestError {
        TooLarge { length: 4_097 } => "the request of 4097 bytes is larger than 4096",
        NotPem => "not one PEM block labelled CERTIFICATE REQUEST",
        NotPkcs10 => "not a PKCS#10 request in DER",
        NotP256 => "not for a P-256 key in the uncompressed form",
        NotEcdsaWithSha256 => "not signed with ECDSA and SHA-256",
        BadSignature => "the request's signature does not verify",
    });
    assert_texts!(CertificateMismatch {
        AnotherCertificate => "the certificate does not have the id that it came with",
        AnotherKey => "the certificate is for another public key",
    });
}

#[test]
fn json_errors_have_their_texts() {
    assert_texts!(JsonError {
        Syntax => "not JSON",
        NotAString => "not a string",
        NotAnObject => "not an object",
        NotAnArrayOfObjects => "not an array of objects",
        TooDeep => "nested too deep",
        EmptyName => "a member without a name",
        LoneSurrogate => "half of a surrogate pair",
        NumberOutOfRange => "a number out of range",
    });
}

#[test]
fn errors_without_variants_have_their_texts() {
    for (error, text) in [
        (ETagError.to_string(), "not 64 hex digits, bare or in double quotes"),
        (NonceError.to_string(), "not the Base64 of 32 bytes"),
        (RegistrationKeyError.to_string(), "not 6 characters of A-Z and 0-9"),
        (AnotherKey.to_string(), "the request is not for the registered public key"),
        (CertificatePemError.to_string(), "not one X.509 certificate in PEM"),
        (DeviceApiKeyError.to_string(), "not 16 to 512 characters of A-Z, a-z, 0-9, _, . and -"),
        (DigestError.to_string(), "not 64 lower-case hex digits"),
        (PolicyNameError.to_string(), "not 1 to 128 characters of A-Z, a-z, 0-9, _, +, =, comma, period, @ and -"),
        (ThingNameError.to_string(), "not a UUID of 32 lower-case hex digits, or of 36 lower-case characters"),
        (WordError.to_string(), "not a known word"),
        (SignatureError.to_string(), "not a DER ECDSA P-256 signature"),
        (TimestampError.to_string(), "not a UTC time of the form YYYY-MM-DDTHH:MM:SSZ"),
    ] {
        assert_eq!(error, text);
    }
}
