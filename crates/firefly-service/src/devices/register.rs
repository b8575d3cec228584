//! Registers a device: the device is written and its key spent in one transaction.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use firefly_core::json::{JsonObject, JsonValue};
use firefly_core::registration::{NewDevice, RegistrationKey, is_live};
use firefly_core::time::UnixSeconds;

use super::Devices;
use crate::error::ApiError;
use crate::registration_keys::{IssuedKey, RegistrationKeys, SourceAddress};
use crate::store::{Item, RACE_ATTEMPTS, StoreError, race_backoff};

/// How a registration that succeeded did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The device was written and the key spent.
    Now,
    /// The device was registered with this public key already; nothing was written, no key spent.
    Before,
}

/// What the transaction did.
enum Outcome {
    Done,
    /// Another write came first: what is stored decides again.
    Raced,
}

impl Devices {
    /// Registers `device` with `key`, which comes from `source`.
    ///
    /// # Errors
    ///
    /// [`ApiError::TooManyWrongKeys`] when the address has sent too many, [`ApiError::KeyNotLive`] when the key is unknown, spent or expired, [`ApiError::RegisteredWithOtherKey`] when
    /// the UUID is taken, [`ApiError::Store`] when the tables fail or other writes come first too often.
    pub async fn register(
        &self,
        keys: &RegistrationKeys,
        device: &NewDevice,
        key: &RegistrationKey,
        source: SourceAddress,
        now: UnixSeconds,
    ) -> Result<Registered, ApiError> {
        for attempt in 1..=RACE_ATTEMPTS {
            // The device is read after the key: a copy of this request that has spent the key by then has written the
            // device in the same transaction, and finding neither would refuse a device that is registered.
            let (issued, guessing) = tokio::join!(keys.get(key), keys.check_guessing(source, now));
            let registered = self.get(device.id).await?;
            if registered.as_ref().is_some_and(|registered| registered.public_key == device.public_key) {
                return Ok(Registered::Before);
            }
            guessing?;
            let Some(issued) = issued?.filter(|issued| is_live(issued.expires_at, now)) else {
                keys.count_wrong_key(source, now).await?;
                return Err(ApiError::KeyNotLive);
            };
            if registered.is_some() {
                return Err(ApiError::RegisteredWithOtherKey);
            }
            match self.write_and_spend(keys.spend(key, now)?, device, &issued, now).await? {
                Outcome::Done => return Ok(Registered::Now),
                Outcome::Raced => tokio::time::sleep(race_backoff(attempt)).await,
            }
        }
        let cause = "other writes came first each time".to_owned();
        Err(StoreError::Unavailable { operation: "dynamodb:TransactWriteItems", cause }.into())
    }

    async fn write_and_spend(
        &self,
        spend: Delete,
        device: &NewDevice,
        issued: &IssuedKey,
        now: UnixSeconds,
    ) -> Result<Outcome, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item(device, issued, now)))
            .condition_expression("attribute_not_exists(#uuid)")
            .expression_attribute_names("#uuid", "uuid")
            .build()?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().delete(spend).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if lost_a_race(&error) => Ok(Outcome::Raced),
            Err(error) => Err(cancelled(&error)),
        }
    }
}

/// The reasons a transaction was cancelled for, one per item; `None` means that the item was not the cause.
fn cancellation_codes<R>(error: &SdkError<TransactWriteItemsError, R>) -> Vec<&str> {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            codes.filter(|code| *code != "None").collect()
        }
        _ => Vec::new(),
    }
}

/// Whether every reason is another write on the same items.
fn lost_a_race<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let codes = cancellation_codes(error);
    !codes.is_empty() && codes.iter().all(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(code))
}

/// A transaction that failed for another reason than a race.
fn cancelled(
    error: &SdkError<TransactWriteItemsError, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> StoreError {
    let operation = "dynamodb:TransactWriteItems";
    let codes = cancellation_codes(error);
    let cause = format!("cancelled: {}", codes.join(", "));
    if codes.is_empty() {
        StoreError::from_sdk(operation, error)
    } else if codes.iter().any(|code| ["ValidationError", "ItemCollectionSizeLimitExceeded"].contains(code)) {
        StoreError::Failed { operation, cause }
    } else {
        StoreError::Unavailable { operation, cause }
    }
}

fn item(device: &NewDevice, issued: &IssuedKey, now: UnixSeconds) -> Item {
    let text = |value: &dyn ToString| AttributeValue::S(value.to_string());
    let objects = |objects: &Vec<JsonObject>| AttributeValue::L(objects.iter().map(object).collect());
    let mut item: Item = [
        ("uuid", text(&device.id)),
        ("product_id", text(&device.product_id.as_str())),
        ("product_hex", text(&device.product_hex)),
        ("device_class", text(&device.device_class.as_str())),
        ("public_key", text(&device.public_key.to_base64())),
        ("registration_date", text(&now)),
        ("registering_application", text(&device.registering_application.as_str())),
        ("registering_version", text(&device.registering_version.as_str())),
        ("mcu", object(&device.mcu)),
        ("registered_by_email", text(&issued.generated_by_email)),
        ("registered_by_sub", text(&issued.generated_by_sub)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    item.extend(device.network.as_ref().map(|network| ("network".to_owned(), objects(network))));
    item.extend(device.partitions.as_ref().map(|partitions| ("partitions".to_owned(), objects(partitions))));
    item
}

fn object(object: &JsonObject) -> AttributeValue {
    AttributeValue::M(object.iter().map(|(name, member)| (name.to_owned(), value(member))).collect())
}

fn value(json: &JsonValue) -> AttributeValue {
    match json {
        JsonValue::Null => AttributeValue::Null(true),
        JsonValue::Bool(value) => AttributeValue::Bool(*value),
        JsonValue::Number(number) => AttributeValue::N(number.as_str().to_owned()),
        JsonValue::String(text) => AttributeValue::S(text.clone()),
        JsonValue::Array(values) => AttributeValue::L(values.iter().map(value).collect()),
        JsonValue::Object(members) => object(members),
    }
}
