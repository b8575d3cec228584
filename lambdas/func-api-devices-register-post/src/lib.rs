//! `POST /devices/register`: registers a device and spends its one-time key.

use firefly_core::registration::NewDevice;
use firefly_service::aws::Aws;
use firefly_service::devices::{Devices, Registered};
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::registration_keys::RegistrationKeys;
use firefly_service::{Function, Request, StatusCode, UnixSeconds};

/// The function and the tables it works with.
pub struct App {
    devices: Devices,
    keys: RegistrationKeys,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { devices: Devices::new(environment, aws)?, keys: RegistrationKeys::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, mut request: Request) -> Result<Answer, ApiError> {
        let (key, source) = (request.registration_key()?, request.source_address()?);
        let device = NewDevice::parse(&request.take_body())?;
        let outcome = match self.devices.register(&self.keys, &device, &key, source, now).await? {
            Registered::Now => Outcome::DeviceRegistered,
            Registered::Before => Outcome::DeviceRegisteredBefore,
        };
        Ok(Answer::empty(outcome, StatusCode::NO_CONTENT))
    }
}
