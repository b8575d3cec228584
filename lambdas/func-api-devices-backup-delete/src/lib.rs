//! `DELETE /devices/{uuid}/backup`: removes a device's stored backup. Idempotent.

use firefly_service::aws::Aws;
use firefly_service::backups::Backups;
use firefly_service::devices::Devices;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};
use serde::Serialize;

/// The function, the table and the bucket it works with.
pub struct App {
    devices: Devices,
    backups: Backups,
}

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate(request.signed_request()?, now).await?;
        self.backups.delete(&device).await?;
        self.devices.clear_last_backup_date(&device).await?;
        Ok(Answer::json(Outcome::BackupDeleted, StatusCode::OK, &Deleted { message: "Backup deleted" }))
    }
}
