//! Items of a table, and their attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use firefly_core::time::UnixSeconds;

use crate::error::StoreError;

/// One item of a table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The end of a conditional write.
pub(crate) enum Written<T> {
    Done,
    /// The condition did not hold; the item as it is.
    Refused(Option<T>),
}

/// Reads an item with one strongly consistent read.
pub(crate) async fn get(
    client: &Client,
    table: &str,
    (name, value): (&str, AttributeValue),
) -> Result<Option<Item>, StoreError> {
    let request = client.get_item().table_name(table).key(name, value).consistent_read(true);
    let output = request.send().await.map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
    Ok(output.item)
}

/// Sends a conditional write. Where its condition does not hold, `parse` reads the item as it is.
pub(crate) async fn update<T>(
    update: UpdateItemFluentBuilder,
    parse: impl FnOnce(&Item) -> Result<T, StoreError>,
) -> Result<Written<T>, StoreError> {
    let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let error = match update.send().await {
        Ok(_) => return Ok(Written::Done),
        Err(error) => error,
    };
    if let SdkError::ServiceError(service) = &error
        && let UpdateItemError::ConditionalCheckFailedException(refused) = service.err()
    {
        return refused.item().map(parse).transpose().map(Written::Refused);
    }
    Err(StoreError::from_sdk("dynamodb:UpdateItem", &error))
}

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
