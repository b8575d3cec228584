//! The signature of a request.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

/// An ECDSA P-256 signature, `r` and `s` each within 1..n.
///
/// mbedTLS does not normalise `s`, so either half of its range is accepted.
///
/// On the wire it is `ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 §2.2.3) in DER
/// (ITU-T X.690 §10: one encoding per value, nothing after it), in standard padded Base64 (RFC 4648 §4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(p256::ecdsa::Signature);

impl Signature {
    /// Parses the Base64 of the DER encoding.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] if the text is not strict Base64, or its bytes are refused by [`Signature::from_der`].
    pub fn from_base64(text: &str) -> Result<Self, SignatureError> {
        let der = BASE64_STANDARD.decode(text).map_err(|_| SignatureError)?;
        Self::from_der(&der)
    }

    /// Parses the DER encoding.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] if the bytes are not DER of two integers, or one of these is 0 or not below the
    /// order of the curve.
    pub fn from_der(der: &[u8]) -> Result<Self, SignatureError> {
        p256::ecdsa::Signature::from_der(der).map(Self).map_err(|_| SignatureError)
    }

    /// Returns the padded Base64 of the DER encoding, the value of the header.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0.to_der())
    }

    pub(crate) const fn as_p256(&self) -> &p256::ecdsa::Signature {
        &self.0
    }
}

/// Hides the bytes.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// The bytes are not a signature, no matter of which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DER ECDSA P-256 signature")]
pub struct SignatureError;
