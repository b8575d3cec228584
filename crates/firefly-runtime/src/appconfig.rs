//! The configuration of a function: the log level, from AppConfig's profile `logging`.
//!
//! AppConfig being absent, unreachable or wrong is never an outage: the defaults of the shared layer hold, else WARN.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_appconfigdata::Client;
use aws_sdk_appconfigdata::config::Builder;
use aws_sdk_appconfigdata::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_appconfigdata::error::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use bytes::Bytes;
use firefly_core::time::UnixSeconds;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::aws::{Aws, FirstByte, Repeatable, Service, UserAgent};
use crate::environment::{ConfigError, Environment};
use crate::log::{LogLevel, SharedLevel};

/// The variable that leads to another endpoint than AWS's.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_APPCONFIGDATA";
/// The configuration profile.
const PROFILE: &str = "logging";
/// The longest time that one request waits for refreshes, before it is handled and after it together.
const PATIENCE: Duration = Duration::from_millis(300);
/// The longest wait for the head of an answer on an old connection: a new one has to answer within the patience of this
/// request and the next.
const FIRST_BYTE: Duration = Duration::from_millis(200);
/// Seconds between polls unless AppConfig says otherwise; the least it accepts is 15.
const POLL_INTERVAL_SECONDS: u64 = 45;

/// The message of a refresh that failed.
const NOT_REFRESHED: &str = "the configuration was not refreshed";

/// The content of the profile `logging`.
#[derive(Deserialize)]
struct Logging {
    logging: LogLevel,
}

/// The content of the shared layer's `firefly/defaults.json`: a member per profile.
#[derive(Deserialize)]
struct Defaults {
    logging: Logging,
}

/// The configuration, as it was last read.
pub(crate) struct Configuration {
    level: SharedLevel,
    source: Option<Arc<Source>>,
    schedule: Mutex<Schedule>,
}

#[derive(Default)]
struct Schedule {
    polled_at: Option<UnixSeconds>,
    refresh: Option<JoinHandle<()>>,
}

/// The place where the profile is read.
struct Source {
    level: SharedLevel,
    default_level: LogLevel,
    application: String,
    environment: String,
    via: Via,
    /// The token of the running session of aws-sdk-appconfigdata.
    token: Mutex<Option<String>>,
    poll_interval_seconds: Mutex<u64>,
}

enum Via {
    /// The AppConfig extension, on its local port.
    Extension { port: u16 },
    /// The AppConfig data API.
    Api(Client),
}

/// The reason for which a refresh changed nothing, for the log.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("AppConfig did not answer in time")]
    Timeout,
    #[error("AppConfig cannot be reached: {0}")]
    Unreachable(String),
    #[error("the profile logging is not of the form {{\"logging\":\"INFO\"}}")]
    Malformed,
}

impl Configuration {
    /// The defaults, and the source that `APP_CONFIG_ENV` (an AppConfig environment) and
    /// `AWS_APPCONFIG_EXTENSION_HTTP_PORT` (set when the extension's layer is attached) describe.
    pub(crate) fn new(function_name: &str, environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let defaults = environment.defaults().and_then(|text| serde_json::from_str::<Defaults>(text).ok());
        let default_level = defaults.map_or(LogLevel::WARN, |defaults| defaults.logging.logging);
        let level = SharedLevel::new(default_level);
        let port = environment
            .optional("AWS_APPCONFIG_EXTENSION_HTTP_PORT")
            .map(|text| {
                let name = "AWS_APPCONFIG_EXTENSION_HTTP_PORT";
                text.parse().map_err(|_| ConfigError::Invalid { name, expected: "a port" })
            })
            .transpose()?;
        let source = match environment.optional("APP_CONFIG_ENV") {
            None => None,
            Some(environment) => Some(Arc::new(Source {
                level: level.clone(),
                default_level,
                application: function_name.to_owned(),
                environment,
                via: match port {
                    Some(port) => Via::Extension { port },
                    None => Via::Api(client(aws)?),
                },
                token: Mutex::new(None),
                poll_interval_seconds: Mutex::new(POLL_INTERVAL_SECONDS),
            })),
        };
        Ok(Self { level, source, schedule: Mutex::default() })
    }

