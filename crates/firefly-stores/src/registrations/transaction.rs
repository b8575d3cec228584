//! Registers a device: the device is written and its key spent in one transaction.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use firefly_core::device::{DeviceId, DevicePublicKey};
use firefly_core::registration::{NewDevice, RegistrationKey, is_live};
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use firefly_runtime::{Aws, ConfigError, Environment};

use super::device_item::device_item;
use super::wrong_keys::WrongKeys;
use crate::devices::row::{PROJECTION, Row};
use crate::dynamodb;
use crate::error::StoreError;
use crate::item::{Attributes, Item, seconds};
use crate::race::{RACE_ATTEMPTS, race_backoff};

/// The registrations of devices with one-time keys.
pub struct Registrations {
    client: Client,
    devices: String,
    keys: String,
    wrong_keys: WrongKeys,
}

/// The two ways in which a registration succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The device was written and the key spent.
    Now,
    /// The device was registered with this public key already; nothing was written, no key spent.
    Before,
}

/// The reason for which a device is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The registration key is unknown, spent or expired.
    #[error("the registration key is unknown, spent or expired")]
    KeyNotLive,
    /// The address has sent too many wrong registration keys.
    #[error("the address has sent too many wrong registration keys")]
    TooManyWrongKeys {
        /// Seconds until keys are looked at again.
        retry_after_seconds: u64,
    },
    /// The UUID is registered with another public key.
    #[error("the device is registered with another public key")]
    RegisteredWithOtherKey,
    /// A table failed, or other writes came first too often.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A registration key as it was issued.
struct IssuedKey {
    expires_at: UnixSeconds,
    generated_by_sub: String,
    generated_by_email: String,
}

/// The end of the transaction.
enum Written {
    Done,
    /// Another write came first: the stored items decide again.
    Raced,
}

impl Registrations {
    /// The tables that `DYNAMODB_DEVICES_TABLE_NAME` and `DYNAMODB_REGISTRATION_KEYS_TABLE_NAME` name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let devices = environment.required("DYNAMODB_DEVICES_TABLE_NAME")?;
        let keys = environment.required("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME")?;
        // The key and the count of wrong ones are read at once.
        let client = dynamodb::client_with_connections(aws, 2)?;
        Ok(Self { wrong_keys: WrongKeys::new(client.clone(), keys.clone()), client, devices, keys })
    }

    /// Registers `device` with `key`, which comes from `source`.
    ///
    /// # Errors
    ///
    /// [`RegisterError`], in this order: too many wrong keys, key not live, UUID registered with another public key.
    pub async fn register(
        &self,
        device: &NewDevice,
        key: &RegistrationKey,
        source: SourceAddress,
        now: UnixSeconds,
    ) -> Result<Registered, RegisterError> {
        for attempt in 1..=RACE_ATTEMPTS {
            // The device is read after the key: a copy of this request that has spent the key by then has written the
            // device in the same transaction, and finding neither would refuse a device that is registered.
            let (issued, locked_out) = tokio::join!(self.issued_key(key), self.wrong_keys.locked_out(source, now));
            let registered = self.public_key(device.id).await?;
            if registered.as_ref() == Some(&device.public_key) {
                return Ok(Registered::Before);
            }
            if let Some(retry_after_seconds) = locked_out? {
                return Err(RegisterError::TooManyWrongKeys { retry_after_seconds });
            }
            let Some(issued) = issued?.filter(|issued| is_live(issued.expires_at, now)) else {
                self.wrong_keys.count(source, now).await?;
                return Err(RegisterError::KeyNotLive);
            };
            if registered.is_some() {
                return Err(RegisterError::RegisteredWithOtherKey);
            }
            match self.write_and_spend(device, key, &issued, now).await? {
                Written::Done => return Ok(Registered::Now),
                Written::Raced => tokio::time::sleep(race_backoff(attempt)).await,
            }
        }
        let cause = "other writes came first each time".to_owned();
        Err(StoreError::Unavailable { operation: "dynamodb:TransactWriteItems", cause }.into())
    }

    /// Reads a key, live or not.
    async fn issued_key(&self, key: &RegistrationKey) -> Result<Option<IssuedKey>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.keys)
            .key("key", AttributeValue::S(key.as_str().to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
        output.item.as_ref().map(IssuedKey::from_item).transpose()
    }

    /// Reads the public key that a device is registered with.
    async fn public_key(&self, id: DeviceId) -> Result<Option<DevicePublicKey>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.devices)
            .key("uuid", AttributeValue::S(id.to_string()))
            .projection_expression(PROJECTION)
            .expression_attribute_names("#uuid", "uuid")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
        output.item.as_ref().map(|item| Ok(Row::from_item(item)?.public_key)).transpose()
    }

    /// Writes a device, if it is still absent, and deletes its key, if it is still live.
    async fn write_and_spend(
        &self,
        device: &NewDevice,
        key: &RegistrationKey,
        issued: &IssuedKey,
        now: UnixSeconds,
    ) -> Result<Written, StoreError> {
        let item = device_item(device, &issued.generated_by_sub, &issued.generated_by_email, now);
        let put = self.put(item).map_err(|error| StoreError::from_build(&error))?;
        let delete = self.delete(key, now).map_err(|error| StoreError::from_build(&error))?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().delete(delete).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(Written::Done),
            Err(error) if lost_a_race(&error) => Ok(Written::Raced),
            Err(error) => Err(cancelled(&error)),
        }
    }

    fn put(&self, item: Item) -> Result<Put, BuildError> {
        Put::builder()
            .table_name(&self.devices)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#uuid)")
            .expression_attribute_names("#uuid", "uuid")
            .build()
    }

    fn delete(&self, key: &RegistrationKey, now: UnixSeconds) -> Result<Delete, BuildError> {
        Delete::builder()
            .table_name(&self.keys)
            .key("key", AttributeValue::S(key.as_str().to_owned()))
            .condition_expression("attribute_exists(#key) AND #ttl > :now")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", seconds(now))
            .build()
    }
}

impl IssuedKey {
    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let attributes = Attributes { item, name: "a registration key" };
        let text = |attribute| attributes.optional_text(attribute).unwrap_or_default().to_owned();
        Ok(Self {
            expires_at: attributes.seconds("ttl")?,
            generated_by_sub: text("generated_by_sub"),
            generated_by_email: text("generated_by_email"),
        })
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

/// Returns `true` if every reason is another write on the same items.
fn lost_a_race<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let codes = cancellation_codes(error);
    !codes.is_empty() && codes.iter().all(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(code))
}

/// A transaction that failed for another reason than a race.
fn cancelled(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> StoreError {
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
