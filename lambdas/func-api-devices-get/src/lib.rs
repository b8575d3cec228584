//! `GET /devices`: lists the registered devices for members of the group `super_users`.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{DeviceFilter, Devices};

/// The function.
pub type App = Http<Handler>;

/// The table it reads.
pub struct Handler {
    devices: Devices,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)? })
    }

    async fn handle(&self, _now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let super_user = request.require_super_user()?;
        let filter = DeviceFilter {
            product: request.query_parameter("product_hex")?,
            backup_before: request.query_parameter("backup_before")?,
        };
        let page = self.devices.list(&super_user, filter, request.query_parameter("next")?).await?;
        Ok(Answer::json(Outcome::new("devices_listed"), StatusCode::OK, &page))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation
            .takes_query("product_hex", "Lists the devices of this product alone.")
            .takes_query(
                "backup_before",
                "Lists the devices alone whose last backup is older than this time (`YYYY-MM-DDThh:mm:ssZ`), or that \
                 have none. An answer may be empty and still have `next`.",
            )
            .takes_query("next", "Continues the list: the member `next` of the answer before.")
            .answers_json::<firefly_stores::DevicePage>(200, "Some of the devices.");
    }
}
