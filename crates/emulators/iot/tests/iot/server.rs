//! A server of a registry, with a client and a clock.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_iot::Client;
use aws_sdk_iot::config::retry::RetryConfig;
use aws_sdk_iot::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_iot::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iot::types::CertificateStatus;
use emulator_iot::{Authority, Registry, Settings, serve};
use emulator_kit::{Grants, Limits, Listener, Principal, Principals};
use rcgen::{CertificateParams, KeyPair};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";

/// A policy that allows everything.
pub(crate) const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

/// The time at which every test's clock starts, in seconds since the epoch: 2026-11-27T00:00:00Z.
pub(crate) const START: u64 = 1_795_737_600;

/// One authority for all tests: a new one takes a moment.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::generate().unwrap());

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Settings of the tests' account, with a clock of their own.
pub(crate) fn settings() -> (Settings, Clock) {
    let clock = Clock(Arc::new(AtomicU64::new(START * 1000)));
    let moved = clock.clone();
    let settings = Settings::new(ACCOUNT, REGION).with_authority(AUTHORITY.clone());
    (settings.with_clock(move || moved.now()), clock)
}

/// A registry in memory, its server and a client that may do everything.
pub(crate) struct Server {
    pub(crate) registry: Registry,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) url: String,
}

/// Starts a server of a registry in memory.
pub(crate) async fn start() -> Server {
    let (settings, clock) = settings();
    let registry = Registry::memory(settings).unwrap();
    let url = serve_for(&registry, Grants::Everything, std::future::pending()).await.0;
    Server { client: client(&url, "secret"), registry, clock, url }
}

/// Serves a registry to `principal` with the secret `secret` until `until` resolves.
pub(crate) async fn serve_for(
    registry: &Registry,
    grants: Grants,
    until: impl Future<Output = ()> + Send + 'static,
) -> (String, tokio::task::JoinHandle<()>) {
    let listener = Listener::loopback(Limits::default()).await.unwrap();
    let url = listener.url();
    let principals = Principals::new([Principal {
        access_key_id: "principal".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
        grants,
    }]);
    (url, tokio::spawn(serve(listener, registry.clone(), principals, until)))
}

/// A client that calls each operation once.
pub(crate) fn client(url: &str, secret: &str) -> Client {
    let config = aws_sdk_iot::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new("principal", secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// The status, the name and the message of a refusal.
pub(crate) fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(
    answer: Result<T, SdkError<E>>,
) -> (u16, String, String) {
    let error = answer.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    (status, error.code().unwrap().to_owned(), error.message().unwrap_or_default().to_owned())
}

/// Asserts the status and the name of a refusal.
#[track_caller]
pub(crate) fn assert_refused<T: Debug, E: ProvideErrorMetadata + Debug>(
    answer: Result<T, SdkError<E>>,
    status: u16,
    name: &str,
) {
    let refusal = refusal(answer);
    assert_eq!((refusal.0, refusal.1.as_str()), (status, name), "{}", refusal.2);
}

/// A certificate signing request of a new key, P-256.
pub(crate) fn csr() -> String {
    csr_of(&KeyPair::generate().unwrap())
}

pub(crate) fn csr_of(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

/// The id and the ARN of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    pub(crate) arn: String,
}

impl Server {
    /// Makes a certificate.
    pub(crate) async fn certificate(&self, is_active: bool) -> Certificate {
        let call = self.client.create_certificate_from_csr().certificate_signing_request(csr());
        let made = call.set_as_active(is_active).send().await.unwrap();
        Certificate { id: made.certificate_id.unwrap(), arn: made.certificate_arn.unwrap() }
    }

    pub(crate) async fn thing(&self, name: &str) {
        self.client.create_thing().thing_name(name).send().await.unwrap();
    }

    pub(crate) async fn policy(&self, name: &str, document: &str) {
        self.client.create_policy().policy_name(name).policy_document(document).send().await.unwrap();
    }

    pub(crate) async fn attach_policy(&self, name: &str, certificate: &Certificate) {
        self.client.attach_policy().policy_name(name).target(&certificate.arn).send().await.unwrap();
    }

    pub(crate) async fn attach_thing(&self, name: &str, certificate: &Certificate) {
        self.client.attach_thing_principal().thing_name(name).principal(&certificate.arn).send().await.unwrap();
    }

    pub(crate) async fn set_status(&self, certificate: &Certificate, status: CertificateStatus) {
        let call = self.client.update_certificate().certificate_id(&certificate.id).new_status(status);
        call.send().await.unwrap();
    }
}
