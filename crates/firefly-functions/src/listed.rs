//! One function of the list.

use std::fmt;
use std::sync::Arc;

use firefly_core::time::UnixSeconds;
use firefly_http::openapi::{Described, Operation};
use firefly_runtime::{ConfigError, Environment, Function, Invocation, MalformedEvent, Metrics, Runner};
use firefly_templates::{Caller, Source};
use futures_util::future::BoxFuture;

/// One function of this workspace.
#[derive(Clone, Copy)]
pub struct Listed {
    /// The name of its folder, package and binary.
    pub name: &'static str,
    /// Its template.
    pub template: Source<'static>,
    /// The callers of its route.
    pub caller: Caller,
    /// Every HTTP status that it may answer with, apart from 500 and 503.
    pub statuses: &'static [u16],
    /// Starts it with this environment; its metrics go to `Metrics`.
    pub start: fn(&Environment, Metrics) -> Result<Running, ConfigError>,
    /// Describes its route.
    pub describe: fn(&mut Operation<'_>),
}

/// A running function: the JSON text of an event in, the JSON text of a response out, as its binary does on Lambda.
pub type Running =
    Arc<dyn Fn(UnixSeconds, Invocation, String) -> BoxFuture<'static, Result<String, InvokeError>> + Send + Sync>;

/// A function failed instead of answering.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event is not JSON of its form, or the response has no JSON.
    #[error("the event or the response is malformed: {0}")]
    Json(#[from] serde_json::Error),
    /// The event is not a request.
    #[error(transparent)]
    Event(#[from] MalformedEvent),
}

impl fmt::Debug for Listed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Listed").field(&self.name).finish()
    }
}

/// The function that the package of this name makes.
pub(crate) const fn listed<F: Function + Described>(
    template: &'static str,
    caller: Caller,
    statuses: &'static [u16],
) -> Listed {
    let template = Source { name: F::NAME, text: template };
    Listed { name: F::NAME, template, caller, statuses, start: start::<F>, describe: F::describe }
}

fn start<F: Function>(environment: &Environment, metrics: Metrics) -> Result<Running, ConfigError> {
    let runner = Arc::new(Runner::<F>::new(environment, metrics)?);
    Ok(Arc::new(move |now, invocation, event: String| {
        let runner = Arc::clone(&runner);
        Box::pin(async move {
            let event = serde_json::from_str(&event)?;
            let response = runner.invoke(now, invocation, event).await?;
            Ok(serde_json::to_string(&response)?)
        })
    }))
}
