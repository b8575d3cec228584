//! A function behind a route.

use std::time::Duration;

use firefly_core::device::DeviceId;
use firefly_core::time::UnixSeconds;
use firefly_runtime::{Aws, ConfigError, Ending, Environment, Function, MalformedEvent, Measured, Outcome};
use lambda_http::RequestExt as _;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;

use crate::answer::{self, Answer};
use crate::edge::Edge;
use crate::error::ApiError;
use crate::event::Event;
use crate::request::{Audit, Request};

/// A route of the API.
pub trait Route: Sized + Send + Sync + 'static {
    /// The name of its folder, package and binary; Lambda's function name is `firefly-` and this.
    const NAME: &'static str;

    /// The route with the stores that it works with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a variable it reads is missing.
    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError>;

    /// Answers one request. `now` is the server's clock.
    ///
    /// # Errors
    ///
    /// [`ApiError`], which is answered with a status and a message.
    fn handle(&self, now: UnixSeconds, request: Request) -> impl Future<Output = Result<Answer, ApiError>> + Send;
}

/// The function behind a route.
pub struct Http<R> {
    route: R,
    edge: Edge,
}

impl<R: Route> Function for Http<R> {
    const NAME: &'static str = R::NAME;

    type Event = Event;
    type Request = Request;
    type Reply = ApiGatewayV2httpResponse;

    fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        Ok(Self { route: R::new(environment, aws)?, edge: Edge::new(environment)? })
    }

    fn read(event: Event) -> Result<Request, MalformedEvent> {
        event.into_request().map(Request)
    }

    fn device(request: &Request) -> Option<DeviceId> {
        request.0.path_parameters_ref()?.first("uuid")?.parse().ok()
    }

    async fn handle(
        &self,
        now: UnixSeconds,
        time_left: Duration,
        mut request: Request,
    ) -> (ApiGatewayV2httpResponse, Outcome) {
        let audit = Audit::default();
        request.0.extensions_mut().insert(audit.clone());
        let result = match self.edge.admit(&mut request.0) {
            Ok(()) => tokio::time::timeout(time_left, self.route.handle(now, request)).await,
            Err(error) => Ok(Err(error)),
        };
        let result = result.unwrap_or(Err(ApiError::DeadlineExceeded));
        let Answer { outcome, response } = result.unwrap_or_else(|error| answer::failure(&error));
        let outcome = match audit.take() {
            Some(sentence) => outcome.audited(sentence),
            None => outcome,
        };
        (answer::payload(response), outcome)
    }

    fn log(reply: &ApiGatewayV2httpResponse, outcome: &Outcome, measured: &Measured) {
        let Measured { duration_ms, calls, cold_start, times } = measured;
        let times = (*times > 1).then_some(*times);
        let (status, name, audit) = (reply.status_code, outcome.name(), outcome.audit());
        match outcome.ending() {
            Ending::Done if audit.is_some() => {
                let bytes = outcome.bytes();
                tracing::warn!(status, outcome = name, audit, bytes, duration_ms, %calls, cold_start, "answered");
            }
            Ending::Done => {
                let bytes = outcome.bytes();
                tracing::info!(status, outcome = name, bytes, duration_ms, %calls, cold_start, "answered");
            }
            Ending::Refused { cause } => {
                tracing::warn!(status, outcome = name, cause, audit, times, duration_ms, %calls, cold_start, "refused");
            }
            Ending::Failed { cause } => {
                tracing::error!(status, outcome = name, cause, audit, duration_ms, %calls, cold_start, "failed");
            }
        }
    }
}
