//! The services of a cloud: each has the variable by which it is found, a URL, and an end.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The region of the embedded engines.
const REGION: &str = "us-east-1";

/// A service: one that this cloud serves, or an external one.
pub(super) struct Service {
    /// The environment variable that tells its URL.
    pub(super) variable: &'static str,
    /// The URL.
    pub(super) url: String,
    running: Option<Running>,
}

/// A service that this cloud serves.
struct Running {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// A sender whose end stops a service, and the future that resolves then.
pub(super) fn stopping() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send + 'static) {
    let (stop, stopped) = oneshot::channel();
    (stop, async move { drop(stopped.await) })
}

impl Service {
    /// A service at a URL, run by others.
    pub(super) fn external(variable: &'static str, url: &str) -> Self {
        Self { variable, url: url.to_owned(), running: None }
    }

    /// Runs `served`, which ends when `stop` does.
    pub(super) fn start(
        variable: &'static str,
        url: String,
        stop: oneshot::Sender<()>,
        served: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { variable, url, running: Some(Running { stop, served: tokio::spawn(served) }) }
    }

    /// Returns `true` if others run it.
    pub(super) fn is_external(&self) -> bool {
        self.running.is_none()
    }

    /// Stops it and waits for its end.
    pub(super) async fn stop(self) {
        if let Some(Running { stop, served }) = self.running {
            drop(stop);
            // Why it ended, if it has ended already, does not matter.
            let _ = served.await;
        }
    }
}

/// Adds to `credentials` the variables with which an SDK reaches these services. `AWS_DEFAULT_REGION` is the name that
/// version 1 of aws-cli reads.
pub(super) fn environment(services: &[Service], credentials: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let region = [("AWS_REGION", REGION), ("AWS_DEFAULT_REGION", REGION)];
    let urls = services.iter().map(|service| (service.variable, service.url.as_str()));
    let variables = region.into_iter().chain(urls).map(|(name, value)| (name.to_owned(), value.to_owned()));
    credentials.into_iter().chain(variables).collect()
}
