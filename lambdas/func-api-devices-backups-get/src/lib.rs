//! `GET /devices/{uuid}/backups`: lists the versions of a device's backup for members of the group `super_users`.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{BackupVersions, Devices};

/// The function.
pub type App = Http<Handler>;

/// The table and the bucket it reads.
pub struct Handler {
    devices: Devices,
    backups: BackupVersions,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, backups: BackupVersions::new(environment, aws)? })
    }

    async fn handle(&self, _now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let super_user = request.require_super_user()?;
        let (id, next) = (request.path_parameter("uuid")?, request.query_parameter("next")?);
        let device = self.devices.registered(&super_user, id).await?.ok_or(ApiError::NoSuchDevice)?;
        let page = self.backups.list(&super_user, &device, next).await?;
        Ok(Answer::json(Outcome::new("backups_listed"), StatusCode::OK, &page))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation
            .takes_query("next", "Continues the list: the member `next` of the answer before.")
            .answers_json::<firefly_stores::VersionPage>(200, "Some of the versions.");
    }
}
