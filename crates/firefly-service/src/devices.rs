//! The table `firefly-devices`: registered devices, and the replay record of each.

mod list;
mod register;
mod replay;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use firefly_core::device::{DeviceId, DevicePublicKey};
use firefly_core::replay::ReplayRecord;
use firefly_core::signed_request::SignedRequest;
use firefly_core::time::UnixSeconds;
use serde::Serialize;

pub use list::DevicePage;
pub use register::Registered;
pub use replay::VerifiedDevice;

use crate::aws::Aws;
use crate::environment::{ConfigError, Environment, Random};
use crate::error::ApiError;
use crate::store::{Attributes, Item, StoreError, race_backoff};

/// Longest wait for a device and its replay record, however often DynamoDB has to be asked.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// How often DynamoDB is asked for what it leaves unprocessed before the answer is 503.
const READ_ATTEMPTS: u32 = 4;

/// What [`Device`] is read from; `uuid` is a reserved word.
const PROJECTION: &str = "#uuid, public_key, product_id, product_hex, device_class, registration_date, \
                          registering_application, registering_version";

/// The registered devices.
pub struct Devices {
    client: Client,
    table: String,
    random: Random,
}

/// A registered device.
struct Device {
    public_key: DevicePublicKey,
    registration: Registration,
}

/// What a device is told about its registration. Members an old row lacks are null.
#[derive(Debug, Serialize)]
pub struct Registration {
    uuid: String,
    product_id: Option<String>,
    product_hex: Option<String>,
    device_class: Option<String>,
    registration_date: Option<String>,
    registering_application: Option<String>,
    registering_version: Option<String>,
}

