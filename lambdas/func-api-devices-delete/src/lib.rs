//! `DELETE /devices/{uuid}`: deletes a device with every version of its backup, for members of the group `super_users`.
//!
//! Idempotent, and in an order in which a repetition goes on where it was stopped: the row, so that nothing of the device is
//! admitted any more, the versions, the replay record. The UUID can then be registered again.

use firefly_core::device::DeviceId;
use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{BackupVersions, Devices};
use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

/// The table and the bucket it works with.
pub struct Handler {
    devices: Devices,
    backups: BackupVersions,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct DeletedDevice {
    message: &'static str,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: BackupVersions::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let super_user = request.require_super_user()?;
        let caller = request.user()?;
        let device: DeviceId = request.path_parameter("uuid")?;
        request.audit(format!("{} deletes the device", caller.sub()));
        self.devices.delete(&super_user, device).await?;
        self.backups.delete_all(&super_user, device).await?;
        self.devices.forget(&super_user, device, now).await?;
        request.audit(format!("{} has deleted the device", caller.sub()));
        let outcome = Outcome::new("device_deleted");
        Ok(Answer::json(outcome, StatusCode::OK, &DeletedDevice { message: "Device deleted" }))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<DeletedDevice>(200, "The device and its backups are deleted, or there were none.");
    }
}
