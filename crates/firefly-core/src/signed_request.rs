//! The four headers of a signed request, and the evidence that its signature verifies.
//!
//! The signed message is the 32 nonce bytes followed by the ASCII bytes of the timestamp header exactly as
//! sent; see [`signed_message`]. The UUID is not part of it: the device's own key binds the request to it.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    device::{DeviceId, DevicePublicKey},
    signature::Signature,
    time::{TimestampError, UnixSeconds},
};

/// The header with the device's UUID, which must equal the one in the path.
///
/// This and the other names are spelled as the firmware sends them. API Gateway hands them over in lower case.
/// Tests that play the client write a name out, so that a change of it fails them.
pub const UUID_HEADER: &str = "X-Device-UUID";

/// The header with the Base64 of the [`Nonce`].
pub const NONCE_HEADER: &str = "X-Device-Nonce";

/// The header with the [`Timestamp`].
pub const TIMESTAMP_HEADER: &str = "X-Device-Timestamp";

/// The header with the Base64 of the [`Signature`] in DER.
pub const SIGNATURE_HEADER: &str = "X-Device-Signature";

/// The seconds that a timestamp may differ from the server's clock, before or after.
///
/// Both clocks count whole seconds. The firmware's protocol fixes the value.
pub const CLOCK_SKEW_SECONDS: u64 = 10;

/// 32 random bytes that make a request unlike any other of the device. A nonce is good once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; Self::LENGTH]);

impl Nonce {
    /// The bytes of a nonce.
    pub const LENGTH: usize = 32;

    /// Takes 32 bytes as a nonce.
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

    /// Returns the padded Base64, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Hides the bytes: with timestamp and signature they make a request.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// The text is not the Base64 of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the Base64 of 32 bytes")]
pub struct NonceError;

/// The second at which a request was signed, with the text that was signed: `YYYY-MM-DDTHH:MM:SSZ`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    text: String,
    seconds: UnixSeconds,
}

impl Timestamp {
    /// Returns the text as it was sent, 20 ASCII characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the second that the text names.
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

/// Returns the message that a device signs: the 32 nonce bytes, then the 20 ASCII bytes of the timestamp.
///
/// ECDSA takes the SHA-256 of the message, once.
#[must_use]
pub fn signed_message(nonce: &Nonce, timestamp: &Timestamp) -> Vec<u8> {
    [nonce.as_bytes(), timestamp.as_str().as_bytes()].concat()
}

/// The values of the four headers as they were sent, `None` for an absent one.
#[derive(Clone, Copy, Default)]
pub struct SignatureHeaders<'a> {
    /// The value of [`UUID_HEADER`].
    pub uuid: Option<&'a str>,
    /// The value of [`NONCE_HEADER`].
    pub nonce: Option<&'a str>,
    /// The value of [`TIMESTAMP_HEADER`].
    pub timestamp: Option<&'a str>,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
}

/// The four headers of a request, parsed. Nothing is proved yet.
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
            device: header(UUID_HEADER, headers.uuid, str::parse)?,
            nonce: header(NONCE_HEADER, headers.nonce, Nonce::from_base64)?,
            timestamp: header(TIMESTAMP_HEADER, headers.timestamp, str::parse)?,
            signature: header(SIGNATURE_HEADER, headers.signature, Signature::from_base64)?,
        })
    }

    /// Returns the device that the request claims to come from.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Returns the second at which the request claims to have been signed.
    #[must_use]
    pub const fn sent_at(&self) -> UnixSeconds {
        self.timestamp.seconds()
    }

    /// Proves that the holder of `key` signed the request within [`CLOCK_SKEW_SECONDS`] of `now`.
    ///
    /// `key` must be the one registered for [`SignedRequest::device`]. The request may still be a copy of an earlier
    /// one: its nonce has yet to be admitted, see [`crate::replay`].
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

/// The reason why four headers are not those of a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The request does not have the header.
    #[error("header {header} is missing")]
    Missing {
        /// The header's name, as the protocol writes it.
        header: &'static str,
    },
    /// The header's value does not have its form.
    #[error("header {header} is malformed")]
    Malformed {
        /// The header's name, as the protocol writes it.
        header: &'static str,
    },
}

/// The reason why a signed request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The timestamp is more than [`CLOCK_SKEW_SECONDS`] from the server's clock.
    #[error("the request was signed at {sent_at}, too far from the server's {now}")]
    StaleTimestamp {
        /// The second at which the request claims to have been signed.
        sent_at: UnixSeconds,
        /// The server's clock.
        now: UnixSeconds,
    },
    /// The signature is not that of the device's key over this nonce and timestamp.
    #[error("the signature does not verify")]
    BadSignature,
}

/// The evidence that a device signed a request within the clock window. Only [`SignedRequest::verify`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureVerified {
    device: DeviceId,
    nonce: Nonce,
    sent_at: UnixSeconds,
}

impl SignatureVerified {
    /// Returns the device that signed.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Returns the nonce that was signed. It is good once.
    #[must_use]
    pub const fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Returns the second of the signature, by the device's clock.
    #[must_use]
    pub const fn sent_at(&self) -> UnixSeconds {
        self.sent_at
    }
}
