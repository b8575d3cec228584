//! `GET /health`: says that the API answers. Touches no store.

use firefly_service::aws::Aws;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::error::ApiError;
use firefly_service::http::{Answer, Outcome};
use firefly_service::{Function, Request, StatusCode, UnixSeconds};
use serde::Serialize;

/// The function.
pub struct App;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

impl Function for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(_environment: &Environment, _aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    async fn handle(&self, _now: UnixSeconds, _request: Request) -> Result<Answer, ApiError> {
        Ok(Answer::json(Outcome::Healthy, StatusCode::OK, &Health { status: "OK" }))
    }
}
