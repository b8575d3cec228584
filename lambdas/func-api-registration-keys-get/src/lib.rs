//! `GET /registration-keys`: lists the signed-in user's live registration keys, oldest first.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::{ListedKey, RegistrationKeys};
use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

/// The table it reads.
pub struct Handler {
    keys: RegistrationKeys,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct KeyList {
    registration_keys: Vec<ListedKey>,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { keys: RegistrationKeys::new(environment, aws)? })
    }

    async fn handle(&self, now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let registration_keys = self.keys.list(&request.caller()?, now).await?;
        Ok(Answer::json(Outcome::new("keys_listed"), StatusCode::OK, &KeyList { registration_keys }).no_store())
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<KeyList>(200, "The live keys, oldest first.");
    }
}
