//! `POST /devices/register`: registers a device and spends its one-time key.

use firefly_core::registration::NewDevice;
use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{Registered, Registrations};

/// The function.
pub type App = Http<Handler>;

/// The registrations it adds to.
pub struct Handler {
    registrations: Registrations,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { registrations: Registrations::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, mut request: Request) -> Result<Answer, ApiError> {
        let (key, source) = (request.registration_key()?, request.source_address()?);
        let device = NewDevice::parse(&request.take_body())?;
        let outcome = match self.registrations.register(&device, &key, source, now).await? {
            Registered::Now => Outcome::new("device_registered").counted("DevicesRegistered"),
            Registered::Before => Outcome::new("device_registered_before"),
        };
        Ok(Answer::empty(outcome, StatusCode::NO_CONTENT))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.takes_json::<NewDevice>().answers_empty(204, "The device is registered.");
    }
}
