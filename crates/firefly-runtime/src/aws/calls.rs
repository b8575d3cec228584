//! Measures the AWS calls of a request.

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

tokio::task_local! {
    /// The calls of the request that the current task answers.
    static CALLS: Calls;
}

/// The AWS calls of one request, in the order they ended. Written as `GetItem=3ms PutObject=21ms`.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<Call>>>);

#[derive(Clone, Debug)]
struct Call {
    operation: String,
    duration: Duration,
}

impl Calls {
    /// Runs `work`, whose calls are kept here.
    pub(crate) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        CALLS.scope(self.clone(), work).await
    }

    /// The duration of each call in milliseconds, its retries included.
    pub(crate) fn milliseconds(&self) -> Vec<u64> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().map(|call| u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX)).collect()
    }
}

impl Display for Calls {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, Call { operation, duration }) in calls.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(formatter, "{space}{operation}={}ms", duration.as_millis())?;
        }
        Ok(())
    }
}

/// The interceptor that measures every call of a client.
#[derive(Debug)]
pub struct CallTimer;

#[derive(Debug)]
struct Started(Instant);

impl Storable for Started {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for CallTimer {
    fn name(&self) -> &'static str {
        "CallTimer"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Started(Instant::now()));
        Ok(())
    }

    fn read_after_execution(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(Started(started)), Some(metadata)) = (config.load::<Started>(), config.load::<Metadata>()) {
            let call = Call { operation: metadata.name().to_owned(), duration: started.elapsed() };
            // Calls outside a request, such as a refresh of the configuration, are nobody's.
            let _ = CALLS.try_with(|calls| calls.0.lock().unwrap_or_else(PoisonError::into_inner).push(call));
        }
        Ok(())
    }
}
