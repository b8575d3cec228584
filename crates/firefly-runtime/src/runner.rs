//! Invokes a function: bounded in time, measured, counted and logged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firefly_core::time::UnixSeconds;
use tracing::Instrument as _;

use crate::appconfig::Configuration;
use crate::aws::{Aws, Calls};
use crate::environment::{ConfigError, Environment};
use crate::function::{Function, MalformedEvent};
use crate::measured::Measured;
use crate::metrics::Metrics;
use crate::sampling::Sampling;

/// The time before the function's timeout at which the reply is given at the latest.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// Lambda's description of one invocation.
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
    sampling: Sampling,
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

    pub(crate) fn with_aws(environment: &Environment, aws: &Aws, metrics: Metrics) -> Result<Self, ConfigError> {
        let function_name = format!("firefly-{}", F::NAME);
        Ok(Self {
            function: F::new(environment, aws)?,
            configuration: Configuration::new(&function_name, environment, aws)?,
            function_name,
            metrics,
            sampling: Sampling::default(),
            warm: AtomicBool::new(false),
        })
    }

    /// Replies to one event. Every request is logged once, here, but of those that anybody can send some stand for others.
    ///
    /// # Errors
    ///
    /// [`MalformedEvent`] when the event cannot be read.
    pub async fn invoke(
        &self,
        now: UnixSeconds,
        invocation: Invocation,
        event: F::Event,
    ) -> Result<F::Reply, MalformedEvent> {
        let request = F::read(event).inspect_err(|error| {
            let request_id = invocation.request_id.as_str();
            tracing::error!(request_id, route = F::NAME, cause = %error, "the event is no request");
        })?;
        let started = Instant::now();
        let patience = self.configuration.begin(now).await;
        let reply = self.configuration.level().scope(self.reply(now, started, invocation, request)).await;
        self.configuration.settle(patience).await;
        Ok(reply)
    }

    async fn reply(&self, now: UnixSeconds, started: Instant, invocation: Invocation, request: F::Request) -> F::Reply {
        let device = F::device(&request).map(|id| id.to_string());
        let span = tracing::info_span!("request", request_id = invocation.request_id, route = F::NAME, device);
        let time_left = invocation.time_left.saturating_sub(DEADLINE_MARGIN + started.elapsed());
        // Boxed: nested in lambda_runtime's futures, the SDKs' are too deep for the compiler's recursion limit.
        let calls = Calls::default();
        let work = Box::pin(calls.scope(self.function.handle(now, time_left, request)));
        let (reply, outcome) = work.instrument(span.clone()).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let _entered = span.enter();
        let cold_start = !self.warm.swap(true, Ordering::Relaxed);
        if let Some(times) = self.sampling.times(now, &outcome) {
            let measured = Measured { duration_ms, calls, cold_start, times };
            self.metrics.record(&self.function_name, now, &measured, &outcome);
            F::log(&reply, &outcome, &measured);
        }
        reply
    }
}
