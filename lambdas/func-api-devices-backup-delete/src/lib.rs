//! `DELETE /devices/{uuid}/backup`: removes a device's stored backup. Idempotent.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{Backups, Devices};
use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

/// The table and the bucket it works with.
pub struct Handler {
    devices: Devices,
    backups: Backups,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Deleted {
    message: &'static str,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: Backups::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let device = self.devices.authenticate(request.signed_request()?, now).await?.ok_or(ApiError::UnknownDevice)?;
        self.backups.delete(&device).await?;
        self.devices.clear_last_backup_date(&device).await?;
        Ok(Answer::json(Outcome::new("backup_deleted"), StatusCode::OK, &Deleted { message: "Backup deleted" }))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<Deleted>(200, "The backup is deleted, or there was none.");
    }
}
