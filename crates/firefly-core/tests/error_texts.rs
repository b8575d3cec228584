//! The texts of all errors. The client reads most of them; the log has the others.

use firefly_core::{
    device::{DeviceIdError, ProductHexError, PublicKeyError},
    envelope::EnvelopeError,
    etag::ETagError,
    json::JsonError,
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
        (SignatureError.to_string(), "not a DER ECDSA P-256 signature"),
        (TimestampError.to_string(), "not a UTC time of the form YYYY-MM-DDTHH:MM:SSZ"),
    ] {
        assert_eq!(error, text);
    }
}
