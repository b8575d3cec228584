//! The log level of a function: AppConfig's files, its data API, its extension, and each of them failing.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod extension;

use std::fs::Permissions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use firefly_core::time::UnixSeconds;
use firefly_runtime::Metrics;
use firefly_runtime::log::{self, LogLevel};
use firefly_testkit::faults::{Call, Fault, FaultResponse, Faults};
use firefly_testkit::{Invoked, START, TestCloud};
use serde_json::Value;
use tempfile::TempDir;
use tracing::subscriber::DefaultGuard;

/// The seconds that the local AppConfig tells a function to wait between polls.
const POLL_INTERVAL: u64 = 15;

/// The log of the functions of this thread.
struct Logs {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

#[derive(Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// Captures what is logged on this thread, as a function's binary logs it.
    fn capture() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink(Arc::clone(&text));
        let subscriber = log::subscriber(move || sink.clone(), LogLevel::WARN);
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The messages logged since the last call, with their levels.
    fn take(&self) -> Vec<(String, String)> {
        let text = std::mem::take(&mut *self.text.lock().unwrap());
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let member = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        lines.map(|line| (member(&line, "level"), member(&line, "message"))).collect()
    }

    /// Returns `true` if an answered request has been logged since the last call: such requests are logged from INFO on.
    fn informed(&self) -> bool {
        self.take().contains(&("INFO".to_owned(), "answered".to_owned()))
    }
}

/// A data directory with a signing key, for the configurations of one test.
fn data_dir() -> TempDir {
    let owner_only = Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new().permissions(owner_only).tempdir().unwrap();
    // Making a key takes long; one is made only where there is no key to copy.
    let key = "jwt-signing-key.pem";
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-signing-key").join(key);
    let _ = std::fs::copy(shared, dir.path().join(key));
    dir
}

/// Writes a profile `logging`: that of one function, or of all.
fn configure(dir: &TempDir, function: Option<&str>, content: &str) {
    let dir = function.iter().fold(dir.path().join("appconfig"), |dir: PathBuf, function| dir.join(function));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("logging.json"), content).unwrap();
}

/// A warm or cold execution environment of a function.
struct Instance(Invoked);

const HEALTH: &str = "func-api-health-get";

impl Instance {
    /// A function of this template's environment and these variables, with the text of the shared layer's defaults.
    fn new<const N: usize>(
        cloud: &TestCloud,
        name: &str,
        variables: [(&str, &str); N],
        defaults: Option<&str>,
    ) -> Self {
        let environment = Invoked::environment(cloud, name, &variables).with_defaults(defaults.map(str::to_owned));
        Self(Invoked::start(name, &environment, Metrics::new(io::sink())))
    }

    /// Sends a request so many seconds after the start; it has to be answered within `time_left`.
    async fn invoke(&self, seconds: u64, time_left: Duration) -> firefly_device::Response {
        self.0.answer_within(UnixSeconds::new(START + seconds), time_left, &self.0.event()).await
    }

    /// Sends a request that is answered, and returns whether it has been logged.
    async fn informs(&self, logs: &Logs, seconds: u64) -> bool {
        logs.take();
        assert_eq!(self.invoke(seconds, Duration::from_secs(5)).await.status, 200);
        logs.informed()
    }
}

/// The variables of a function that asks the AppConfig data API at this URL.
fn asking(url: &str) -> [(&str, &str); 2] {
    [("APP_CONFIG_ENV", "test"), ("AWS_ENDPOINT_URL_APPCONFIGDATA", url)]
}

