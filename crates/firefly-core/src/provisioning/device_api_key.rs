//! The credential of a balena device.

use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::name::is_made_of;

/// A balena device API key: 16 to 512 characters of `A–Z`, `a–z`, `0–9`, `_`, `.` and `-`.
///
/// It has no `Debug`, its bytes are overwritten when it is dropped, and it is compared in constant time.
#[derive(Clone)]
pub struct DeviceApiKey(Zeroizing<String>);

impl DeviceApiKey {
    /// The fewest characters of a key.
    pub const MIN_LENGTH: usize = 16;

    /// The most characters of a key.
    pub const MAX_LENGTH: usize = 512;

    /// Parses the value of an `Authorization` header: `Bearer`, one space, the key (RFC 6750 §2.1).
    ///
    /// The scheme is of any case (RFC 9110 §11.1).
    ///
    /// # Errors
    ///
    /// [`DeviceApiKeyError`] for any other text.
    pub fn from_authorization(value: &str) -> Result<Self, DeviceApiKeyError> {
        let (scheme, key) = value.split_once(' ').ok_or(DeviceApiKeyError)?;
        if scheme.eq_ignore_ascii_case("Bearer") { key.parse() } else { Err(DeviceApiKeyError) }
    }

    /// Returns the key, to be sent to balena and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceApiKey {
    type Err = DeviceApiKeyError;

    fn from_str(text: &str) -> Result<Self, DeviceApiKeyError> {
        if text.len() >= Self::MIN_LENGTH && is_made_of(text, "_.-", Self::MAX_LENGTH) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(DeviceApiKeyError)
        }
    }
}

impl PartialEq for DeviceApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for DeviceApiKey {}

/// The text is not a device API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 16 to 512 characters of A-Z, a-z, 0-9, _, . and -")]
pub struct DeviceApiKeyError;
