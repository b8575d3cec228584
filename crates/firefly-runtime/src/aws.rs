//! AWS: one configuration for the clients of all services, region and credentials straight from the environment.

mod calls;
mod reconnect;
mod user_agent;
mod warm_up;

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};

pub use calls::{CallTimer, Calls};
pub(crate) use reconnect::FirstByte;
pub use reconnect::Repeatable;
pub use user_agent::UserAgent;

use reconnect::Reconnecting;
use warm_up::WarmUp;

use crate::environment::{ConfigError, Environment};

/// The root certificates of Amazon Trust Services, which sign every AWS endpoint (PEM).
const AMAZON_ROOTS: &str = include_str!("../roots/amazon.pem");

/// Longest wait for a TCP and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for one try of a call that carries little.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for a call that carries little, its retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// AWS as one function reaches it.
///
/// Read from the environment: `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` (set by
/// Lambda); the SDKs' own `AWS_ENDPOINT_URL_…` of a service and `AWS_ENDPOINT_URL` of all, which lead to other endpoints
/// unless `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is `true`; `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`; and
/// `FIREFLY_TRUST_MACHINE_ROOTS`.
pub struct Aws {
    environment: Environment,
    config: SdkConfig,
    endpoints_ignored: bool,
    /// The root certificates that are asked for: the machine's or Amazon's.
    trusts_machine: Option<bool>,
    /// The connector that trusts Amazon's root certificates.
    amazon: OnceLock<SharedHttpConnector>,
    /// The connector that trusts the machine's.
    machine: OnceLock<SharedHttpConnector>,
    warm_up: WarmUp,
}

/// One service of AWS, of which its client is made.
pub struct Service<'a> {
    config: SdkConfig,
    connector: SharedHttpConnector,
    warm_up: &'a WarmUp,
}

impl Aws {
    /// The configuration that the environment describes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when region or credentials are missing, or a switch is neither `true` nor `false`.
    pub fn new(environment: &Environment) -> Result<Self, ConfigError> {
        let credentials = Credentials::new(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.optional("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let mut config = SdkConfig::builder();
        config.set_use_fips(environment.switch("AWS_USE_FIPS_ENDPOINT")?);
        config.set_use_dual_stack(environment.switch("AWS_USE_DUALSTACK_ENDPOINT")?);
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.required("AWS_REGION")?))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            // They are constant: a cache would only cost.
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)))
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            // The time limits do that, and a request's deadline where a body is read.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let (amazon, machine, warm_up) = (OnceLock::new(), OnceLock::new(), WarmUp::default());
        let endpoints_ignored = environment.switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.unwrap_or(false);
        let trusts_machine = environment.switch("FIREFLY_TRUST_MACHINE_ROOTS")?;
        Ok(Self {
            environment: environment.clone(),
            config,
            endpoints_ignored,
            trusts_machine,
            amazon,
            machine,
            warm_up,
        })
    }

    /// The service that the variable `endpoint_variable` may lead to another endpoint.
    ///
    /// At an `https` endpoint of a variable the machine's root certificates are trusted, else Amazon's: reading the
    /// machine's takes longer than everything else that a function does when it starts. `FIREFLY_TRUST_MACHINE_ROOTS`
    /// chooses for every endpoint.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TrustStore`] when the root certificates cannot be used.
    pub fn service(&self, endpoint_variable: &str) -> Result<Service<'_>, ConfigError> {
        let endpoint = if self.endpoints_ignored { None } else { self.endpoint(endpoint_variable) };
        let elsewhere = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("https:"));
        let connector = self.connector(self.trusts_machine.unwrap_or(elsewhere))?;
        let mut config = self.config.to_builder();
        let shared = connector.clone();
        config.set_http_client(Some(http_client_fn(move |_, _| shared.clone())));
        config.set_endpoint_url(endpoint);
        Ok(Service { config: config.build(), connector, warm_up: &self.warm_up })
    }

    fn endpoint(&self, variable: &str) -> Option<String> {
        self.environment.optional(variable).or_else(|| self.environment.optional("AWS_ENDPOINT_URL"))
    }

    /// Opens the connections that [`Service::open_ahead`] has asked for.
    pub async fn warm_up(self, deadline: Duration) {
        self.warm_up.run(deadline).await;
    }

    /// The one connector, and with it the one pool of connections, of the clients that trust the same certificates. They
    /// differ in no setting it knows.
    fn connector(&self, machine_roots: bool) -> Result<SharedHttpConnector, ConfigError> {
        let kept = if machine_roots { &self.machine } else { &self.amazon };
        let connector = match kept.get() {
            Some(connector) => connector,
            None => {
                let made = connector(machine_roots)?;
                kept.get_or_init(|| made)
            }
        };
        Ok(connector.clone())
    }
}

impl Service<'_> {
    /// The configuration of the service's client. [`UserAgent`] is added to it, and [`CallTimer`] where the calls are part
    /// of a request.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Has this many connections to the host of `url`, which the client will call, opened ahead.
    pub fn open_ahead(&self, url: &str, connections: usize) {
        for _ in 0..connections {
            self.warm_up.add(self.connector.clone(), url.to_owned());
        }
    }
}

fn trust_store(machine_roots: bool) -> TrustStore {
    if machine_roots { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) }
}

fn connector(machine_roots: bool) -> Result<SharedHttpConnector, ConfigError> {
    let tls = TlsContext::builder()
        .with_trust_store(trust_store(machine_roots))
        .build()
        .map_err(|error| ConfigError::TrustStore(error.to_string()))?;
    let builder = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build());
    let make = move || SharedHttpConnector::new(builder.clone().build());
    Ok(SharedHttpConnector::new(Reconnecting::new(make)))
}

/// The time limits of a client's calls: of one attempt, and of all attempts together.
pub fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

#[cfg(test)]
mod tests;
