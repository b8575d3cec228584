//! The names of devices, services, Things and policies.

use std::{fmt, str::FromStr};

use crate::{device::DeviceId, hex};

/// The UUID of a balena device: exactly 32 lower-case hex digits. balena would take a part of one as a search.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalenaUuid([u8; 16]);

impl FromStr for BalenaUuid {
    type Err = BalenaUuidError;

    fn from_str(text: &str) -> Result<Self, BalenaUuidError> {
        decode_lower(text).map(Self).ok_or(BalenaUuidError)
    }
}

impl fmt::Display for BalenaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write_lower(f, &self.0)
    }
}

impl fmt::Debug for BalenaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BalenaUuid({self})")
    }
}

/// The text is not the UUID of a balena device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 lower-case hex digits")]
pub struct BalenaUuidError;

/// Returns the bytes that `text` writes in lower-case hex digits.
pub(super) fn decode_lower<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.contains(|character: char| character.is_ascii_uppercase()) { None } else { hex::decode(text) }
}

/// The name of a service of a balena fleet: 1 to 255 characters of `A–Z`, `a–z`, `0–9`, `_` and `-`.
///
/// The word `undefined` is not a name: a client that does not know its service sends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalenaService(String);

impl BalenaService {
    /// The most characters of a name.
    pub const MAX_LENGTH: usize = 255;

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BalenaService {
    type Err = BalenaServiceError;

    fn from_str(text: &str) -> Result<Self, BalenaServiceError> {
        if is_made_of(text, "_-", Self::MAX_LENGTH) && text != "undefined" {
            Ok(Self(text.to_owned()))
        } else {
            Err(BalenaServiceError)
        }
    }
}

/// The text is not the name of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 255 characters of A-Z, a-z, 0-9, _ and -, or the word undefined")]
pub struct BalenaServiceError;

/// Returns `true` for 1 to `most` characters of `A–Z`, `a–z`, `0–9` and `others`, all ASCII.
pub(super) fn is_made_of(text: &str, others: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

/// The place of a balena device's variables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All services of the device.
    Device,
    /// One service of the device.
    Service(BalenaService),
}

/// The name of a Thing: the device's UUID in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThingName {
    /// The Thing of a balena device: 32 digits.
    Balena(BalenaUuid),
    /// The Thing of a FireFly controller: 36 characters, with dashes.
    Firefly(DeviceId),
}

impl FromStr for ThingName {
    type Err = ThingNameError;

    fn from_str(text: &str) -> Result<Self, ThingNameError> {
        if let Ok(uuid) = text.parse() {
            return Ok(Self::Balena(uuid));
        }
        let device: DeviceId = text.parse().map_err(|_| ThingNameError)?;
        // AWS tells names of upper and lower case apart.
        if device.to_string() == text { Ok(Self::Firefly(device)) } else { Err(ThingNameError) }
    }
}

impl fmt::Display for ThingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balena(uuid) => uuid.fmt(f),
            Self::Firefly(device) => device.fmt(f),
        }
    }
}

/// The text is not the name of a Thing of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID of 32 lower-case hex digits, or of 36 lower-case characters")]
pub struct ThingNameError;

/// The name of an IoT policy: `[\w+=,.@-]{1,128}` (AWS IoT API, `PolicyName`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(String);

impl PolicyName {
    /// The most characters of a name.
    pub const MAX_LENGTH: usize = 128;

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyName {
    type Err = PolicyNameError;

    fn from_str(text: &str) -> Result<Self, PolicyNameError> {
        if is_made_of(text, "_+=,.@-", Self::MAX_LENGTH) { Ok(Self(text.to_owned())) } else { Err(PolicyNameError) }
    }
}

/// The text is not the name of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 128 characters of A-Z, a-z, 0-9, _, +, =, comma, period, @ and -")]
pub struct PolicyNameError;
