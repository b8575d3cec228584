//! `GET /registration-keys`: lists the signed-in user's live registration keys, oldest first.

use firefly_service::aws::Aws;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome, RequestParts as _};
use firefly_service::registration_keys::{ListedKey, RegistrationKeys};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};
use serde::Serialize;

/// The function and the table it reads.
pub struct App {
    keys: RegistrationKeys,
}

#[derive(Serialize)]
struct KeyList {
    registration_keys: Vec<ListedKey>,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { keys: RegistrationKeys::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let registration_keys = self.keys.list(&request.caller()?, now).await?;
        Ok(Answer::json(Outcome::KeysListed, StatusCode::OK, &KeyList { registration_keys }).no_store())
    }
}
