//! The commands: what they print works when pasted, and an output that cannot be written is one line and an exit status.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use process::{Local, argument, command, data_dir, finish, new_device, token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const LOCAL: &str = env!("CARGO_BIN_EXE_firefly-local");

/// Standard outputs that cannot be written, as a shell makes them.
const UNWRITABLE: [&str; 2] = ["exec \"$0\" \"$@\" >/dev/full", "exec \"$0\" \"$@\" >&-"];

/// Runs the binary with a standard output that cannot be written.
fn run_unwritable(script: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script, LOCAL]).args(arguments);
    finish(&mut command)
}

/// Runs the binary with a pipe whose reader has left, and returns its exit status and standard error.
fn run_unread(arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    process::finished(child)
}

/// The one line on standard error of a command that failed.
#[track_caller]
fn failure(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("firefly-local: cannot write to standard output: "), "{stderr}");
    assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
    stderr
}

#[tokio::test]
async fn a_key_that_cannot_be_printed_is_in_the_line_that_says_so() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let arguments = ["mint", "--url", cloud.url(), "--data-dir", argument(dir.path())];
    let outputs = UNWRITABLE.map(|script| run_unwritable(script, &arguments));
    for output in outputs.into_iter().chain([run_unread(&arguments)]) {
        let line = failure(&output);
        let key = line.trim_end().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(cloud.register(&new_device(), &key).await.status, 204, "{line}");
    }
}

#[test]
fn a_token_or_document_that_cannot_be_printed_is_one_line() {
    let dir = data_dir();
    token(dir.path(), &[]);
    for arguments in [&["token", "--data-dir", argument(dir.path())][..], &["openapi"]] {
        for script in UNWRITABLE {
            failure(&run_unwritable(script, arguments));
        }
        failure(&run_unread(arguments));
    }
    // Neither stream can be written: the exit status is left.
    let output = run_unwritable("exec \"$0\" \"$@\" >/dev/full 2>/dev/full", &["openapi"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]));
    // Whoever does not want the output has none.
    let output = run_unwritable("exec \"$0\" \"$@\" >/dev/null", &["openapi"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_key_is_minted_without_the_proxy_of_the_environment() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    // Nobody listens there.
    let proxy = "http://127.0.0.1:9";
    let port = cloud.url().rsplit_once(':').unwrap().1;
    for url in [cloud.url().to_owned(), format!("http://localhost:{port}"), format!("http://LOCALHOST:{port}")] {
        let mut mint = command(&["mint", "--url", &url, "--data-dir", argument(dir.path())]);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            mint.env(name, proxy);
        }
        let output = finish(mint.env_remove("no_proxy").env_remove("NO_PROXY"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{url}: {stderr}");
        assert_eq!(output.stdout.len(), 7, "{url}: {stderr}");
    }
}

/// A started cloud, and all that it printed.
struct Started {
    child: Child,
    text: String,
}

impl Started {
    fn new(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        while !text.ends_with("Ctrl-C ends it.\n") {
            let Some(line) = lines.next() else {
                let mut stderr = String::new();
                child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
                panic!("the local cloud did not start: {stderr}");
            };
            text.push_str(&line.unwrap());
            text.push('\n');
        }
        Self { child, text }
    }

    /// The commands that it prints.
    fn commands(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
    }

    fn url(&self) -> &str {
        self.text.lines().next().unwrap().strip_prefix("FireFly Cloud answers at ").unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a `cargo` into `bin` that runs the binaries of this build.
fn cargo_shim(bin: &Path) {
    let device = Path::new(LOCAL).with_file_name("firefly-device");
    assert!(device.exists(), "{} is missing: run `cargo build -p firefly-device` first", device.display());
    let device = device.display();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n  'run -q -p firefly-device -- '*) shift 5; exec '{device}' \"$@\" ;;\n  \
         'run -q -- '*) shift 3; exec '{LOCAL}' \"$@\" ;;\n  *) exit 64 ;;\nesac\n"
    );
    fs::create_dir(bin).unwrap();
    fs::write(bin.join("cargo"), script).unwrap();
    fs::set_permissions(bin.join("cargo"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_command_that_is_printed_works_when_pasted() {
    let dir = data_dir();
    cargo_shim(&dir.path().join("bin"));
    fs::write(dir.path().join("README.md"), "the text of a README").unwrap();
    let mut serve = command(&["--listen", "127.0.0.1:0", "--data-dir", "it's \"here\", $HOME"]);
    let started = Started::new(serve.current_dir(dir.path()));
    let commands = started.commands();
    assert_eq!(commands.len(), 8, "{}", started.text);
    for printed in commands {
        let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &printed]).current_dir(dir.path()).env("PATH", path).env_remove("FIREFLY_URL");
        let output = finish(&mut shell);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{printed}: {stderr}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("restored.md")).unwrap(), "the text of a README");
}

#[test]
fn a_refused_directory_is_closed_by_the_command_that_is_advised() {
    let dir = data_dir();
    let shared = dir.path().join("it's shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
    let output = finish(&mut command(&["token", "--data-dir", argument(&shared)]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let advised = stderr.split('`').nth(1).expect("a command in backquotes");
    assert!(Command::new("sh").args(["-c", advised]).status().unwrap().success(), "{advised}");
    assert!(finish(&mut command(&["token", "--data-dir", argument(&shared)])).status.success());
}

#[tokio::test]
async fn a_cloud_at_every_address_prints_one_that_works() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let dir = data_dir();
        let started = Started::new(&mut command(&["--listen", listen, "--data-dir", argument(dir.path())]));
        let (url, text) = (started.url(), &started.text);
        assert!(url.starts_with("http://127.0.0.1:") || url.starts_with("http://[::1]:"), "{text}");
        assert!(
            text.contains("at every address of this machine") && !text.contains(&listen[..listen.len() - 2]),
            "{text}"
        );
        let client = firefly_device::Client::new(url).unwrap();
        let answer = client.request::<&str, &str>("GET", "/health", &[], None).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}

/// A server of one key set, which no token is signed with.
async fn key_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let n = "A".repeat(342);
    let keys = format!(r#"{{"keys":[{{"kty":"RSA","kid":"key","n":"{n}","e":"AQAB"}}]}}"#);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{keys}", keys.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_with_another_issuer_offers_no_developer_tokens() {
    let dir = data_dir();
    let url = key_server().await;
    let issuer = ["--jwt-issuer", "https://issuer.example", "--jwt-audience", "audience", "--jwt-jwks-url", &url];
    let mut serve = command(&["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path())]);
    // The keys of an issuer on this machine are fetched without a proxy as well.
    let started = Started::new(serve.args(issuer).env("http_proxy", "http://127.0.0.1:9").env_remove("no_proxy"));
    for absent in ["-- token", "-- mint", "developer token", "KEY"] {
        assert!(!started.text.contains(absent), "{absent} is in {}", started.text);
    }
    assert!(started.text.contains(&format!("$TOKEN\" '{}/registration-keys'", started.url())), "{}", started.text);
}
