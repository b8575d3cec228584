//! Operators' work on one device's row and replay record.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::device::DeviceId;
use firefly_core::group::SuperUser;
use firefly_core::time::UnixSeconds;

use super::replay::{parse_record, record_key};
use super::row::RegisteredDevice;
use super::table::Devices;
use crate::error::StoreError;
use crate::item::{self, Attributes, Item};

impl Devices {
    /// Reads a device for a super user; `None` when it is not registered.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the read fails.
    pub async fn registered(
        &self,
        _evidence: &SuperUser,
        id: DeviceId,
    ) -> Result<Option<RegisteredDevice>, StoreError> {
        let item = self.item(id.to_string()).await?;
        Ok(item.map(|item| {
            let date = Attributes { item: &item, name: "a device" }.optional_text("registration_date");
            RegisteredDevice { id, date: date.map(str::to_owned) }
        }))
    }

    /// Deletes a device's row for a super user; an absent one is not an error. From then on no request of the device is
    /// admitted.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the write fails.
    pub async fn delete(&self, _evidence: &SuperUser, id: DeviceId) -> Result<(), StoreError> {
        self.delete_item(id.to_string(), None).await
    }

    /// Deletes a device's replay record for a super user, unless a nonce of it has to be kept: a device that is registered
    /// again with the same key cannot be sent a request of before. Such a record is left as it is.
    ///
    /// A record that cannot be read is deleted. It has admitted nothing since it became so.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the table fails.
    pub async fn forget(&self, _evidence: &SuperUser, id: DeviceId, now: UnixSeconds) -> Result<(), StoreError> {
        let Some(item) = self.item(record_key(id)).await? else { return Ok(()) };
        let record = parse_record(&item).ok();
        if record.as_ref().is_some_and(|record| !record.is_spent(now)) {
            return Ok(());
        }
        self.delete_item(record_key(id), record.map(|record| record.version)).await
    }

    async fn item(&self, key: String) -> Result<Option<Item>, StoreError> {
        item::get(&self.client, &self.table, ("uuid", AttributeValue::S(key))).await
    }

    /// Deletes an item; where a version is given, only that version of it.
    async fn delete_item(&self, key: String, version: Option<u64>) -> Result<(), StoreError> {
        let mut delete = self.client.delete_item().table_name(&self.table).key("uuid", AttributeValue::S(key));
        if let Some(version) = version {
            delete = delete
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string()));
        }
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(StoreError::from_sdk("dynamodb:DeleteItem", &error)),
        }
    }
}
