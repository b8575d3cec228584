//! The binary as a process of its own.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firefly_core::registration::RegistrationKey;
use firefly_core::time::UnixSeconds;
use firefly_device::{Client, Identity, Response, SignedHeaders, random_nonce, registration_body};
use tempfile::TempDir;

/// Longest wait for the end of a process: longer than it waits for its own requests.
const GENEROUS: Duration = Duration::from_secs(90);
/// The beginning of the line on standard output that tells the URL.
const READY: &str = "FireFly Cloud answers at ";
/// The beginning of the line on standard error that answers Ctrl-C.
const STOPPING: &str = "firefly-local: stopping";

/// The binary with these arguments, in an environment without AWS.
pub(crate) fn command(arguments: &[&str]) -> Command {
    command_by(&[], arguments)
}

/// Like [`command`], but run by another program, such as `nohup`.
pub(crate) fn command_by(program: &[&str], arguments: &[&str]) -> Command {
    let words = [program, &[env!("CARGO_BIN_EXE_firefly-local")], arguments].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// Runs the binary to its end, which has to come.
pub(crate) fn run(arguments: &[&str]) -> Output {
    finish(&mut command(arguments))
}

/// Asserts that the binary refuses to do it: exit code 1, one line on standard error that says why, nothing on
/// standard output.
#[track_caller]
pub(crate) fn assert_refused(arguments: &[&str], reasons: &[&str]) {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    assert!(stderr.ends_with('\n') && stderr.matches('\n').count() == 1, "{arguments:?}: {stderr}");
    for reason in reasons {
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

/// Runs a command to its end, which has to come.
pub(crate) fn finish(command: &mut Command) -> Output {
    finished(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Waits for the end of a process, which has to come.
pub(crate) fn finished(child: Child) -> Output {
    let id = child.id();
    within(id, move || child.wait_with_output().unwrap())
}

/// Waits for the end of the process with this id; kills one that does not end.
fn within<T: Send + 'static>(id: u32, end: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, ended) = mpsc::channel();
    let waiting = thread::spawn(move || sender.send(end()));
    let result = ended.recv_timeout(GENEROUS);
    if result.is_err() {
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
    }
    waiting.join().unwrap().unwrap();
    result.unwrap()
}

/// A data directory that its owner alone may enter.
pub(crate) fn data_dir() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// The text of an argument.
pub(crate) fn argument(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A running local cloud; killed when dropped.
pub(crate) struct Local {
    /// The process; `None` once it has been waited for.
    child: Option<Child>,
    url: String,
    client: Client,
    stopping: Receiver<String>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// The end of a local cloud: its exit status, and all that it wrote.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Local {
    /// Starts the binary on a free port; on return it answers.
    pub(crate) fn start(data_dir: &Path, further: &[&str]) -> Self {
        let arguments = ["--listen", "127.0.0.1:0", "--data-dir", argument(data_dir)];
        Self::spawn(command(&arguments).args(further))
    }

    /// Starts this command, which listens on a free port.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, ready) = watch(child.stdout.take().unwrap(), READY);
        let (stderr, stopping) = watch(child.stderr.take().unwrap(), STOPPING);
        let Ok(url) = ready.recv() else {
            let output = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
            panic!("the local cloud did not start: {output}");
        };
        let client = Client::new(&url).unwrap();
        Self { child: Some(child), url, client, stopping, stdout: Some(stdout), stderr: Some(stderr) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Ended {
        self.press_ctrl_c();
        self.ended()
    }

    /// Ends it as one Ctrl-C does and, once that is answered, another.
    pub(crate) fn interrupt_twice(self) -> Ended {
        self.press_ctrl_c();
        self.await_stopping();
        self.interrupt()
    }

    /// Ends it with this signal, such as `-TERM`, which `kill` and service managers send.
    pub(crate) fn end(self, signal: &str) -> Ended {
        self.signal(signal);
        self.ended()
    }

    fn press_ctrl_c(&self) {
        self.signal("-INT");
    }

    /// Sends a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.as_mut().unwrap().kill().unwrap();
        self.ended()
    }

    /// Waits until it has said that it stops.
    pub(crate) fn await_stopping(&self) {
        self.stopping.recv().unwrap();
    }

    /// Waits for its end, which has to come.
    pub(crate) fn ended(mut self) -> Ended {
        let mut child = self.child.take().unwrap();
        let status = within(child.id(), move || child.wait().unwrap());
        let read = |stream: &mut Option<JoinHandle<Vec<u8>>>| stream.take().unwrap().join().unwrap();
        Ended { status, stdout: read(&mut self.stdout), stderr: read(&mut self.stderr) }
    }

    /// Sends any request.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        self.client.request(method, path, headers, body).await.unwrap()
    }

    /// Sends a request of a user with this token.
    pub(crate) async fn as_user(&self, token: &str, method: &str, path: &str) -> Response {
        self.request(method, path, &[("Authorization", &format!("Bearer {token}"))], None).await
    }

    /// Mints a key.
    pub(crate) async fn mint(&self, token: &str) -> RegistrationKey {
        let answer = self.as_user(token, "POST", "/registration-keys").await;
        answer.member("key").unwrap().parse().unwrap()
    }

    /// Registers a device and returns the answer.
    pub(crate) async fn register(&self, device: &Identity, key: &str) -> Response {
        let headers = [("X-Registration-Key", key)];
        self.request("POST", "/devices/register", &headers, Some(&registration_body(device))).await
    }

    /// A new device, registered.
    pub(crate) async fn registered_device(&self, token: &str) -> Identity {
        let device = new_device();
        let key = self.mint(token).await;
        assert_eq!(self.register(&device, key.as_str()).await.status, 204);
        device
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A developer token of this data directory.
pub(crate) fn token(data_dir: &Path, arguments: &[&str]) -> String {
    let output = command(&["token", "--data-dir", argument(data_dir)]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A device that nobody knows yet.
pub(crate) fn new_device() -> Identity {
    Identity::generate("0xFF010001".parse().unwrap(), &mut rand::rng())
}

/// Signs a request of this device now.
pub(crate) fn sign(device: &Identity) -> SignedHeaders {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    device.sign(&random_nonce(&mut rand::rng()), UnixSeconds::new(now.as_secs()))
}

/// Reads a stream to its end, and says the rest of a line that begins so when it comes.
fn watch(stream: impl Read + Send + 'static, beginning: &'static str) -> (JoinHandle<Vec<u8>>, Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let (mut reader, mut whole) = (BufReader::new(stream), Vec::new());
        loop {
            let start = whole.len();
            if reader.read_until(b'\n', &mut whole).unwrap() == 0 {
                return whole;
            }
            let line = String::from_utf8_lossy(&whole[start..]).into_owned();
            if let Some(rest) = line.strip_prefix(beginning) {
                // Nobody may be waiting for it.
                let _ = sender.send(rest.trim_end().to_owned());
            }
        }
    });
    (reader, receiver)
}