const DEFAULT_INFO: Option<&str> = Some(r#"{"logging":{"logging":"INFO"}}"#);

#[tokio::test]
async fn the_level_comes_from_the_file_of_all_functions_or_the_functions_own() {
    let logs = Logs::capture();
    let dir = data_dir();
    configure(&dir, None, r#"{"logging":"INFO"}"#);
    configure(&dir, Some("firefly-func-api-devices-backup-get"), r#"{"logging":"ERROR"}"#);
    let cloud = TestCloud::start_in(dir.path()).await;
    // The first request of each function has its configuration fetched.
    let unsigned = "/devices/2d411e72-6f5c-4d4c-9d3a-1f8a54c4c2f1";
    let requests = [
        ("GET", "/health".to_owned()),
        ("GET", format!("{unsigned}/backup")),
        ("DELETE", format!("{unsigned}/backup")),
    ];
    for (method, path) in &requests {
        cloud.request(method, path, &[], None).await;
    }
    logs.take();
    let mut logged = Vec::new();
    for (method, path) in &requests {
        cloud.request(method, path, &[], None).await;
        logged.push(logs.take());
    }
    let line = |level: &str, message: &str| vec![(level.to_owned(), message.to_owned())];
    assert_eq!(logged, [line("INFO", "answered"), vec![], line("WARN", "refused")]);
    cloud.stop().await;
}

#[tokio::test]
async fn without_a_configuration_the_defaults_hold() {
    let logs = Logs::capture();
    let dir = data_dir();
    let cloud = TestCloud::start_in(dir.path()).await;
    for _ in 0..2 {
        assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
        assert_eq!(cloud.request("GET", "/devices/x/backup", &[], None).await.status, 400);
    }
    let refused = ("WARN".to_owned(), "refused".to_owned());
    assert_eq!(logs.take(), [refused.clone(), refused]);
}

#[tokio::test]
async fn a_change_reaches_a_warm_function_at_the_poll_interval() {
    let logs = Logs::capture();
    let dir = data_dir();
    configure(&dir, None, r#"{"logging":"INFO"}"#);
    let cloud = TestCloud::start_in(dir.path()).await;
    let informs = async || {
        assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
        logs.informed()
    };
    informs().await;
    assert!(informs().await);
    configure(&dir, None, r#"{"logging":"ERROR"}"#);
    cloud.advance(POLL_INTERVAL - 1);
    assert!(informs().await && informs().await, "the level is cached");
    cloud.advance(1);
    // The refresh runs beside this request and applies at the latest to the next.
    informs().await;
    assert!(!informs().await);
    configure(&dir, None, r#"{"logging":"INFO"}"#);
    cloud.advance(POLL_INTERVAL);
    informs().await;
    assert!(informs().await);
}

#[tokio::test]
async fn a_malformed_configuration_changes_nothing() {
    let logs = Logs::capture();
    let dir = data_dir();
    let cloud = TestCloud::start_in(dir.path()).await;
    let instance = Instance::new(&cloud, HEALTH, asking(cloud.appconfigdata_endpoint()), DEFAULT_INFO);
    let malformed =
        ["", "INFO", r#"{"logging":"LOUD"}"#, r#"{"logging":5}"#, "[]", "{}", r#"{"logging":{"logging":"ERROR"}}"#];
    let mut now = 0;
    for content in malformed {
        configure(&dir, None, content);
        instance.informs(&logs, now).await;
        assert!(instance.informs(&logs, now).await, "{content}");
        now += POLL_INTERVAL;
    }
    configure(&dir, None, r#"{"logging":"WARN"}"#);
    instance.informs(&logs, now).await;
    assert!(!instance.informs(&logs, now).await);
}

#[tokio::test]
async fn a_malformed_configuration_is_a_warning() {
    let logs = Logs::capture();
    let dir = data_dir();
    let cloud = TestCloud::start_in(dir.path()).await;
    let instance = Instance::new(&cloud, HEALTH, asking(cloud.appconfigdata_endpoint()), None);
    configure(&dir, None, r#"{"logging":"LOUD"}"#);
    instance.invoke(0, Duration::from_secs(5)).await;
    instance.invoke(1, Duration::from_secs(5)).await;
    assert_eq!(logs.take(), [("WARN".to_owned(), "the configuration was not refreshed".to_owned())]);
    // A profile that is put right ends it, and one that is absent is none of it.
    configure(&dir, None, r#"{"logging":"ERROR"}"#);
    for seconds in [100, 101, 200, 201] {
        instance.invoke(seconds, Duration::from_secs(5)).await;
    }
    assert_eq!(logs.take(), []);
}

#[tokio::test]
async fn malformed_defaults_mean_warn() {
    let logs = Logs::capture();
    let cloud = TestCloud::start().await;
    for (defaults, informs) in [
        (None, false),
        (Some("{"), false),
        (Some(r#"{"logging":{"logging":"LOUD"}}"#), false),
        (Some(r#"{"logging":"INFO"}"#), false),
        (DEFAULT_INFO, true),
        (Some(r#"{"logging":{"logging":"info"},"other":{}}"#), true),
    ] {
        let instance = Instance::new(&cloud, HEALTH, [], defaults);
        assert_eq!(instance.informs(&logs, 0).await, informs, "{defaults:?}");
    }
}

#[tokio::test]
async fn an_outage_of_appconfig_does_not_fail_the_function() {
    let logs = Logs::capture();
    let dir = data_dir();
    configure(&dir, None, r#"{"logging":"WARN"}"#);
    let cloud = TestCloud::start_in(dir.path()).await;
    let faults = Faults::default();
    let url = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    let outages = [
        Fault::json_error(500, "InternalServerException"),
        Fault::json_error(400, "ThrottlingException"),
        Fault::json_error(400, "BadRequestException"),
        Fault::json_error(403, "AccessDeniedException"),
        Fault::json_error(404, "ResourceNotFoundException"),
        Fault::bytes(200, "not what is expected"),
        Fault::DropCall,
        Fault::DropAnswer,
    ];
    for call in [Call::StartSession, Call::LatestConfiguration] {
        for outage in &outages {
            faults.every(call, outage.clone());
            let instance = Instance::new(&cloud, HEALTH, asking(&url), DEFAULT_INFO);
            assert!(instance.informs(&logs, 0).await, "{call:?} {outage:?}");
            assert!(instance.informs(&logs, 1).await, "{call:?} {outage:?}");
            faults.mend();
            // The interval was not told: AppConfig is asked again after the function's own interval.
            instance.informs(&logs, 60).await;
            assert!(!instance.informs(&logs, 61).await, "{call:?} {outage:?}");
        }
    }
}

#[tokio::test]
async fn a_failed_refresh_is_logged_with_its_cause() {
    let logs = Logs::capture();
    let cloud = TestCloud::start().await;
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let instance = Instance::new(&cloud, HEALTH, asking(&url), DEFAULT_INFO);
    instance.invoke(0, Duration::from_secs(5)).await;
    instance.invoke(1, Duration::from_secs(5)).await;
    let not_refreshed = ("INFO".to_owned(), "the configuration was not refreshed".to_owned());
    assert!(logs.take().contains(&not_refreshed));
}

#[tokio::test]
async fn an_appconfig_that_never_answers_does_not_delay_requests() {
    let logs = Logs::capture();
    let cloud = TestCloud::start().await;
    let faults = Faults::default();
    let url = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    faults.every(Call::StartSession, Fault::Hold(Box::new(Fault::DropCall)));
    let instance = Instance::new(&cloud, HEALTH, asking(&url), DEFAULT_INFO);
    assert!(instance.informs(&logs, 0).await);
    faults.arrived(Call::StartSession, 1).await;
    // This one waits for the refresh, no longer than its patience.
    assert!(instance.informs(&logs, 1).await);
    assert!(instance.informs(&logs, 2).await);
    assert_eq!(faults.count(Call::StartSession), 1);
}

#[tokio::test]
async fn the_wait_for_a_refresh_counts_towards_the_functions_deadline() {
    let cloud = TestCloud::start().await;
    let faults = Faults::default();
    let appconfig = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    let dynamodb = faults.in_front_of(cloud.endpoints().0).await;
    faults.every(Call::StartSession, Fault::Hold(Box::new(Fault::DropCall)));
    let [environment, endpoint] = asking(&appconfig);
    let variables = [environment, endpoint, ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str())];
    let instance = Instance::new(&cloud, "func-api-registration-keys-post", variables, None);
    // The function's timeout is longer than the refresh may take, and shorter than that and a call may take.
    let time_left = Duration::from_secs(2);
    assert_eq!(instance.invoke(0, time_left).await.status, 201);
    faults.every(Call::PutKey, Fault::Hold(Box::new(Fault::DropCall)));
    let answer = instance.invoke(1, time_left).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
}

#[tokio::test]
async fn an_expired_token_starts_a_new_session() {
    let logs = Logs::capture();
    let dir = data_dir();
    configure(&dir, None, r#"{"logging":"INFO"}"#);
    let cloud = TestCloud::start_in(dir.path()).await;
    let faults = Faults::default();
    let url = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    let instance = Instance::new(&cloud, HEALTH, asking(&url), None);
    instance.informs(&logs, 0).await;
    assert!(instance.informs(&logs, 1).await);
    // A session goes on for as long as its tokens are good.
    instance.informs(&logs, 100).await;
    assert!(instance.informs(&logs, 101).await);
    assert_eq!((faults.count(Call::StartSession), faults.count(Call::LatestConfiguration)), (1, 2));
    configure(&dir, None, r#"{"logging":"ERROR"}"#);
    faults.next(Call::LatestConfiguration, [Fault::json_error(400, "BadRequestException")]);
    instance.informs(&logs, 200).await;
    assert!(!instance.informs(&logs, 201).await);
    assert_eq!((faults.count(Call::StartSession), faults.count(Call::LatestConfiguration)), (2, 4));
}

#[tokio::test]
async fn appconfig_is_polled_when_it_says_and_not_before() {
    let logs = Logs::capture();
    let cloud = TestCloud::start().await;
    let faults = Faults::default();
    let url = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    let headers =
        vec![("Next-Poll-Configuration-Token", "next".to_owned()), ("Next-Poll-Interval-In-Seconds", "300".to_owned())];
    let latest = Fault::Answer(FaultResponse { status: 200, headers, body: r#"{"logging":"INFO"}"#.into() });
    faults.every(Call::LatestConfiguration, latest);
    let instance = Instance::new(&cloud, HEALTH, asking(&url), None);
    for (seconds, polls) in [(0, 1), (1, 1), (45, 1), (299, 1), (300, 2), (301, 2), (599, 2), (600, 3), (601, 3)] {
        instance.informs(&logs, seconds).await;
        faults.arrived(Call::LatestConfiguration, polls).await;
        assert_eq!(faults.count(Call::LatestConfiguration), polls, "at {seconds}");
    }
}

#[tokio::test]
async fn without_an_environment_appconfig_is_not_asked() {
    let logs = Logs::capture();
    let cloud = TestCloud::start().await;
    let faults = Faults::default();
    let url = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    for environment in [None, Some("")] {
        let variables =
            [("AWS_ENDPOINT_URL_APPCONFIGDATA", url.as_str()), ("APP_CONFIG_ENV", environment.unwrap_or_default())];
        let instance = Instance::new(&cloud, HEALTH, variables, DEFAULT_INFO);
        assert!(instance.informs(&logs, 0).await && instance.informs(&logs, 100).await);
    }
    assert_eq!(faults.count(Call::StartSession), 0);
}
