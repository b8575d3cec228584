//! `GET /devices`: lists the registered devices for members of the group `super_users`.

use firefly_service::aws::Aws;
use firefly_service::devices::Devices;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};

/// The function and the table it reads.
pub struct App {
    devices: Devices,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)? })
    }

    async fn handle(&self, _now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        request.require_super_user()?;
        let (product_hex, next) = (request.query_parameter("product_hex"), request.query_parameter("next"));
        let page = self.devices.list(product_hex, next).await?;
        Ok(Answer::json(Outcome::DevicesListed, StatusCode::OK, &page))
    }
}
