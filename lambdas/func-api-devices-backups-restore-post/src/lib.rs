//! `POST /devices/{uuid}/backups/{version}/restore`: makes a version of a device's backup the current one, for members of the
//! group `super_users`.

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
struct RestoredBackup {
    message: &'static str,
    last_backup_date: String,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: BackupVersions::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let super_user = request.require_super_user()?;
        let caller = request.user()?;
        let (id, version) = (request.path_parameter("uuid")?, request.path_parameter("version")?);
        let device = self.devices.registered(&super_user, id).await?.ok_or(ApiError::NoSuchDevice)?;
        request.audit(format!("{} restores version {version}", caller.sub()));
        let restored = self.backups.restore(&super_user, &device, &version).await?.ok_or(ApiError::NoSuchVersion)?;
        if !self.devices.set_restored_date(&super_user, &device, now).await {
            self.backups.take_back(&super_user, &device, restored).await?;
            return Err(ApiError::NoSuchDevice);
        }
        request.audit(format!("{} has restored version {version} as version {}", caller.sub(), restored.version()));
        let outcome = Outcome::new("backup_version_restored").with_bytes(restored.bytes);
        let body = RestoredBackup { message: "Backup stored", last_backup_date: now.to_string() };
        Ok(Answer::json(outcome, StatusCode::OK, &body).etag(restored.etag))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<RestoredBackup>(200, "The version is the backup now.").with_etag();
    }
}
