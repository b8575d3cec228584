//! The AWS SDK clients: one HTTP connector, region and credentials straight from the environment.

mod calls;
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

pub(crate) use calls::Calls;
pub(crate) use warm_up::WarmUp;

use crate::environment::{ConfigError, Environment};

/// The root certificates of Amazon Trust Services, which sign every AWS endpoint (PEM).
const AMAZON_ROOTS: &str = include_str!("../roots/amazon.pem");

/// Longest wait for a TCP and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for one try of a call that carries little.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for a call that carries little, its retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for one try of a call that carries a backup of up to 512 KiB.
const TRANSFER_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);
/// Longest wait for a call that carries a backup, its retries included.
const TRANSFER_OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the SDK clients of one function come from.
///
/// Read from the environment: `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` (set by
/// Lambda), and the SDKs' own `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_APPCONFIGDATA`,
/// which lead to other endpoints. Where one of those is `https`, the machine's root certificates are trusted, else
/// Amazon's: reading the machine's takes longer than everything else that a function does when it starts.
pub struct Aws {
    config: SdkConfig,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    warm_up: WarmUp,
    dynamodb_endpoint: Option<String>,
    s3_endpoint: Option<String>,
    appconfigdata_endpoint: Option<String>,
}

impl Aws {
    /// The configuration that the environment describes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when region or credentials are missing.
    pub fn new(environment: &Environment) -> Result<Self, ConfigError> {
        let endpoint = |name| environment.optional(name).map(str::to_owned);
        let dynamodb_endpoint = endpoint("AWS_ENDPOINT_URL_DYNAMODB");
        let s3_endpoint = endpoint("AWS_ENDPOINT_URL_S3");
        let appconfigdata_endpoint = endpoint("AWS_ENDPOINT_URL_APPCONFIGDATA");
        let endpoints = [&dynamodb_endpoint, &s3_endpoint, &appconfigdata_endpoint];
        let elsewhere = endpoints.into_iter().flatten().any(|endpoint| endpoint.starts_with("https:"));
        let connector = connector(elsewhere)?;
        let warm_up = WarmUp::new(connector.clone());
        let credentials = Credentials::new(
            environment.required("AWS_ACCESS_KEY_ID")?,
            environment.required("AWS_SECRET_ACCESS_KEY")?,
            environment.optional("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(environment.required("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            // They are constant: a cache would only cost.
            .identity_cache(IdentityCache::no_cache())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)))
            .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
            // The time limits do that, and a request's deadline where a body is read.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Ok(Self { config, dynamodb: OnceLock::new(), warm_up, dynamodb_endpoint, s3_endpoint, appconfigdata_endpoint })
    }

    /// The DynamoDB client, one for all tables.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let client = self.dynamodb.get_or_init(|| {
            let mut config = aws_sdk_dynamodb::config::Builder::from(&self.config)
                .interceptor(calls::CallTimer)
                .interceptor(user_agent::UserAgent);
            config.set_endpoint_url(self.dynamodb_endpoint.clone());
            aws_sdk_dynamodb::Client::from_conf(config.build())
        });
        client.clone()
    }

    /// An S3 client; other endpoints are addressed by path (`/bucket/key`).
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let mut config = aws_sdk_s3::config::Builder::from(&self.config)
            .interceptor(calls::CallTimer)
            .interceptor(user_agent::UserAgent)
            .timeout_config(timeouts(TRANSFER_ATTEMPT_TIMEOUT, TRANSFER_OPERATION_TIMEOUT))
            .force_path_style(self.s3_endpoint.is_some());
        config.set_endpoint_url(self.s3_endpoint.clone());
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Has a connection to DynamoDB opened ahead.
    pub(crate) fn warm_up_dynamodb(&self) {
        use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let params = Params::builder().set_region(self.region()).set_endpoint(self.dynamodb_endpoint.clone()).build();
        if let Ok(params) = params {
            self.warm_up.add(DefaultResolver::new().resolve_endpoint(&params));
        }
    }

    /// Has a connection to the bucket's host opened ahead.
    pub(crate) fn warm_up_s3(&self, bucket: &str) {
        use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let params = Params::builder()
            .set_region(self.region())
            .set_endpoint(self.s3_endpoint.clone())
            .force_path_style(self.s3_endpoint.is_some())
            .bucket(bucket)
            .build();
        if let Ok(params) = params {
            self.warm_up.add(DefaultResolver::new().resolve_endpoint(&params));
        }
    }

    /// Has a connection to AppConfig opened ahead.
    pub(crate) fn warm_up_appconfigdata(&self) {
        use aws_sdk_appconfigdata::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let endpoint = self.appconfigdata_endpoint.clone();
        if let Ok(params) = Params::builder().set_region(self.region()).set_endpoint(endpoint).build() {
            self.warm_up.add(DefaultResolver::new().resolve_endpoint(&params));
        }
    }

    /// What [`Self::warm_up_dynamodb`] and the others have asked for.
    pub(crate) fn into_warm_up(self) -> WarmUp {
        self.warm_up
    }

    fn region(&self) -> Option<String> {
        self.config.region().map(ToString::to_string)
    }

    /// An AppConfig data client.
    pub fn appconfigdata(&self) -> aws_sdk_appconfigdata::Client {
        let mut config = aws_sdk_appconfigdata::config::Builder::from(&self.config).interceptor(user_agent::UserAgent);
        config.set_endpoint_url(self.appconfigdata_endpoint.clone());
        aws_sdk_appconfigdata::Client::from_conf(config.build())
    }
}

/// The one connector, and with it the one pool of connections, of all clients. They differ in no setting it knows.
fn connector(machine_roots: bool) -> Result<SharedHttpConnector, ConfigError> {
    let trust_store =
        if machine_roots { TrustStore::default() } else { TrustStore::empty().with_pem_certificate(AMAZON_ROOTS) };
    let tls = TlsContext::builder()
        .with_trust_store(trust_store)
        .build()
        .map_err(|error| ConfigError::TrustStore(error.to_string()))?;
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .build();
    Ok(SharedHttpConnector::new(connector))
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
