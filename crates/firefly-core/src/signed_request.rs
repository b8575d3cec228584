//! The four headers of a signed request, and the evidence that its signature verifies.
//!
//! The signed message is the 32 nonce bytes followed by the ASCII bytes of the timestamp header exactly as
//! sent; see [`signed_message`]. The UUID is not part of it: the device's own key binds the request to it.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    device::{DeviceId, DevicePublicKey},
    time::{TimestampError, UnixSeconds},
};

/// Header with the device's UUID; must equal the one in the path. Lower case, as API Gateway hands it over.
pub const UUID_HEADER: &str = "x-device-uuid";

/// Header with the Base64 of the [`Nonce`].
pub const NONCE_HEADER: &str = "x-device-nonce";

/// Header with the [`Timestamp`].
pub const TIMESTAMP_HEADER: &str = "x-device-timestamp";

/// Header with the Base64 of the [`Signature`] in DER.
pub const SIGNATURE_HEADER: &str = "x-device-signature";

/// Seconds a timestamp may differ from the server's clock, before or after, both in whole seconds. The
/// firmware's protocol fixes it.
pub const CLOCK_SKEW_SECONDS: u64 = 10;

/// 32 random bytes that make a request unlike any other of the device; good once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; Self::LENGTH]);

impl Nonce {
    /// Bytes of a nonce.
    pub const LENGTH: usize = 32;

    /// The nonce of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Parses the standard Base64 (RFC 4648 §4, padded) of a nonce.
    ///
    /// # Errors
    ///
    /// [`NonceError`] if the text is not strict Base64 or not of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, NonceError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| NonceError)?;
        bytes.try_into().map(Self).map_err(|_| NonceError)
    }

    /// The padded Base64, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Hides the bytes: with timestamp and signature they are a request.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// The text is not the Base64 of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the Base64 of 32 bytes")]
pub struct NonceError;

/// The second a request was signed at, with the text of it that was signed: `YYYY-MM-DDTHH:MM:SSZ`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    text: String,
    seconds: UnixSeconds,
}

impl Timestamp {
    /// The text as sent, 20 ASCII characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The second it names.
    #[must_use]
    pub const fn seconds(&self) -> UnixSeconds {
        self.seconds
    }
}

impl From<UnixSeconds> for Timestamp {
    fn from(seconds: UnixSeconds) -> Self {
        Self { text: seconds.to_string(), seconds }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Ok(Self { text: text.to_owned(), seconds: text.parse()? })
    }
}

/// An ECDSA P-256 signature, `r` and `s` each within 1..n; mbedTLS does not normalise `s`, so either half of
/// its range is good.
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
    /// [`SignatureError`] if the text is not strict Base64, or for what [`Signature::from_der`] refuses.
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

    /// The padded Base64 of the DER encoding, the value of the header.
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

/// The bytes are not a signature, whoever's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DER ECDSA P-256 signature")]
pub struct SignatureError;

/// What a device signs: the 32 nonce bytes, then the 20 ASCII bytes of the timestamp. ECDSA takes the SHA-256
/// of it, once.
#[must_use]
pub fn signed_message(nonce: &Nonce, timestamp: &Timestamp) -> Vec<u8> {
    [nonce.as_bytes(), timestamp.as_str().as_bytes()].concat()
}

/// The values of the four headers as they came, `None` where there is none.
#[derive(Clone, Copy, Default)]
pub struct SignatureHeaders<'a> {
    /// Value of [`UUID_HEADER`].
    pub uuid: Option<&'a str>,
    /// Value of [`NONCE_HEADER`].
    pub nonce: Option<&'a str>,
    /// Value of [`TIMESTAMP_HEADER`].
    pub timestamp: Option<&'a str>,
    /// Value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
}

/// The four headers of a request, parsed; nothing is proved yet.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    device: DeviceId,
    nonce: Nonce,
    timestamp: Timestamp,
    signature: Signature,
}

impl SignedRequest {
    /// Parses the four headers in the order of their fields.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for the first header that is missing or malformed.
    pub fn parse(headers: SignatureHeaders<'_>) -> Result<Self, HeaderError> {
        Ok(Self {
            device: header("X-Device-UUID", headers.uuid, str::parse)?,
            nonce: header("X-Device-Nonce", headers.nonce, Nonce::from_base64)?,
            timestamp: header("X-Device-Timestamp", headers.timestamp, str::parse)?,
            signature: header("X-Device-Signature", headers.signature, Signature::from_base64)?,
        })
    }

    /// The device the request says it comes from.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// When the request says it was signed.
    #[must_use]
    pub const fn sent_at(&self) -> UnixSeconds {
        self.timestamp.seconds()
    }

    /// Proves that the holder of `key` signed the request within [`CLOCK_SKEW_SECONDS`] of `now`. `key` must be
    /// the one registered for [`SignedRequest::device`]. That the request was not seen before is not proved:
    /// its nonce has yet to be admitted, see [`crate::replay`].
    ///
    /// # Errors
    ///
    /// [`AuthError::StaleTimestamp`], judged first, and [`AuthError::BadSignature`].
    pub fn verify(self, key: &DevicePublicKey, now: UnixSeconds) -> Result<SignatureVerified, AuthError> {
        let sent_at = self.sent_at();
        if now.abs_diff(sent_at) > CLOCK_SKEW_SECONDS {
            return Err(AuthError::StaleTimestamp { sent_at, now });
        }
        key.verify(&signed_message(&self.nonce, &self.timestamp), &self.signature)
            .map_err(|_| AuthError::BadSignature)?;
        Ok(SignatureVerified { device: self.device, nonce: self.nonce, sent_at })
    }
}

fn header<T, E>(
    header: &'static str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, HeaderError> {
    let value = value.ok_or(HeaderError::Missing { header })?;
    parse(value).map_err(|_| HeaderError::Malformed { header })
}

/// Why four headers are not those of a signed request. `header` is the name as the protocol writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The request does not have the header.
    #[error("header {header} is missing")]
    Missing {
        /// Its name.
        header: &'static str,
    },
    /// The header's value does not have its form.
    #[error("header {header} is malformed")]
    Malformed {
        /// Its name.
        header: &'static str,
    },
}

/// Why a signed request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The timestamp is more than [`CLOCK_SKEW_SECONDS`] from the server's clock.
    #[error("the request was signed at {sent_at}, too far from the server's {now}")]
    StaleTimestamp {
        /// When the request says it was signed.
        sent_at: UnixSeconds,
        /// The server's clock.
        now: UnixSeconds,
    },
    /// The signature is not that of the device's key over this nonce and timestamp.
    #[error("the signature does not verify")]
    BadSignature,
}

/// Evidence that a device signed a request within the clock window; made by [`SignedRequest::verify`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureVerified {
    device: DeviceId,
    nonce: Nonce,
    sent_at: UnixSeconds,
}

impl SignatureVerified {
    /// The device that signed.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The nonce it signed, which is good once.
    #[must_use]
    pub const fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The second it signed at, by its own clock.
    #[must_use]
    pub const fn sent_at(&self) -> UnixSeconds {
        self.sent_at
    }
}
