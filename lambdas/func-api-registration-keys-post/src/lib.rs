//! `POST /registration-keys`: makes a one-time registration key for the signed-in user.

use firefly_service::aws::Aws;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::registration_keys::RegistrationKeys;
use firefly_service::{Function, Request, StatusCode, UnixSeconds};

/// The function and the table it writes.
pub struct App {
    keys: RegistrationKeys,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { keys: RegistrationKeys::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let key = self.keys.create(&request.caller()?, now).await?;
        Ok(Answer::json(Outcome::KeyCreated, StatusCode::CREATED, &key).no_store())
    }
}
