//! Items of a table: the reading and writing of their attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::time::UnixSeconds;

use crate::error::StoreError;

/// One item of a table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Reads one item's attributes.
pub(crate) struct Attributes<'a> {
    pub(crate) item: &'a Item,
    pub(crate) name: &'static str,
}

impl<'a> Attributes<'a> {
    pub(crate) fn malformed(&self, attribute: &'static str) -> StoreError {
        StoreError::Malformed { item: self.name, attribute }
    }

    /// A string; absent and NULL are `None`.
    pub(crate) fn optional_text(&self, attribute: &'static str) -> Option<&'a str> {
        self.item.get(attribute)?.as_s().ok().map(String::as_str)
    }

    pub(crate) fn text(&self, attribute: &'static str) -> Result<&'a str, StoreError> {
        self.optional_text(attribute).ok_or_else(|| self.malformed(attribute))
    }

    /// A whole number of seconds since 1970; DynamoDB returns a number written as `1.75E9` in full.
    pub(crate) fn seconds(&self, attribute: &'static str) -> Result<UnixSeconds, StoreError> {
        let number = self.item.get(attribute).and_then(|value| value.as_n().ok());
        number.and_then(|text| text.parse().ok()).map(UnixSeconds::new).ok_or_else(|| self.malformed(attribute))
    }
}

/// A number attribute of seconds since 1970.
pub(crate) fn seconds(time: UnixSeconds) -> AttributeValue {
    AttributeValue::N(time.get().to_string())
}