    /// The log level, which refreshes change in place.
    pub(crate) fn level(&self) -> &SharedLevel {
        &self.level
    }

    /// Called at the start of every request. A refresh that an earlier request has left behind ends here: it is done in
    /// time or given up. Where the poll interval has passed a new one starts beside the request.
    ///
    /// Returns the end of this request's patience, for [`Self::settle`].
    pub(crate) async fn begin(&self, now: UnixSeconds) -> Instant {
        let until = Instant::now() + PATIENCE;
        let Some(source) = &self.source else { return until };
        let running = lock(&self.schedule).refresh.take();
        if let Some(mut running) = running
            && timeout_at(until, &mut running).await.is_err()
        {
            running.abort();
            source.log(&RefreshError::Timeout).await;
        }
        let mut schedule = lock(&self.schedule);
        let interval = *lock(&source.poll_interval_seconds);
        if schedule.polled_at.is_none_or(|at| at.saturating_add(interval) <= now) {
            schedule.polled_at = Some(now);
            schedule.refresh = Some(tokio::spawn(Arc::clone(source).run()));
        }
        until
    }

    /// Called when a request has been handled: the refresh that it has started goes on until it is done or `until` has
    /// come. Lambda freezes the process once it has the reply.
    pub(crate) async fn settle(&self, until: Instant) {
        let running = lock(&self.schedule).refresh.take();
        if let Some(mut running) = running
            && timeout_at(until, &mut running).await.is_err()
        {
            lock(&self.schedule).refresh = Some(running);
        }
    }
}

impl Source {
    /// One refresh. It has no deadline of its own, which would pass while the process is frozen: the requests' patience
    /// bounds it.
    async fn run(self: Arc<Self>) {
        match self.read().await {
            Ok(Some(level)) => self.level.set(level),
            Ok(None) => {}
            Err(error) => self.log(&error).await,
        }
    }

    /// Logs a failure as loudly as somebody can do something about it: a profile has an author.
    async fn log(&self, error: &RefreshError) {
        let log = async {
            match error {
                RefreshError::Malformed => tracing::warn!(cause = %error, "{NOT_REFRESHED}"),
                RefreshError::Timeout | RefreshError::Unreachable(_) => {
                    tracing::info!(cause = %error, "{NOT_REFRESHED}");
                }
            }
        };
        self.level.scope(log).await;
    }

    /// The level that the profile holds; `None` when it is as it was.
    async fn read(&self) -> Result<Option<LogLevel>, RefreshError> {
        match &self.via {
            Via::Extension { port } => self.read_extension(*port).await,
            Via::Api(client) => self.read_api(client).await,
        }
    }

