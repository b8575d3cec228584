//! `POST /registration-keys`: makes a one-time registration key for the signed-in user.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::RegistrationKeys;

/// The function.
pub type App = Http<Handler>;

/// The table it writes.
pub struct Handler {
    keys: RegistrationKeys,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { keys: RegistrationKeys::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let key = self.keys.create(&request.caller()?, now).await?;
        Ok(Answer::json(Outcome::new("key_created").counted("KeysMinted"), StatusCode::CREATED, &key).no_store())
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<firefly_stores::NewKey>(201, "The key is live.");
    }
}
