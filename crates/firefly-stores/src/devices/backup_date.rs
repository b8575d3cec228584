//! The date of a device's last backup.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::group::SuperUser;
use firefly_core::time::UnixSeconds;

use super::admission::VerifiedDevice;
use super::row::RegisteredDevice;
use super::table::Devices;
use crate::error::StoreError;

impl Devices {
    /// Sets `last_backup_date` after a backup was stored. The backup counts without the date: a failure is only logged.
    ///
    /// Returns `false` if the device is no longer registered as it was: then its backup has to go.
    #[must_use]
    pub async fn set_last_backup_date(&self, device: &VerifiedDevice, date: UnixSeconds) -> bool {
        self.set_date(device.registered(), date).await
    }

    /// Like [`Self::set_last_backup_date`], but of a backup that a super user has restored.
    #[must_use]
    pub async fn set_restored_date(&self, _evidence: &SuperUser, device: &RegisteredDevice, date: UnixSeconds) -> bool {
        self.set_date(device, date).await
    }

    async fn set_date(&self, device: &RegisteredDevice, date: UnixSeconds) -> bool {
        match self.update(device, "SET last_backup_date = :date", Some(date)).await {
            Ok(()) => true,
            Err(StoreError::Gone { .. }) => false,
            Err(error) => {
                tracing::error!(cause = %error, "the backup is stored, but last_backup_date is not set");
                true
            }
        }
    }

    /// Removes `last_backup_date`. A device that is no longer there does not have one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the write fails.
    pub async fn clear_last_backup_date(&self, device: &VerifiedDevice) -> Result<(), StoreError> {
        match self.update(device.registered(), "REMOVE last_backup_date", None).await {
            Err(StoreError::Gone { .. }) => Ok(()),
            result => result,
        }
    }

    /// Updates a device that is registered as it was; an update alone would make a row of a device that is not there.
    async fn update(
        &self,
        device: &RegisteredDevice,
        expression: &str,
        date: Option<UnixSeconds>,
    ) -> Result<(), StoreError> {
        let date = date.map(|date| (":date".to_owned(), AttributeValue::S(date.to_string())));
        let registered = device.date.clone().map(|date| (":registered".to_owned(), AttributeValue::S(date)));
        let condition = match &registered {
            Some(_) => "attribute_exists(#uuid) AND registration_date = :registered",
            None => "attribute_exists(#uuid)",
        };
        let values: HashMap<_, _> = date.into_iter().chain(registered).collect();
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("uuid", AttributeValue::S(device.id.to_string()))
            .update_expression(expression)
            .condition_expression(condition)
            .expression_attribute_names("#uuid", "uuid")
            // DynamoDB refuses an empty map.
            .set_expression_attribute_values(Some(values).filter(|values| !values.is_empty()))
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
