//! The position at which a list of devices continues.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_core::device::ProductHex;
use serde::{Deserialize, Serialize};

use super::product_index::ProductIndex;
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
    /// The index in which the key is a position; two indexes need not have the same order. Absent of a scan, and of the
    /// index of all attributes, as it was before there was another one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    index: Option<ProductIndex>,
}

/// The text is not a [`Cursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a list of devices")]
pub struct CursorError;

impl Cursor {
    /// The cursor at an item of a scan.
    pub(super) fn in_scan(item: &Item) -> Result<Self, StoreError> {
        let uuid = item.get("uuid").and_then(|value| value.as_s().ok());
        let uuid = uuid.ok_or(StoreError::Malformed { item: "a device", attribute: "uuid" })?.clone();
        Ok(Self { uuid, product_hex: None, index: None })
    }

    /// The cursor at an item in an index.
    pub(super) fn in_index(item: &Item, product: ProductHex, index: ProductIndex) -> Result<Self, StoreError> {
        let index = Some(index).filter(|index| *index != ProductIndex::AllAttributes);
        Ok(Self { product_hex: Some(product.to_string()), index, ..Self::in_scan(item)? })
    }

    /// Returns `true` if an answer to the list of this product, or of all devices, can have given out the cursor.
    pub(super) fn is_of(&self, product: Option<ProductHex>) -> bool {
        let has_index = self.index.is_some();
        self.product_hex == product.map(|product| product.to_string()) && (product.is_some() || !has_index)
    }

    /// The index of a product's list in which the cursor is a position.
    pub(super) fn index(&self) -> ProductIndex {
        self.index.unwrap_or(ProductIndex::AllAttributes)
    }

    pub(super) fn uuid(&self) -> &str {
        &self.uuid
    }

    pub(super) fn into_key(self) -> HashMap<String, AttributeValue> {
        let product = self.product_hex.map(|product| ("product_hex".to_owned(), AttributeValue::S(product)));
        [("uuid".to_owned(), AttributeValue::S(self.uuid))].into_iter().chain(product).collect()
    }
}

impl Display for Cursor {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        // Serialization of strings into memory does not fail.
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

    /// The cursor of a UUID of 2,048 bytes; of a product's list, in this index.
    fn longest(character: char, list: Option<(ProductHex, ProductIndex)>) -> Cursor {
        let uuid = character.to_string().repeat(2_048 / character.len_utf8());
        let item = [("uuid".to_owned(), AttributeValue::S(uuid))].into();
        let cursor = match list {
            None => Cursor::in_scan(&item),
            Some((product, index)) => Cursor::in_index(&item, product, index),
        };
        cursor.unwrap()
    }

    #[test]
    fn the_cursor_of_any_uuid_is_short_and_read_again() {
        let product: ProductHex = "0xFF010001".parse().unwrap();
        let [keys, all] = [ProductIndex::Keys, ProductIndex::AllAttributes].map(|index| Some((product, index)));
        for (list, character) in [(None, '\u{1}'), (all, '"'), (all, '\u{80}'), (keys, '"'), (keys, '\u{80}')] {
            let cursor = longest(character, list);
            let text = cursor.to_string();
            assert!(text.len() < 4_000, "{} characters", text.len());
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn a_cursor_is_of_the_list_that_gave_it_out() {
        let [product, other] = ["0xFF010001", "0xFF010002"].map(|text| text.parse::<ProductHex>().unwrap());
        let lists = [None, Some(product), Some(other)];
        for (number, list) in lists.into_iter().enumerate() {
            for index in [ProductIndex::Keys, ProductIndex::AllAttributes] {
                let cursor = longest('a', list.map(|product| (product, index)));
                assert_eq!(lists.map(|list| cursor.is_of(list)), [0, 1, 2].map(|other| other == number));
                assert!(list.is_none() || cursor.index() == index);
            }
        }
        let without_product = r#"{"uuid":"YQ","index":"product_hex-keys-index"}"#;
        let cursor: Cursor = URL_SAFE_NO_PAD.encode(without_product).parse().unwrap();
        assert_eq!(lists.map(|list| cursor.is_of(list)), [false; 3]);
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
            r#"{"uuid":"YQ","product_hex":"0xFF010001","index":"uuid-index"}"#,
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