impl Devices {
    /// The table that `DYNAMODB_DEVICES_TABLE_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let table = environment.required("DYNAMODB_DEVICES_TABLE_NAME")?.to_owned();
        aws.warm_up_dynamodb();
        Ok(Self { client: aws.dynamodb(), table, random: environment.random() })
    }

    /// Admits a signed request and returns the evidence that its device made it, now and once.
    ///
    /// # Errors
    ///
    /// [`ApiError`], in this order: unknown device, stale timestamp, bad signature, seen before.
    pub async fn authenticate(&self, request: SignedRequest, now: UnixSeconds) -> Result<VerifiedDevice, ApiError> {
        let admitted = self.admit_known(request, now).await?;
        admitted.map(|(device, _)| device).ok_or(ApiError::UnknownDevice)
    }

    /// The same, with the device's registration, on the route that says whether a device is registered.
    ///
    /// # Errors
    ///
    /// As [`Self::authenticate`], except [`ApiError::NotRegistered`] for an unknown device.
    pub async fn registration(
        &self,
        request: SignedRequest,
        now: UnixSeconds,
    ) -> Result<(VerifiedDevice, Registration), ApiError> {
        self.admit_known(request, now).await?.ok_or(ApiError::NotRegistered)
    }

    /// Admits a signed request; `None` when its device is unknown.
    async fn admit_known(
        &self,
        request: SignedRequest,
        now: UnixSeconds,
    ) -> Result<Option<(VerifiedDevice, Registration)>, ApiError> {
        let id = request.device();
        let (device, record) = self.get_with_record(id).await?;
        let Some(device) = device else { return Ok(None) };
        let verified = request.verify(&device.public_key, now)?;
        Ok(Some((self.admit(verified, record, now).await?, device.registration)))
    }

    /// Reads a device and its replay record with one strongly consistent read.
    async fn get_with_record(&self, id: DeviceId) -> Result<(Option<Device>, Option<ReplayRecord>), StoreError> {
        let mut items = tokio::time::timeout(READ_TIMEOUT, self.batch_get([id.to_string(), replay::record_key(id)]))
            .await
            .unwrap_or_else(|_| Err(unprocessed("no answer in time")))?;
        let device = items.remove(&id.to_string()).as_ref().map(Device::from_item).transpose()?;
        // Only a belief, which shapes the write that decides: that write finds out what one that cannot be read is.
        let record = items.get(&replay::record_key(id)).and_then(|item| replay::parse_record(item).ok());
        Ok((device, record))
    }

    /// Reads the items of these keys, by key; what is not there is left out.
    async fn batch_get(&self, keys: [String; 2]) -> Result<HashMap<String, Item>, StoreError> {
        let mut request = KeysAndAttributes::builder()
            .projection_expression(format!("{PROJECTION}, {}", replay::PROJECTION))
            .expression_attribute_names("#uuid", "uuid")
            .consistent_read(true);
        for (name, attribute) in replay::NAMES {
            request = request.expression_attribute_names(name, attribute);
        }
        for key in keys {
            request = request.keys([("uuid".to_owned(), AttributeValue::S(key))].into());
        }
        let mut request = request.build()?;
        let mut items = HashMap::new();
        for attempt in 1..=READ_ATTEMPTS {
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(|error| StoreError::from_sdk("dynamodb:BatchGetItem", &error))?;
            for item in output.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                let attributes = Attributes { item: &item, name: "a device or its replay record" };
                items.insert(attributes.text("uuid")?.to_owned(), item);
            }
            // What DynamoDB has no capacity for is no error, so that the SDK does not ask again.
            match output.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table)) {
                None => return Ok(items),
                Some(left) => request = left,
            }
            tokio::time::sleep(race_backoff(attempt)).await;
        }
        Err(unprocessed("keys were left unprocessed each time"))
    }

    /// Reads a device with a strongly consistent read, without what only lists show.
    async fn get(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("uuid", AttributeValue::S(id.to_string()))
            .projection_expression(PROJECTION)
            .expression_attribute_names("#uuid", "uuid")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk("dynamodb:GetItem", &error))?;
        output.item.as_ref().map(Device::from_item).transpose()
    }

    /// Sets `last_backup_date`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the write fails, [`StoreError::Gone`] when the device is no longer there.
    pub async fn set_last_backup_date(&self, device: &VerifiedDevice, date: UnixSeconds) -> Result<(), StoreError> {
        self.update(device.id(), "SET last_backup_date = :date", Some(date)).await
    }

    /// Removes `last_backup_date`. A device that is no longer there has none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the write fails.
    pub async fn clear_last_backup_date(&self, device: &VerifiedDevice) -> Result<(), StoreError> {
        match self.update(device.id(), "REMOVE last_backup_date", None).await {
            Err(StoreError::Gone { .. }) => Ok(()),
            result => result,
        }
    }

    /// Updates a device that is there; an update alone would make a row of a device that is not.
    async fn update(&self, id: DeviceId, expression: &str, date: Option<UnixSeconds>) -> Result<(), StoreError> {
        let values = date.map(|date| [(":date".to_owned(), AttributeValue::S(date.to_string()))].into());
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("uuid", AttributeValue::S(id.to_string()))
            .update_expression(expression)
            .condition_expression("attribute_exists(#uuid)")
            .expression_attribute_names("#uuid", "uuid")
            .set_expression_attribute_values(values)
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(StoreError::Gone { item: "the device" })
            }
            Err(error) => Err(StoreError::from_sdk("dynamodb:UpdateItem", &error)),
        }
    }
}

fn unprocessed(cause: &str) -> StoreError {
    StoreError::Unavailable { operation: "dynamodb:BatchGetItem", cause: cause.to_owned() }
}

impl Device {
    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let attributes = Attributes { item, name: "a device" };
        let text = |attribute| attributes.optional_text(attribute).map(str::to_owned);
        Ok(Self {
            public_key: DevicePublicKey::from_base64(attributes.text("public_key")?)
                .map_err(|_| attributes.malformed("public_key"))?,
            registration: Registration {
                uuid: attributes.text("uuid")?.to_owned(),
                product_id: text("product_id"),
                product_hex: text("product_hex"),
                device_class: text("device_class"),
                registration_date: text("registration_date"),
                registering_application: text("registering_application"),
                registering_version: text("registering_version"),
            },
        })
    }
}
