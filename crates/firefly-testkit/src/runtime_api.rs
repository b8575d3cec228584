//! Compiled functions on a Lambda Runtime API.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01) and "Working
//! with Lambda environment variables".

mod environment;
mod event;
mod payload;
mod server;
mod strange;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, Response, random_nonce};
use firefly_functions::Listed;
use firefly_templates::FunctionTemplate;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

pub use environment::template;
pub use event::Event;
pub use payload::parse_payload;
pub use server::{Reply, RuntimeApiServer, TRACE_ID};

use crate::TestCloud;
use crate::answer::json;

/// The longest time that a process may take for anything. Then the test fails and shows all that the process wrote.
const HANG: Duration = Duration::from_secs(120);

/// Headers that no log may hold; nor may it hold bodies and e-mail addresses.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "x-device-nonce", "x-device-signature", "x-registration-key"];

/// One execution environment of a compiled function: a process and the Runtime API it asks for events, one at a time.
///
/// The process sees the variables that Lambda and the function's template set and no others. The AppConfig extension
/// tells it to log everything. It is killed when this is dropped.
pub struct RuntimeApi {
    template: FunctionTemplate,
    server: RuntimeApiServer,
    process: Child,
    output: TempDir,
}

/// The error that a function reports instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The member `errorType`.
    pub error_type: String,
    /// The member `errorMessage`.
    pub message: String,
}

/// An event that waits for its answer.
pub struct Pending {
    event: String,
    request_id: String,
    reply: oneshot::Receiver<Reply>,
}

impl RuntimeApi {
    /// Starts a binary on a cloud's engines. On return it has asked for its first event.
    pub async fn start(binary: &str, cloud: &TestCloud) -> Self {
        Self::start_with(binary, cloud, &[]).await
    }

    /// Like [`Self::start`], but with these variables changed or added.
    pub async fn start_with(binary: &str, cloud: &TestCloud, variables: &[(&str, &str)]) -> Self {
        let template = template(name(binary));
        let environment = cloud.environment_of(&template);
        let mut function = Self::spawn(binary, template, environment, variables).await;
        match function.ended_at_start().await {
            None => function,
            Some(status) => function.fail(&format!("it ended at its start with {status}")),
        }
    }

    /// Starts a binary several times on the same engines, as Lambda does under load.
    pub async fn start_processes(binary: &str, cloud: &TestCloud, count: usize) -> Vec<Self> {
        futures::future::join_all((0..count).map(|_| Self::start(binary, cloud))).await
    }

    /// Deals the events out to the processes, all before the first answer, and returns the statuses in the events'
    /// order.
    pub async fn answer_all(processes: &[Self], events: Vec<Event>) -> Vec<u16> {
        let queued: Vec<_> = events
            .iter()
            .zip(processes.iter().cycle())
            .map(|(event, process)| (process, process.queue(event)))
            .collect();
        let mut statuses = Vec::new();
        for (process, pending) in queued {
            statuses.push(process.answer(pending).await.expect("an answer").status);
        }
        statuses
    }

