//! Registers a device: the device is written and its key spent in one transaction.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use firefly_core::device::{DeviceId, DevicePublicKey};
use firefly_core::registration::{NewDevice, RegistrationKey, is_live};
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use firefly_runtime::{Aws, ConfigError, Environment};

use super::device_item::device_item;
use super::wrong_keys::{Try, TryError, WrongKeys};
use crate::cancellation::{cancelled, lost_a_race};
use crate::devices::row::{PROJECTION, Row};
use crate::dynamodb;
use crate::error::StoreError;
use crate::item::{self, Attributes, Item, seconds};
use crate::live_keys::LiveKeys;
use crate::race::{RACE_ATTEMPTS, race_backoff};

/// Longest wait for the reads of a registration and for its try to be recorded, races included.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest wait for the key to be judged and the device to be written, races included.
const JUDGING_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait for what follows, a failure of which changes no answer.
const CLEARING_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The registrations of devices with one-time keys.
pub struct Registrations {
    client: Client,
    devices: String,
    keys: String,
    live_keys: LiveKeys,
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
    /// The try could not be recorded among the address's, so the key was not judged.
    #[error("the try could not be recorded: {0}")]
    TryNotRecorded(StoreError),
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

impl From<TryError> for RegisterError {
    fn from(error: TryError) -> Self {
        match error {
            TryError::TooMany { retry_after_seconds } => Self::TooManyWrongKeys { retry_after_seconds },
            TryError::NotRecorded(error) => Self::TryNotRecorded(error),
        }
    }
}

/// The stored items that decide about a registration.
struct Found {
    issued: Result<Option<IssuedKey>, StoreError>,
    public_key: Option<DevicePublicKey>,
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
        // The key and the address's tries are read at once.
        let client = dynamodb::client_with_connections(aws, 2)?;
        let wrong_keys = WrongKeys::new(client.clone(), keys.clone());
        let live_keys = LiveKeys::new(client.clone(), keys.clone());
        Ok(Self { client, devices, keys, live_keys, wrong_keys })
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
        let admission = tokio::time::timeout(ADMISSION_TIMEOUT, self.admit(device, key, source, now)).await;
        let admitted = admission.unwrap_or_else(|_| Err(RegisterError::TryNotRecorded(late("dynamodb:UpdateItem"))))?;
        let Some((found, admitted)) = admitted else { return Ok(Registered::Before) };
        let judging = tokio::time::timeout(JUDGING_TIMEOUT, self.judge(device, key, found, now)).await;
        let judged = judging.unwrap_or_else(|_| Err(late("dynamodb:TransactWriteItems").into()));
        if matches!(judged, Err(RegisterError::KeyNotLive)) {
            return Err(RegisterError::KeyNotLive);
        }
        let spent = judged.as_ref().ok().and_then(Option::as_ref);
        let clearing = async { tokio::join!(self.wrong_keys.give_back(admitted), self.remove_entry(key, spent)) };
        if tokio::time::timeout(CLEARING_TIMEOUT, clearing).await.is_err() {
            tracing::warn!("no answer in time: a try at a registration key, or a spent key's entry, may be left");
        }
        judged.map(|spent| if spent.is_some() { Registered::Now } else { Registered::Before })
    }

    /// Reads what decides about a registration, and admits its try. Returns `None` if the device is registered with its
    /// public key already: that takes no try.
    async fn admit(
        &self,
        device: &NewDevice,
        key: &RegistrationKey,
        source: SourceAddress,
        now: UnixSeconds,
    ) -> Result<Option<(Found, Try)>, RegisterError> {
        // The device is read after the key, as in `find`.
        let (issued, tries) = tokio::join!(self.issued_key(key), self.wrong_keys.tries(source));
        let found = Found { issued, public_key: self.public_key(device.id).await? };
        if found.public_key.as_ref() == Some(&device.public_key) {
            return Ok(None);
        }
        let admitted = self.wrong_keys.admit(source, tries?, now).await?;
        Ok(Some((found, admitted)))
    }

    /// Judges an admitted try and registers its device; `found` is what was read before. Returns the key as it was issued,
    /// `None` if the device has been registered with its public key meanwhile.
    async fn judge(
        &self,
        device: &NewDevice,
        key: &RegistrationKey,
        found: Found,
        now: UnixSeconds,
    ) -> Result<Option<IssuedKey>, RegisterError> {
        let mut first = Some(found);
        for attempt in 1..=RACE_ATTEMPTS {
            let found = match first.take() {
                Some(found) => found,
                None => self.find(device.id, key).await?,
            };
            if found.public_key.as_ref() == Some(&device.public_key) {
                return Ok(None);
            }
            let Some(issued) = found.issued?.filter(|issued| is_live(issued.expires_at, now)) else {
                return Err(RegisterError::KeyNotLive);
            };
            if found.public_key.is_some() {
                return Err(RegisterError::RegisteredWithOtherKey);
            }
            match self.write_and_spend(device, key, &issued, now).await? {
                Written::Done => return Ok(Some(issued)),
                Written::Raced => tokio::time::sleep(race_backoff(attempt)).await,
            }
        }
        let cause = "other writes came first each time".to_owned();
        Err(StoreError::Unavailable { operation: "dynamodb:TransactWriteItems", cause }.into())
    }

    /// Removes the entry of a key that was spent from its maker's live keys. The entry would lapse with the key: a failure
    /// is only logged.
    async fn remove_entry(&self, key: &RegistrationKey, spent: Option<&IssuedKey>) {
        let Some(sub) = spent.map(|issued| issued.generated_by_sub.as_str()).filter(|sub| !sub.is_empty()) else {
            return;
        };
        if let Err(error) = self.live_keys.remove(sub, key).await {
            tracing::warn!(cause = %error, "a spent key's entry is left among its maker's live keys");
        }
    }

    /// Reads the key, and then the device.
    ///
    /// A copy of this request that has spent the key by then has written the device in the same transaction. In the
    /// other order a device that is registered could be refused, neither being found.
    async fn find(&self, id: DeviceId, key: &RegistrationKey) -> Result<Found, StoreError> {
        let issued = self.issued_key(key).await;
        Ok(Found { issued, public_key: self.public_key(id).await? })
    }

    /// Reads a key, live or not.
    async fn issued_key(&self, key: &RegistrationKey) -> Result<Option<IssuedKey>, StoreError> {
        let key = AttributeValue::S(key.as_str().to_owned());
        let item = item::get(&self.client, &self.keys, ("key", key)).await?;
        item.as_ref().map(IssuedKey::from_item).transpose()
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

fn late(operation: &'static str) -> StoreError {
    StoreError::Unavailable { operation, cause: "no answer in time".to_owned() }
}
