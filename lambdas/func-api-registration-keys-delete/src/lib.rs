//! `DELETE /registration-keys/{key}`: revokes a registration key of the signed-in user. Idempotent.

use firefly_core::registration::RegistrationKey;
use firefly_core::time::UnixSeconds;
use firefly_http::{Answer, ApiError, Http, Request, Route, StatusCode};
use firefly_runtime::{Aws, ConfigError, Environment, Outcome};
use firefly_stores::RegistrationKeys;

/// The function.
pub type App = Http<Handler>;

/// The table it deletes from.
pub struct Handler {
    keys: RegistrationKeys,
}

impl Route for Handler {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { keys: RegistrationKeys::new(environment, aws)? })
    }

    /// Answers every well-formed key alike, in the log too: nobody learns by it whether another's key is live.
    async fn handle(&self, _now: UnixSeconds, request: Request) -> Result<Answer, ApiError> {
        let caller = request.user()?;
        let key: RegistrationKey = request.path_parameter("key")?;
        request.audit(format!("{} revokes a registration key", caller.sub()));
        self.keys.revoke(&caller, &key).await?;
        Ok(Answer::empty(Outcome::new("key_revoked"), StatusCode::NO_CONTENT))
    }
}

#[cfg(feature = "openapi")]
impl firefly_http::openapi::Described for Handler {
    fn describe(operation: &mut firefly_http::openapi::Operation<'_>) {
        operation.answers_empty(204, "The key is revoked, or the caller has no such key.");
    }
}
