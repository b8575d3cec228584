//! The date of a device's last backup.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::device::DeviceId;
use firefly_core::time::UnixSeconds;

use super::admission::VerifiedDevice;
use super::table::Devices;
use crate::error::StoreError;

impl Devices {
    /// Sets `last_backup_date` after a backup was stored. The backup counts without the date: a failure is only logged.
    pub async fn set_last_backup_date(&self, device: &VerifiedDevice, date: UnixSeconds) {
        if let Err(error) = self.update(device.id(), "SET last_backup_date = :date", Some(date)).await {
            tracing::error!(cause = %error, "the backup is stored, but last_backup_date is not set");
        }
    }

    /// Removes `last_backup_date`. A device that is no longer there does not have one.
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
