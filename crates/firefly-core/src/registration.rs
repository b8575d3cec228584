//! One-time registration keys, and the body that registers a device.

use std::{fmt, str::FromStr};

use rand::CryptoRng;
use serde_json::value::RawValue;

use crate::{
    device::{DeviceId, DeviceIdError, DevicePublicKey, ProductHex, ProductHexError, PublicKeyError},
    json::{self, JsonError, JsonObject, Members},
    time::UnixSeconds,
};

/// The seconds from the minting of a registration key to its expiry: 30 minutes.
///
/// The API promises them: `POST /registration-keys` answers with the time of expiry.
pub const KEY_LIFETIME_SECONDS: u64 = 1800;

/// The header with the [`RegistrationKey`] that a device registers with.
///
/// It is spelled as the firmware sends it. API Gateway hands it over in lower case. Tests that play the client write
/// the name out, so that a change of it fails them.
pub const KEY_HEADER: &str = "X-Registration-Key";

/// The form of a registration key, for messages.
pub const KEY_FORM: &str = "6 characters of A-Z and 0-9";

/// The most bytes of the body that registers a device: 16 KiB. The firmware's body has about 1.3 KB.
pub const MAX_BODY_LENGTH: usize = 16_384;

/// A one-time registration key: exactly 6 characters of `A–Z` and `0–9`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegistrationKey([u8; Self::LENGTH]);

impl RegistrationKey {
    /// The number of characters of a key.
    pub const LENGTH: usize = 6;

    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    /// Draws a key. Every key has the same probability; each character takes at least one byte of `rng`.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(std::array::from_fn(|_| Self::draw(rng)))
    }

    /// Draws one character.
    ///
    /// A byte of the last, incomplete multiple of 36 (252 to 255) is drawn again, because its remainders would come
    /// up more often than the others.
    fn draw(rng: &mut (impl CryptoRng + ?Sized)) -> u8 {
        loop {
            let mut byte = [0];
            rng.fill_bytes(&mut byte);
            let (multiple, remainder) = (byte[0] / 36, byte[0] % 36);
            if multiple < 7
                && let Some(character) = Self::ALPHABET.get(usize::from(remainder))
            {
                return *character;
            }
        }
    }

    /// Returns the 6 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The alphabet is ASCII, so the bytes are always UTF-8.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RegistrationKey {
    type Err = RegistrationKeyError;

    fn from_str(text: &str) -> Result<Self, RegistrationKeyError> {
        let bytes: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| RegistrationKeyError)?;
        if bytes.iter().all(|byte| Self::ALPHABET.contains(byte)) { Ok(Self(bytes)) } else { Err(RegistrationKeyError) }
    }
}

/// Hides the characters: whoever has them can register a device.
impl fmt::Debug for RegistrationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrationKey(..)")
    }
}

/// The text does not have the form of a registration key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {KEY_FORM}")]
pub struct RegistrationKeyError;

/// Returns whether a key is still good at `now`: it expires at the first instant of `expires_at`.
///
/// The store deletes expired keys hours later, so a stored key may be an expired one.
#[must_use]
pub fn is_live(expires_at: UnixSeconds, now: UnixSeconds) -> bool {
    now < expires_at
}

/// A line of text that a device says of itself.
///
/// It has 1 to 128 Unicode scalar values and no control character (category Cc).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(String);

impl Text {
    /// The most Unicode scalar values of a text.
    pub const MAX_LENGTH: usize = 128;

    /// Returns the text.
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
#[error("not 1 to 128 characters without control characters")]
pub struct TextError;

/// The description that a device gives of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewDevice {
    /// The member `uuid`.
    #[cfg_attr(feature = "openapi", schemars(rename = "uuid", with = "String"))]
    pub id: DeviceId,
    /// The member `product_id`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub product_id: Text,
    /// The member `product_hex`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub product_hex: ProductHex,
    /// The member `device_class`; the firmware's is `CONTROLLER`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub device_class: Text,
    /// The member `public_key`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub public_key: DevicePublicKey,
    /// The member `registering_application`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub registering_application: Text,
    /// The member `registering_version`.
    #[cfg_attr(feature = "openapi", schemars(with = "String"))]
    pub registering_version: Text,
    /// The member `mcu`, kept as sent.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub mcu: JsonObject,
    /// The member `network`, each interface kept as sent; `None` if absent or null.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Vec<serde_json::Map<String, serde_json::Value>>>"))]
    pub network: Option<Vec<JsonObject>>,
    /// The member `partitions`, each partition kept as sent; `None` if absent or null.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<Vec<serde_json::Map<String, serde_json::Value>>>"))]
    pub partitions: Option<Vec<JsonObject>>,
}

