//! One function: how it is made, invoked and run on Lambda.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use firefly_core::device::DeviceId;
use firefly_core::time::UnixSeconds;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use lambda_http::{Request, RequestExt as _};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use tracing::Instrument as _;

use crate::appconfig::Configuration;
use crate::aws::{Aws, Calls};
use crate::environment::{ConfigError, Environment};
use crate::error::ApiError;
use crate::http::{self, Answer, Event, EventError};
use crate::log::{self, LogLevel};
use crate::metrics::{Measured, Metrics};

/// How long before the function's timeout the answer is given at the latest.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);
/// How much longer the start of a function may take for connections to be opened ahead.
const WARM_UP_DEADLINE: Duration = Duration::from_secs(1);
/// Where the shared layer puts the configuration that holds when AppConfig has none.
const DEFAULTS_FILE: &str = "/opt/firefly/defaults.json";

/// A function behind one route.
pub trait Function: Sized + Send + Sync + 'static {
    /// The name of its folder, package and binary; Lambda's function name is `firefly-` and this.
    const NAME: &'static str;

    /// The function as its environment describes it.
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

/// What Lambda says of one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// The AWS request id.
    pub request_id: String,
    /// The time until the function's timeout.
    pub time_left: Duration,
}

/// A function ready to be invoked, with its configuration and logs.
pub struct Runner<F> {
    function: F,
    function_name: String,
    configuration: Configuration,
    metrics: Metrics,
    warm: AtomicBool,
}

impl<F: Function> Runner<F> {
    /// The function as its environment describes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a variable it reads is missing.
    pub fn new(environment: &Environment, metrics: Metrics) -> Result<Self, ConfigError> {
        Self::with_aws(environment, &Aws::new(environment)?, metrics)
    }

    fn with_aws(environment: &Environment, aws: &Aws, metrics: Metrics) -> Result<Self, ConfigError> {
        let function_name = format!("firefly-{}", F::NAME);
        Ok(Self {
            function: F::new(environment, aws)?,
            configuration: Configuration::new(&function_name, environment, aws)?,
            function_name,
            metrics,
            warm: AtomicBool::new(false),
        })
    }

    /// Answers one event. Every request is logged once, here.
    ///
    /// # Errors
    ///
    /// [`EventError`] when the event is no request.
    pub async fn invoke(
        &self,
        now: UnixSeconds,
        invocation: Invocation,
        event: Event,
    ) -> Result<ApiGatewayV2httpResponse, EventError> {
        let request = event.into_request().inspect_err(|error| {
            let request_id = invocation.request_id.as_str();
            tracing::error!(request_id, route = F::NAME, cause = %error, "the event is no request");
        })?;
        let started = Instant::now();
        self.configuration.refresh(now).await;
        self.configuration.level().scope(self.answer(now, started, invocation, request)).await
    }

    async fn answer(
        &self,
        now: UnixSeconds,
        started: Instant,
        invocation: Invocation,
        request: Request,
    ) -> Result<ApiGatewayV2httpResponse, EventError> {
        let uuid = request.path_parameters_ref().and_then(|parameters| parameters.first("uuid"));
        let device = uuid.and_then(|uuid| uuid.parse::<DeviceId>().ok()).map(|id| id.to_string());
        let span = tracing::info_span!("request", request_id = invocation.request_id, route = F::NAME, device);
        let deadline = invocation.time_left.saturating_sub(DEADLINE_MARGIN + started.elapsed());
        // Boxed: nested in lambda_runtime's futures, the SDKs' are too deep for the compiler's recursion limit.
        let calls = Calls::default();
        let work = Box::pin(calls.scope(self.function.handle(now, request))).instrument(span.clone());
        let result = tokio::time::timeout(deadline, work).await.unwrap_or(Err(ApiError::DeadlineExceeded));
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let _entered = span.enter();
        let cold_start = !self.warm.swap(true, Ordering::Relaxed);
        let outcome = result.as_ref().map(|answer| answer.outcome);
        let measured = Measured { duration_ms, calls_ms: calls.milliseconds(), cold_start };
        self.metrics.record(&self.function_name, now, &measured, outcome);
        let response = match result {
            Ok(Answer { outcome, response }) => {
                let (status, bytes) = (response.status().as_u16(), outcome.bytes());
                let outcome = outcome.name();
                tracing::info!(status, outcome, bytes, duration_ms, %calls, cold_start, "answered");
                response
            }
            Err(error) => {
                let response = http::failure(&error);
                let (status, code) = (response.status().as_u16(), error.answer().code);
                if response.status().is_server_error() {
                    tracing::error!(status, outcome = code, cause = %error, duration_ms, %calls, cold_start, "failed");
                } else {
                    tracing::warn!(status, outcome = code, cause = %error, duration_ms, %calls, cold_start, "refused");
                }
                response
            }
        };
        Ok(http::payload(response))
    }
}

/// Runs a function on Lambda until the process is ended. The whole of a binary's `main`: the only place where the
/// process environment and the clock are read.
pub fn run<F: Function>() -> ExitCode {
    let defaults = std::fs::read_to_string(DEFAULTS_FILE).ok();
    let environment = Environment::new(std::env::vars()).with_defaults(defaults);
    // Nothing else in the process sets a subscriber.
    let _ = tracing::subscriber::set_global_default(log::subscriber(std::io::stdout, LogLevel::WARN));
    let made = Aws::new(&environment).and_then(|aws| {
        let runner = Runner::<F>::with_aws(&environment, &aws, Metrics::new(std::io::stdout()))?;
        Ok((Arc::new(runner), aws.into_warm_up()))
    });
    let (runner, warm_up) = match made {
        Ok(made) => made,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let handler = service_fn(move |event: LambdaEvent<Event>| {
        let runner = Arc::clone(&runner);
        async move {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let deadline = Duration::from_millis(event.context.deadline);
            let invocation =
                Invocation { request_id: event.context.request_id, time_left: deadline.saturating_sub(since_epoch) };
            let now = UnixSeconds::new(since_epoch.as_secs());
            runner.invoke(now, invocation, event.payload).await.map_err(|error| Diagnostic {
                error_type: "MalformedEvent".to_owned(),
                error_message: error.to_string(),
            })
        }
    });
    let run = async {
        warm_up.run(WARM_UP_DEADLINE).await;
        lambda_runtime::run(handler).await
    };
    match runtime.block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(cause = %error, "the function cannot run");
    ExitCode::FAILURE
}
