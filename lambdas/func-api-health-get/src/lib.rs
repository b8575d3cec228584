//! `GET /health`: says that the API answers. Touches no store.

use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use serde::Serialize;

/// The function.
pub type App = Http<Handler>;

/// The handler of requests.
pub struct Handler;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Health {
    status: &'static str,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(_environment: &Environment, _aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    async fn handle(&self, _now: UnixSeconds, _request: Request) -> Result<Answer, ApiError> {
        Ok(Answer::json(Outcome::new("healthy").anybodys(), StatusCode::OK, &Health { status: "OK" }))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_json::<Health>(200, "The API answers.");
    }
}
