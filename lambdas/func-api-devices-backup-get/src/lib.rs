//! `GET /devices/{uuid}/backup`: returns a device's stored backup.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{Backups, Devices};

/// The function.
pub type App = Http<Handler>;

/// The table and the bucket it works with.
pub struct Handler {
    devices: Devices,
    backups: Backups,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate(request.signed_request()?, now).await?.ok_or(ApiError::UnknownDevice)?;
        let backup = self.backups.get(&device).await?.ok_or(ApiError::NoBackup)?;
        let outcome = Outcome::new("backup_restored").with_bytes(backup.bytes.len());
        Ok(Answer::octets(outcome, backup.bytes).no_store().etag(backup.etag))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_octets(200, "The FFCE envelope as it was stored.").with_etag();
    }
}