impl NewDevice {
    /// Parses the body of a registration: one JSON object in UTF-8. Unknown members are skipped, whatever they hold.
    ///
    /// # Errors
    ///
    /// [`NewDeviceError::TooLarge`] above [`MAX_BODY_LENGTH`], then [`NewDeviceError::NotAnObject`], then the error of
    /// the first member, in the order of the fields, that is missing or invalid.
    pub fn parse(body: &[u8]) -> Result<Self, NewDeviceError> {
        let length = body.len();
        if length > MAX_BODY_LENGTH {
            return Err(NewDeviceError::TooLarge { length });
        }
        let fields = Fields::of(body).ok_or(NewDeviceError::NotAnObject)?;
        Ok(Self {
            id: fields.text("uuid", str::parse)?,
            product_id: fields.text("product_id", str::parse)?,
            product_hex: fields.text("product_hex", str::parse)?,
            device_class: fields.text("device_class", str::parse)?,
            public_key: fields.text("public_key", DevicePublicKey::from_base64)?,
            registering_application: fields.text("registering_application", str::parse)?,
            registering_version: fields.text("registering_version", str::parse)?,
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
            // A name that is not a string of Unicode belongs to an unknown member.
            .filter_map(|(name, value)| Some((json::string(name).ok()?, value)));
        Some(Self(named.collect()))
    }

    /// Returns the value of `field`, `None` if it is absent.
    fn find(&self, field: &'static str) -> Result<Option<&'a RawValue>, NewDeviceError> {
        let mut values = self.0.iter().filter(|(name, _)| name == field);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(NewDeviceError::Invalid { field, reason: MemberError::SentTwice }),
            (value, None) => Ok(value.map(|(_, raw)| *raw)),
        }
    }

    fn required<T>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&RawValue) -> Result<T, JsonError>,
    ) -> Result<T, NewDeviceError> {
        let raw = self.find(field)?.ok_or(NewDeviceError::Missing { field })?;
        parse(raw).map_err(|error| NewDeviceError::Invalid { field, reason: error.into() })
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

    /// Parses the string `field`.
    fn text<T, E: Into<MemberError>>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, NewDeviceError> {
        let text = self.required(field, json::string)?;
        parse(&text).map_err(|error| NewDeviceError::Invalid { field, reason: error.into() })
    }
}

/// The reason why a body does not register a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewDeviceError {
    /// The body is longer than [`MAX_BODY_LENGTH`].
    #[error("the body of {length} bytes is larger than {MAX_BODY_LENGTH}")]
    TooLarge {
        /// The body's length in bytes.
        length: usize,
    },
    /// The body is not one JSON object in UTF-8.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A required member is absent.
    #[error("member {field} is missing")]
    Missing {
        /// The member's name.
        field: &'static str,
    },
    /// A member does not have its form, or was sent more than once.
    #[error("member {field} is invalid: {reason}")]
    Invalid {
        /// The member's name.
        field: &'static str,
        /// The reason.
        reason: MemberError,
    },
}

/// The reason why a member of the body is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The member was sent more than once.
    #[error("sent more than once")]
    SentTwice,
    /// The value is not JSON of the member's type, or exceeds the limits of [`json`].
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The string is not a UUID.
    #[error(transparent)]
    DeviceId(#[from] DeviceIdError),
    /// The string is not a `product_hex`.
    #[error(transparent)]
    ProductHex(#[from] ProductHexError),
    /// The string is not a public key.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// The string is not a [`Text`].
    #[error(transparent)]
    Text(#[from] TextError),
}