    async fn spawn(
        binary: &str,
        template: FunctionTemplate,
        environment: BTreeMap<String, String>,
        variables: &[(&str, &str)],
    ) -> Self {
        let server =
            RuntimeApiServer::start(&template.function_name, Duration::from_secs(template.timeout_seconds)).await;
        let output = TempDir::new().expect("a temporary directory can be made");
        let file = |name| Stdio::from(fs::File::create(output.path().join(name)).expect("a file can be made"));
        let (port, memory) = (server.port().to_string(), template.memory_mb.to_string());
        let process = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory)
            .env("AWS_LAMBDA_FUNCTION_NAME", &template.function_name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", &template.log_group.name)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/03/12/[$LATEST]0123456789abcdef0123456789abcdef")
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}"))
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
            .env("LAMBDA_TASK_ROOT", "/var/task")
            .env("TZ", ":UTC")
            .env("_HANDLER", &template.handler)
            .envs(environment)
            .env("APP_CONFIG_ENV", "test")
            .env("AWS_APPCONFIG_EXTENSION_HTTP_PORT", port)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be started");
        Self { template, server, process, output }
    }

    /// Waits until the process asks for its first event; returns its exit status if it ends instead.
    async fn ended_at_start(&mut self) -> Option<ExitStatus> {
        let Self { server, process, .. } = self;
        let asked_or_ended = async {
            tokio::select! {
                _ = server.asked(1) => None,
                status = process.wait() => Some(status.expect("the process can be waited for")),
            }
        };
        let in_time = tokio::time::timeout(HANG, asked_or_ended).await;
        in_time.unwrap_or_else(|_| self.fail("it neither asks for an event nor ends"))
    }

    /// The function.
    pub fn function(&self) -> &'static Listed {
        firefly_functions::named(&self.template.name).expect("the function is listed")
    }

    /// The recorded event of the function's route.
    pub fn event(&self) -> Event {
        Event::recorded(&self.template.name)
    }

    /// The same, signed by this device at the real time.
    pub fn signed_event(&self, device: &Identity) -> Event {
        self.event().signed(&device.sign(&random_nonce(&mut rand::rng()), real_time()))
    }

    /// Sets how long before its deadline an event is handed out. From the start it is the template's timeout.
    pub fn set_time_left(&self, time_left: Duration) {
        self.server.set_time_left(time_left);
    }

    /// Stops the process for this time, as Lambda does between invocations. The clocks go on meanwhile; `meanwhile` is
    /// run when it has stopped.
    pub async fn freeze(&self, time: Duration, meanwhile: impl FnOnce()) {
        self.signal(Signal::STOP);
        meanwhile();
        tokio::time::sleep(time).await;
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(id.expect("the process runs"), signal).expect("a process may signal its children");
    }

    /// Has the AppConfig extension hold its answers back until [`Self::release_configuration`].
    pub fn hold_configuration(&self) {
        self.server.hold_configuration(true);
    }

    /// Has the AppConfig extension give the answers that it holds back.
    pub fn release_configuration(&self) {
        self.server.hold_configuration(false);
    }

    /// Hands the process an event when it next asks for one.
    pub fn queue(&self, event: &impl ToString) -> Pending {
        let event = event.to_string();
        let (request_id, reply) = self.server.queue(event.clone());
        Pending { event, request_id, reply }
    }

    /// Waits for the answer to a queued event, and asserts that no secret of the event is logged meanwhile.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] when it reports an error.
    pub async fn answer(&self, pending: Pending) -> Result<Response, FunctionError> {
        let in_time = tokio::time::timeout(HANG, pending.reply).await;
        let reply =
            in_time.unwrap_or_else(|_| self.fail("it does not answer")).expect("the server keeps what it hands out");
        self.assert_nothing_secret_is_logged(&pending.event);
        reply.text.map(|payload| parse_payload(&payload)).map_err(|text| {
            let error: Value = serde_json::from_str(&text).expect("a reported error is JSON");
            let text = |member: &str| error[member].as_str().expect("a reported error has both members").to_owned();
            FunctionError { error_type: text("errorType"), message: text("errorMessage") }
        })
    }

    /// Invokes the function.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] when it reports an error.
    pub async fn invoke(&self, event: &Event) -> Result<Response, FunctionError> {
        self.answer(self.queue(event)).await
    }

    /// Invokes the function with an event that it refuses: the answer has the form of every failure, and one line of
    /// the log says which request was refused and why.
    pub async fn refused(&self, event: &Event, status: u16, code: &str) -> Response {
        let pending = self.queue(event);
        let request_id = pending.request_id.clone();
        let answer = self.answer(pending).await.expect("a refusal is an answer");
        assert_eq!((answer.status, &json(&answer)["code"]), (status, &Value::from(code)));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.message().is_some());
        assert!(answer.body.len() < 255);
        let logs = self.logs();
        let lines: Vec<_> = logs.iter().filter(|line| line["outcome"] == code).collect();
        let [line] = lines[..] else { self.fail(&format!("{code} is in {} lines of the log", lines.len())) };
        assert_eq!((&line["level"], &line["status"]), (&Value::from("WARN"), &Value::from(status)));
        assert_eq!(line["span"]["route"], self.template.name.as_str());
        assert_eq!(line["span"]["request_id"], request_id.as_str());
        assert!(line["cause"].is_string());
        assert!(logs.iter().any(|line| line["Code"] == code && line["Refused"] == 1 && line["_aws"].is_object()));
        answer
    }

    /// Invokes the function with events that are not a request. Each is reported as an error, and the process lives on.
    pub async fn reports_malformed_events(&self) {
        let event = self.event();
        let texts = ["{}", "[]", "null", "true", "0", r#""GET /health""#, "{", "", r#"{"requestContext":null}"#];
        let changed = [
            event.clone().with("/requestContext/http", Value::Null),
            event.clone().with("/requestContext/http/method", "GET /"),
            event.clone().with("/headers", "host: here"),
            event.clone().with("/body", 1),
            event.with("/body", "no Base64").with("/isBase64Encoded", true),
        ];
        for text in texts.map(str::to_owned).into_iter().chain(changed.map(|event| event.to_string())) {
            let error = self.answer(self.queue(&text)).await.expect_err("no answer to what is no request");
            assert!(!error.error_type.is_empty() && !error.message.is_empty());
            assert!(!error.message.contains("panicked"), "{text}: {}", error.message);
        }
        // Faults that a JSON parser cannot find are judged by the function, which logs them.
        let logs = self.logs();
        let logged = |cause: &str| logs.iter().any(|line| line["level"] == "ERROR" && line["cause"] == cause);
        assert!(logged("the event's method is malformed") && logged("the event's body is not Base64"));
    }

    /// The lines that the process has logged. All it writes is JSON, one object a line.
    pub fn logs(&self) -> Vec<Value> {
        assert_eq!(self.file("stderr"), "");
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| self.fail("a line is not JSON"));
        self.file("stdout").lines().map(line).collect()
    }

    fn assert_nothing_secret_is_logged(&self, event: &str) {
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let headers = SECRET_HEADERS.map(|name| &event["headers"][name]);
        let email = &event["requestContext"]["authorizer"]["jwt"]["claims"]["email"];
        let written = self.written();
        for secret in headers.into_iter().chain([&event["body"], email]).filter_map(Value::as_str) {
            assert!(secret.is_empty() || !written.contains(secret), "{secret:?} is in the log:\n{written}");
        }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.output.path().join(name)).expect("the output is text")
    }

    fn written(&self) -> String {
        format!("{}{}", self.file("stdout"), self.file("stderr"))
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{}: {what}; the process wrote:\n{}", self.template.name, self.written())
    }
}

