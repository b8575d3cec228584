//! One-time registration keys and the body that registers a device.

use std::{fmt, str::FromStr};

use rand::CryptoRng;
use serde_json::value::RawValue;

use crate::{
    device::{DeviceId, DeviceIdError, DevicePublicKey, ProductHex, ProductHexError, PublicKeyError},
    json::{self, JsonError, JsonObject, Members},
    time::UnixSeconds,
};

/// Seconds from the making of a registration key to its expiry.
pub const KEY_LIFETIME_SECONDS: u64 = 1800;

/// Header with the [`RegistrationKey`] a device registers with. Lower case, as API Gateway hands it over.
pub const KEY_HEADER: &str = "x-registration-key";

/// Most bytes of the body that registers a device: 16 KiB. The firmware's has about 1.3 KB.
pub const MAX_BODY_LENGTH: usize = 16_384;

/// A one-time registration key: exactly 6 characters of `A–Z` and `0–9`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistrationKey(String);

impl RegistrationKey {
    /// Characters of a key.
    pub const LENGTH: usize = 6;

    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    /// Draws a key, each with the same probability, at least one byte of `rng` per character.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self((0..Self::LENGTH).map(|_| Self::draw(rng)).collect())
    }

    /// Draws one character. A byte of the last, incomplete multiple of 36 (252 to 255) is drawn again: its
    /// remainders would come up more often than the others.
    fn draw(rng: &mut (impl CryptoRng + ?Sized)) -> char {
        loop {
            let mut byte = [0];
            rng.fill_bytes(&mut byte);
            let (multiple, remainder) = (byte[0] / 36, byte[0] % 36);
            if multiple < 7
                && let Some(character) = Self::ALPHABET.get(usize::from(remainder))
            {
                return char::from(*character);
            }
        }
    }

    /// The 6 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistrationKey {
    type Err = RegistrationKeyError;

    fn from_str(text: &str) -> Result<Self, RegistrationKeyError> {
        if text.len() == Self::LENGTH && text.bytes().all(|byte| Self::ALPHABET.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegistrationKeyError)
        }
    }
}

/// Hides the characters: whoever has them can register a device.
impl fmt::Debug for RegistrationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrationKey(..)")
    }
}

/// The text is not a registration key, whatever its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 6 characters of A-Z and 0-9")]
pub struct RegistrationKeyError;

/// Whether a key is still good at `now`: it expires at the first instant of `expires_at`. The store deletes
/// expired keys hours later, so that finding one proves nothing.
#[must_use]
pub fn is_live(expires_at: UnixSeconds, now: UnixSeconds) -> bool {
    now < expires_at
}

/// A line of text a device says of itself: 1 to 128 Unicode scalar values, none a control character (category
/// Cc).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// Most Unicode scalar values of a text.
    pub const MAX_LENGTH: usize = 128;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if (1..=Self::MAX_LENGTH).contains(&text.chars().count()) && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError)
        }
    }
}

/// The string is not a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::REASON)]
pub struct TextError;

impl TextError {
    const REASON: &'static str = "not 1 to 128 characters without control characters";
}

/// What a device says of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Member `uuid`.
    pub id: DeviceId,
    /// Member `product_id`.
    pub product_id: Text,
    /// Member `product_hex`.
    pub product_hex: ProductHex,
    /// Member `device_class`; the firmware's is `CONTROLLER`.
    pub device_class: Text,
    /// Member `public_key`.
    pub public_key: DevicePublicKey,
    /// Member `registering_application`.
    pub registering_application: Text,
    /// Member `registering_version`.
    pub registering_version: Text,
    /// Member `mcu`, kept as sent.
    pub mcu: JsonObject,
    /// Member `network`, each interface kept as sent; `None` if absent or null.
    pub network: Option<Vec<JsonObject>>,
    /// Member `partitions`, each partition kept as sent; `None` if absent or null.
    pub partitions: Option<Vec<JsonObject>>,
}

impl NewDevice {
    /// Parses the body of a registration: one JSON object in UTF-8. Members it does not know are skipped
    /// whatever they hold.
    ///
    /// # Errors
    ///
    /// [`NewDeviceError::TooLarge`] above [`MAX_BODY_LENGTH`], then [`NewDeviceError::NotAnObject`], then the
    /// first member of the order above that is missing or invalid.
    pub fn parse(body: &[u8]) -> Result<Self, NewDeviceError> {
        let length = body.len();
        if length > MAX_BODY_LENGTH {
            return Err(NewDeviceError::TooLarge { length });
        }
        let fields = Fields::of(body).ok_or(NewDeviceError::NotAnObject)?;
        let text = |field| fields.text(field, str::parse, TextError::REASON);
        Ok(Self {
            id: fields.text("uuid", str::parse, DeviceIdError::REASON)?,
            product_id: text("product_id")?,
            product_hex: fields.text("product_hex", str::parse, ProductHexError::REASON)?,
            device_class: text("device_class")?,
            public_key: fields.text("public_key", DevicePublicKey::from_base64, PublicKeyError::REASON)?,
            registering_application: text("registering_application")?,
            registering_version: text("registering_version")?,
            mcu: fields.required("mcu", JsonObject::from_raw)?,
            network: fields.optional("network", json::array_of_objects)?,
            partitions: fields.optional("partitions", json::array_of_objects)?,
        })
    }
}

/// The members of the body, by name.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let Members(members) = Members::of(str::from_utf8(body).ok()?)?;
        let named = members
            .into_iter()
            // A name that is not a string of Unicode is unknown like any other.
            .filter_map(|(name, value)| Some((json::string(name).ok()?, value)));
        Some(Self(named.collect()))
    }

    /// The value of `field`, `None` if it is absent.
    fn find(&self, field: &'static str) -> Result<Option<&'a RawValue>, NewDeviceError> {
        let mut values = self.0.iter().filter(|(name, _)| name == field);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(NewDeviceError::Invalid { field, reason: "sent more than once" }),
            (value, None) => Ok(value.map(|(_, raw)| *raw)),
        }
    }

    fn required<T>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&RawValue) -> Result<T, JsonError>,
    ) -> Result<T, NewDeviceError> {
        let raw = self.find(field)?.ok_or(NewDeviceError::Missing { field })?;
        parse(raw).map_err(|error| NewDeviceError::Invalid { field, reason: error.reason() })
    }

    fn optional<T>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&RawValue) -> Result<T, JsonError>,
    ) -> Result<Option<T>, NewDeviceError> {
        match self.find(field)? {
            Some(raw) if raw.get() != "null" => self.required(field, parse).map(Some),
            _ => Ok(None),
        }
    }

    /// The string `field` as a type whose parser refuses it for one `reason`.
    fn text<T, E>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        reason: &'static str,
    ) -> Result<T, NewDeviceError> {
        let text = self.required(field, json::string)?;
        parse(&text).map_err(|_| NewDeviceError::Invalid { field, reason })
    }
}

/// Why a body does not register a device. `field` is the name of a member of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewDeviceError {
    /// The body is longer than [`MAX_BODY_LENGTH`].
    #[error("the body of {length} bytes is larger than {MAX_BODY_LENGTH}")]
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
    /// The body is not one JSON object in UTF-8.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A required member is absent.
    #[error("member {field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A member does not have its form, or is there twice.
    #[error("member {field} is invalid: {reason}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}
