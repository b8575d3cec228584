//! A function's `main`: the only place where the process environment and the clock are read.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firefly_core::time::UnixSeconds;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};

use crate::aws::Aws;
use crate::environment::Environment;
use crate::function::Function;
use crate::log::{self, LogLevel};
use crate::metrics::Metrics;
use crate::runner::{Invocation, Runner};

/// The time by which connections that are opened ahead may lengthen the start of a function.
const WARM_UP_DEADLINE: Duration = Duration::from_secs(1);
/// The shared layer's file with the configuration that holds without AppConfig.
const DEFAULTS_FILE: &str = "/opt/firefly/defaults.json";

/// Runs a function on Lambda until the process is ended.
pub fn run<F: Function>() -> ExitCode {
    let defaults = std::fs::read_to_string(DEFAULTS_FILE).ok();
    let environment = Environment::from_fn(|name| std::env::var(name).ok()).with_defaults(defaults);
    // Nothing else in the process sets a subscriber.
    let _ = tracing::subscriber::set_global_default(log::subscriber(std::io::stdout, LogLevel::WARN));
    let made = Aws::new(&environment).and_then(|aws| {
        let runner = Runner::<F>::with_aws(&environment, &aws, Metrics::new(std::io::stdout()))?;
        Ok((Arc::new(runner), aws))
    });
    let (runner, aws) = match made {
        Ok(made) => made,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let handler = service_fn(move |event: LambdaEvent<F::Event>| {
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
        aws.warm_up(WARM_UP_DEADLINE).await;
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
