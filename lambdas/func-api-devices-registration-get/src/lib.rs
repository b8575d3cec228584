//! `GET /devices/{uuid}/registration`: tells a device how it is registered.

use firefly_service::aws::Aws;
use firefly_service::devices::Devices;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};

/// The function and the table it works with.
pub struct App {
    devices: Devices,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let (_device, registration) = self.devices.registration(request.signed_request()?, now).await?;
        Ok(Answer::json(Outcome::RegistrationRead, StatusCode::OK, &registration))
    }
}
