//! `GET /devices/{uuid}/backup`: returns a device's stored backup.

use firefly_service::aws::Aws;
use firefly_service::backups::Backups;
use firefly_service::devices::Devices;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::{Function, Request, UnixSeconds};

/// The function, the table and the bucket it works with.
pub struct App {
    devices: Devices,
    backups: Backups,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate(request.signed_request()?, now).await?;
        let backup = self.backups.get(&device).await?.ok_or(ApiError::NoBackup)?;
        let outcome = Outcome::BackupRestored { bytes: backup.bytes.len() };
        Ok(Answer::octets(outcome, backup.bytes).no_store().etag(backup.etag))
    }
}