    /// Source: AppConfig User Guide, "Using AWS AppConfig Agent with AWS Lambda".
    async fn read_extension(&self, port: u16) -> Result<Option<LogLevel>, RefreshError> {
        let unreachable = |error: &dyn std::fmt::Display| RefreshError::Unreachable(error.to_string());
        let path =
            format!("/applications/{}/environments/{}/configurations/{PROFILE}", self.application, self.environment);
        let request = http::Request::get(path)
            .header(http::header::HOST, "localhost")
            .body(Empty::<Bytes>::new())
            .map_err(|error| unreachable(&error))?;
        let stream = TcpStream::connect(("localhost", port)).await.map_err(|error| unreachable(&error))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await.map(|body| (status, body.to_bytes()))
        };
        // The connection has to be driven while the exchange waits for it.
        let exchanged = tokio::select! {
            exchanged = exchange => exchanged,
            Err(error) = connection => Err(error),
        };
        let (status, body) = exchanged.map_err(|error| unreachable(&error))?;
        if !status.is_success() {
            return Err(unreachable(&status));
        }
        self.parse(&body).map(Some)
    }

    async fn read_api(&self, client: &Client) -> Result<Option<LogLevel>, RefreshError> {
        let kept = lock(&self.token).take();
        if let Some(token) = kept {
            match self.latest(client, token).await {
                // A session's token lives for 24 hours; an expired one starts a new session.
                Err(error) if error.code() == Some("BadRequestException") => {}
                Err(error) => return Err(RefreshError::Unreachable(describe(&error))),
                Ok(content) => return content.map(|content| self.parse(&content)).transpose(),
            }
        }
        let session = client
            .start_configuration_session()
            .application_identifier(&self.application)
            .environment_identifier(&self.environment)
            .configuration_profile_identifier(PROFILE)
            .send()
            .await
            .map_err(|error| RefreshError::Unreachable(describe(&error)))?;
        let token = session.initial_configuration_token.ok_or(RefreshError::Malformed)?;
        let content = self.latest(client, token).await.map_err(|error| RefreshError::Unreachable(describe(&error)))?;
        content.map(|content| self.parse(&content)).transpose()
    }

    /// The profile's content; `None` when it is as it was.
    async fn latest(
        &self,
        client: &Client,
        token: String,
    ) -> Result<
        Option<Vec<u8>>,
        SdkError<aws_sdk_appconfigdata::operation::get_latest_configuration::GetLatestConfigurationError>,
    > {
        let latest = client.get_latest_configuration().configuration_token(token).send().await?;
        *lock(&self.token) = latest.next_poll_configuration_token;
        if let Ok(seconds) = u64::try_from(latest.next_poll_interval_in_seconds)
            && seconds > 0
        {
            *lock(&self.poll_interval_seconds) = seconds;
        }
        Ok(latest.configuration.map(|content| content.into_inner()).filter(|content| !content.is_empty()))
    }

    /// A profile without content means the defaults.
    fn parse(&self, content: &[u8]) -> Result<LogLevel, RefreshError> {
        if content.is_empty() {
            return Ok(self.default_level);
        }
        serde_json::from_slice::<Logging>(content).map(|profile| profile.logging).map_err(|_| RefreshError::Malformed)
    }
}

/// The client of the AppConfig data API, with a connection opened ahead.
fn client(aws: &Aws) -> Result<Client, ConfigError> {
    let service = aws.service(ENDPOINT)?;
    service.open_ahead(&url(&service)?, 1);
    // A session that is started and never used is harmless. GetLatestConfiguration is a GET.
    let config = Builder::from(service.config())
        .interceptor(UserAgent)
        .interceptor(Repeatable(&["StartConfigurationSession"]))
        .interceptor(FirstByte(FIRST_BYTE));
    // Limits of the SDK would pass while the process is frozen.
    Ok(Client::from_conf(config.timeout_config(TimeoutConfig::disabled()).build()))
}

/// The URL that a client calls.
fn url(service: &Service<'_>) -> Result<String, ConfigError> {
    let config = service.config();
    let params = Params::builder()
        .set_region(config.region().map(ToString::to_string))
        .set_endpoint(config.endpoint_url().map(str::to_owned))
        .set_use_fips(config.use_fips())
        .set_use_dual_stack(config.use_dual_stack())
        .build()
        .map_err(|error| unusable(&error))?;
    // The rules are computed, not asked for.
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never();
    let endpoint = endpoint.ok_or_else(|| unusable(&"its endpoint is not known at once"))?;
    Ok(endpoint.map_err(|error| unusable(&error))?.url().to_owned())
}

fn unusable(cause: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Endpoint { service: "AppConfig", cause: cause.to_string() }
}

fn describe<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.as_service_error().and_then(|error| error.code()).unwrap_or("no answer").to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
