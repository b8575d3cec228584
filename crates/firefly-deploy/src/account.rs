//! The AWS account and region that stacks are deployed to, and the limits of waits.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::aws_error::{AwsError, causes};
use crate::environment::{self, Bootstrap, ConnectError, EnvironmentName};

/// The longest wait for a TCP and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for one try of a call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait for a call, its retries included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(90);
/// The tries of a call. CloudFormation throttles describes when many stacks are deployed at once.
const ATTEMPTS: u32 = 6;
/// The prefix of the names of this program's change sets. Other change sets are never touched.
pub(crate) const CHANGE_SET_PREFIX: &str = "firefly-deploy-";

/// The limits of a wait for AWS.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// The time between two looks.
    pub interval: Duration,
    /// The number of looks after which a wait is given up.
    pub looks: u32,
}

impl Waits {
    /// Looks every five seconds, for so many minutes.
    #[must_use]
    pub fn minutes(minutes: u32) -> Self {
        let interval = Duration::from_secs(5);
        Self { interval, looks: minutes.saturating_mul(12).max(1) }
    }

    fn limit_minutes(self) -> u64 {
        self.interval.saturating_mul(self.looks).as_secs() / 60
    }
}

/// The options of the work on an account.
pub struct AccountOptions {
    /// The environment to work on, which must be the one that the account holds.
    pub environment: EnvironmentName,
    /// The role that CloudFormation assumes; `None` means the caller's own permissions, or the stack's earlier role.
    pub role_arn: Option<String>,
    /// The limits of every wait.
    pub waits: Waits,
    /// The number that tells the change sets of this run from those of others.
    pub run: u64,
    /// `true` if buckets are addressed by path (`/bucket/key`), which endpoints other than AWS's need.
    pub s3_path_style: bool,
    /// Takes each line of progress.
    pub progress: Box<dyn Fn(&str)>,
}

/// An AWS account in one region that holds the environment asked for.
///
/// Only [`Account::new`] makes one, after it has compared the names.
pub struct Account {
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) region: String,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) role_arn: Option<String>,
    waits: Waits,
    run: u64,
    change_sets: AtomicU32,
    progress: Box<dyn Fn(&str)>,
}

impl Account {
    /// Connects to the account that the process environment names.
    ///
    /// The environment has the region, credentials or a profile, and perhaps `AWS_ENDPOINT_URL` or its variants for single
    /// services.
    ///
    /// # Errors
    ///
    /// [`AwsError::NoRegion`], [`AwsError::NoCredentials`] and those of [`Account::new`].
    pub async fn connect(options: AccountOptions) -> Result<Self, ConnectError> {
        let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .load()
            .await;
        if config.region().is_none() {
            return Err(AwsError::NoRegion.into());
        }
        let provider = config.credentials_provider().ok_or(AwsError::NoCredentials { cause: None })?;
        provider.provide_credentials().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => AwsError::NoCredentials { cause: None },
            error => AwsError::NoCredentials { cause: Some(causes(&error)) },
        })?;
        Self::new(&config, options).await
    }

    /// Connects to the account that a configuration names.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the account does not hold the environment, or does not say so.
    pub async fn new(config: &SdkConfig, options: AccountOptions) -> Result<Self, ConnectError> {
        let region = config.region().ok_or(AwsError::NoRegion)?.to_string();
        let cloudformation = aws_sdk_cloudformation::Client::new(config);
        let bootstrap = environment::compare(&cloudformation, &region, &options.environment).await?;
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(options.s3_path_style).build();
        Ok(Self {
            cloudformation,
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            region,
            bootstrap,
            role_arn: options.role_arn,
            waits: options.waits,
            run: options.run,
            change_sets: AtomicU32::new(1),
            progress: options.progress,
        })
    }

    /// Returns the account's number.
    pub(crate) async fn id(&self) -> Result<String, AwsError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let identity = self.sts.get_caller_identity().send().await;
        let identity = identity.map_err(|error| AwsError::call(OPERATION, error))?;
        identity.account.ok_or_else(|| AwsError::incomplete(OPERATION, "Account"))
    }

    /// Returns a name that no change set has yet.
    pub(crate) fn change_set_name(&self) -> String {
        let number = self.change_sets.fetch_add(1, Ordering::Relaxed);
        format!("{CHANGE_SET_PREFIX}{}-{number}", self.run)
    }

    pub(crate) fn progress(&self, line: &str) {
        (self.progress)(line);
    }

    /// Waits for the time of so many looks.
    pub(crate) async fn pause(&self, looks: u32) {
        tokio::time::sleep(self.waits.interval.saturating_mul(looks)).await;
    }

    /// Looks until `look` is ready, within the limits. Shows each new state as progress.
    pub(crate) async fn wait<T, E: From<AwsError>>(
        &self,
        subject: &str,
        mut look: impl AsyncFnMut() -> Result<Poll<T>, E>,
    ) -> Result<T, E> {
        let mut shown = String::new();
        for _ in 0..self.waits.looks {
            match look().await? {
                Poll::Ready(value) => return Ok(value),
                Poll::Pending(state) => {
                    if state != shown {
                        self.progress(&format!("{subject}: {state}"));
                        shown = state;
                    }
                }
            }
            tokio::time::sleep(self.waits.interval).await;
        }
        let minutes = self.waits.limit_minutes();
        Err(AwsError::StillBusy { subject: subject.to_owned(), state: shown, minutes }.into())
    }
}

/// The result of a look at something that takes time.
pub(crate) enum Poll<T> {
    /// It has ended, with this result.
    Ready(T),
    /// It goes on, in this state.
    Pending(String),
}
