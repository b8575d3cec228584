//! The position at which a list of devices continues.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_core::device::ProductHex;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::item::Item;

/// The key after which a scan, or a query of the index, continues. Its text is Base64url, without padding, of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    #[serde(with = "base64url")]
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    product_hex: Option<String>,
}

/// The text is not a [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a list of devices")]
pub struct CursorError;

impl Cursor {
    /// The cursor at an item, in the index where a product is asked for.
    pub(super) fn at(item: &Item, product: Option<ProductHex>) -> Result<Self, StoreError> {
        let uuid = item.get("uuid").and_then(|value| value.as_s().ok());
        let uuid = uuid.ok_or(StoreError::Malformed { item: "a device", attribute: "uuid" })?.clone();
        Ok(Self { uuid, product_hex: product.map(|product| product.to_string()) })
    }

    /// Returns `true` if an answer to the list of this product, or of all devices, can have given out the cursor.
    pub(super) fn is_of(&self, product: Option<ProductHex>) -> bool {
        self.product_hex == product.map(|product| product.to_string())
    }

    pub(super) fn into_key(self) -> HashMap<String, AttributeValue> {
        let product = self.product_hex.map(|product| ("product_hex".to_owned(), AttributeValue::S(product)));
        [("uuid".to_owned(), AttributeValue::S(self.uuid))].into_iter().chain(product).collect()
    }
}

impl Display for Cursor {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        // Serialization of two strings into memory does not fail.
        formatter.write_str(&URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default()))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| CursorError)?;
        // A hash key has 1 to 2,048 bytes (DynamoDB, "Naming rules and constraints").
        (1..=2_048).contains(&cursor.uuid.len()).then_some(cursor).ok_or(CursorError)
    }
}

/// A text as Base64url, without padding, of its bytes. JSON takes 6 bytes for a control character, and API Gateway no
/// more than 10,240 for a request's line and headers.
mod base64url {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        String::from_utf8(bytes).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor of a UUID of 2,048 bytes.
    fn longest(character: char, product: Option<ProductHex>) -> Cursor {
        let uuid = character.to_string().repeat(2_048 / character.len_utf8());
        Cursor { uuid, product_hex: product.map(|product| product.to_string()) }
    }

    #[test]
    fn the_cursor_of_any_uuid_is_short_and_read_again() {
        let product: ProductHex = "0xFF010001".parse().unwrap();
        for (product, character) in [(None, '\u{1}'), (Some(product), '"'), (Some(product), '\u{80}')] {
            let cursor = longest(character, product);
            let text = cursor.to_string();
            assert!(text.len() < 4_000, "{} characters", text.len());
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn a_cursor_is_of_the_list_that_gave_it_out() {
        let [product, other] = ["0xFF010001", "0xFF010002"].map(|text| text.parse::<ProductHex>().unwrap());
        let lists = [None, Some(product), Some(other)];
        for (index, list) in lists.into_iter().enumerate() {
            let cursor = longest('a', list);
            assert_eq!(lists.map(|list| cursor.is_of(list)), [0, 1, 2].map(|other| other == index));
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for json in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"uuid":""}"#,
            r#"{"uuid":"&"}"#,
            r#"{"uuid":"YQ=="}"#,
            r#"{"uuid":"_w"}"#,
            r#"{"uuid":1}"#,
            r#"{"uuid":"YQ","product_hex":1}"#,
            r#"{"uuid":"YQ","more":""}"#,
            r#"{"uuid":"YQ","uuid":"YQ"}"#,
            r#"{"uuid":"YQ"}{"uuid":"YQ"}"#,
        ] {
            assert_eq!(URL_SAFE_NO_PAD.encode(json).parse::<Cursor>(), Err(CursorError), "{json}");
        }
        assert!(URL_SAFE_NO_PAD.encode(r#"{"uuid":"YQ"}"#).parse::<Cursor>().is_ok());
        let too_long = URL_SAFE_NO_PAD.encode("a".repeat(2_049));
        let too_long = URL_SAFE_NO_PAD.encode(format!(r#"{{"uuid":"{too_long}"}}"#));
        assert_eq!(too_long.parse::<Cursor>(), Err(CursorError));
    }
}