/// The two tests that every function's binary has: `binary_tests!(BINARY, STATUS)`, STATUS being that of the answer to the
/// function's genuine request.
#[macro_export]
macro_rules! binary_tests {
    ($binary:expr, $status:literal) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn a_malformed_event_is_an_error_and_the_next_event_is_answered() {
            $crate::runtime_api::assert_malformed_events_are_outlived($binary, $status).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_missing_variable_is_named_and_the_process_ends() {
            $crate::runtime_api::assert_every_variable_is_needed($binary).await;
        }
    };
}

/// Checks that a process reports malformed events and then answers its function's genuine request with this status.
pub async fn assert_malformed_events_are_outlived(binary: &str, status: u16) {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(binary, &cloud).await;
    function.reports_malformed_events().await;
    let answer = function.invoke(&function.genuine_event(&cloud).await).await.expect("an answer");
    assert_eq!(answer.status, status);
}

/// Checks that a binary needs every variable that its template sets, and region and credentials.
///
/// Without one of them, or with an empty one, the process logs its name in JSON and ends with an exit code other than zero.
pub async fn assert_every_variable_is_needed(binary: &str) {
    let template = template(name(binary));
    let mut complete = template.environment.clone();
    complete.retain(|_, value| !value.is_empty());
    complete.extend(
        [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "none"), ("AWS_SECRET_ACCESS_KEY", "none")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert!(complete.len() >= 3);
    for variable in complete.keys() {
        let mut without = complete.clone();
        without.remove(variable);
        let mut empty = complete.clone();
        empty.insert(variable.clone(), String::new());
        for environment in [without, empty] {
            let mut function = RuntimeApi::spawn(binary, template.clone(), environment, &[]).await;
            let Some(status) = function.ended_at_start().await else {
                function.fail(&format!("it runs without {variable}"));
            };
            assert!(status.code().is_some_and(|code| code != 0), "without {variable}: {status}");
            let logs = function.logs();
            let [line] = &logs[..] else { function.fail("not one line is logged") };
            assert_eq!(line["level"], "ERROR");
            assert!(line["cause"].as_str().is_some_and(|cause| cause.contains(variable.as_str())), "{line}");
        }
    }
}

impl TestCloud {
    /// Starts a cloud whose clock shows the real time, which is what a binary reads.
    pub async fn at_real_time() -> Self {
        let cloud = Self::start().await;
        cloud.set_now(real_time().get());
        cloud
    }
}

/// The function of a binary, which bears its name or, packaged as `bootstrap`, lies in a folder that does.
fn name(binary: &str) -> &str {
    let path = Path::new(binary);
    let named = if path.ends_with("bootstrap") { path.parent().unwrap_or(path) } else { path };
    named.file_stem().and_then(|name| name.to_str()).expect("a binary has a name")
}

fn real_time() -> UnixSeconds {
    UnixSeconds::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
