//! `GET /devices/{uuid}/registration`: tells a device how it is registered.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::Devices;

/// The function.
pub type App = Http<Handler>;

/// The table it works with.
pub struct Handler {
    devices: Devices,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let admitted = self.devices.registration(request.signed_request()?, now).await?;
        let (_device, registration) = admitted.ok_or(ApiError::NotRegistered)?;
        Ok(Answer::json(Outcome::new("registration_read"), StatusCode::OK, &registration))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<firefly_stores::Registration>(200, "The device's registration.");
    }
}
