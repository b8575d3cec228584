//! Acknowledged data outlive the process, however it ends: kill -9 and Ctrl-C. Every reason not to start is one line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_device::{Client, Identity, Restore, SignedHeaders, Standing, Upload};
use process::{Local, argument, assert_refused, command, data_dir, new_device, run, sign, token};
use serde_json::Value;

/// One device's uploads: the number of the newest one acknowledged, and of the newest one sent.
struct Uploads {
    device: Identity,
    acknowledged: usize,
    sent: usize,
    /// The last request that was answered: a replay, whenever it is sent again.
    last: Option<SignedHeaders>,
}

impl Uploads {
    /// The configuration of one upload: its number, and bytes that make the envelopes differ in length.
    fn configuration(&self, number: usize) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(number % 251).unwrap(); number % 7 * 20_000];
        bytes.extend(number.to_be_bytes());
        bytes
    }

    fn envelope(&self, number: usize) -> Vec<u8> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        self.device.seal(&self.configuration(number), &nonce).unwrap()
    }

    /// Uploads one after the other until the cloud does not answer.
    async fn run(mut self, client: Client, acknowledged: Arc<AtomicUsize>) -> Self {
        loop {
            self.sent += 1;
            let signed = sign(&self.device);
            match client.upload(&signed, &self.envelope(self.sent), None).await {
                Ok(answer) => {
                    assert_eq!(answer.outcome, Upload::Stored, "{:?}", answer.response);
                    self.acknowledged = self.sent;
                    self.last = Some(signed);
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) => return self,
            }
        }
    }

    /// Asserts that the newest acknowledged upload is there, or one sent after it, byte for byte.
    async fn assert_kept(&self, cloud: &Local) {
        let answer = cloud.client().restore(&sign(&self.device)).await.unwrap();
        let Restore::Restored(envelope) = answer.outcome else {
            panic!("upload {} is gone: {:?}", self.acknowledged, answer.response);
        };
        let configuration = self.device.open(&envelope).unwrap();
        let number = configuration.last_chunk().map(|bytes| usize::from_be_bytes(*bytes)).unwrap();
        assert!((self.acknowledged..=self.sent).contains(&number), "{number} is not the newest upload");
        assert_eq!(envelope, self.envelope(number));
        let replayed = cloud.client().restore(self.last.as_ref().unwrap()).await.unwrap().response;
        assert_eq!((replayed.status, replayed.member("code").as_deref()), (401, Some("replayed")));
    }
}

/// Runs uploads of all devices until so many are acknowledged, then ends the cloud while they go on.
async fn upload_until(cloud: Local, uploads: Vec<Uploads>, count: usize, end: impl FnOnce(Local)) -> Vec<Uploads> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let client = cloud.client().clone();
    let running =
        uploads.into_iter().map(|uploads| tokio::spawn(uploads.run(client.clone(), Arc::clone(&acknowledged))));
    let running: Vec<_> = running.collect();
    while acknowledged.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
    tokio::task::block_in_place(|| end(cloud));
    let mut ended = Vec::new();
    for task in running {
        ended.push(task.await.unwrap());
    }
    ended
}

async fn devices(cloud: &Local, token: &str, number: usize) -> Vec<Uploads> {
    let mut uploads = Vec::new();
    for _ in 0..number {
        let device = cloud.registered_device(token).await;
        uploads.push(Uploads { device, acknowledged: 0, sent: 0, last: None });
    }
    uploads
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_acknowledged_upload() {
    let dir = data_dir();
    let mut cloud = Local::start(dir.path(), &[]);
    let mut uploads = devices(&cloud, &token(dir.path(), &[]), 6).await;
    for _ in 0..3 {
        uploads = upload_until(cloud, uploads, 40, |cloud| drop(cloud.kill())).await;
        cloud = Local::start(dir.path(), &[]);
        for uploads in &uploads {
            uploads.assert_kept(&cloud).await;
        }
    }
    assert!(cloud.interrupt().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_the_middle_of_uploads_ends_well_and_loses_nothing() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let token = token(dir.path(), &[]);
    let uploads = devices(&cloud, &token, 4).await;
    let key = cloud.mint(&token).await;
    let uploads = upload_until(cloud, uploads, 20, |cloud| {
        let ended = cloud.interrupt();
        assert_eq!(ended.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "firefly-local: stopping\n");
        assert!(String::from_utf8_lossy(&ended.stdout).ends_with("Ctrl-C ends it.\n"));
    })
    .await;
    let cloud = Local::start(dir.path(), &[]);
    for uploads in &uploads {
        uploads.assert_kept(&cloud).await;
    }
    assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_does_not_wait_for_connections_without_a_request() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let silent = connect(&cloud, "");
    let mut idle = connect(&cloud, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.read_exact(&mut [0; 12]).unwrap();
    assert_eq!(tokio::task::block_in_place(|| cloud.interrupt()).status.code(), Some(0));
    drop((silent, idle));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_does_not_wait_for_requests_half_sent() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let token = token(dir.path(), &[]);
    let device = cloud.registered_device(&token).await;
    let head = connect(&cloud, "POST /devices/register HTTP/1.1\r\nHo");
    let body = connect(&cloud, "POST /devices/register HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{");
    // A later connection is answered: those have been accepted.
    assert_eq!(cloud.client().status(&sign(&device)).await.unwrap().outcome, Standing::Registered);
    assert_eq!(tokio::task::block_in_place(|| cloud.interrupt_twice()).status.code(), Some(0));
    drop((head, body));
    let cloud = Local::start(dir.path(), &[]);
    assert_eq!(cloud.client().status(&sign(&device)).await.unwrap().outcome, Standing::Registered);
}

/// A connection on which this has been sent.
fn connect(cloud: &Local, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(cloud.url().trim_start_matches("http://")).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_cloud_keeps_its_signing_key_and_nothing_else() {
    let (dir, temporary) = (data_dir(), data_dir());
    let data_dir = dir.path().join("data");
    let start = || {
        let arguments = ["--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", argument(&data_dir)];
        Local::spawn(command(&arguments).env("TMPDIR", temporary.path()))
    };
    let cloud = start();
    let token = token(&data_dir, &[]);
    let device = cloud.registered_device(&token).await;
    let key = cloud.mint(&token).await;
    let envelope = device.seal(b"configuration", &[1; 12]).unwrap();
    assert_eq!(cloud.client().upload(&sign(&device), &envelope, None).await.unwrap().outcome, Upload::Stored);
    assert_eq!(cloud.interrupt().status.code(), Some(0));
    assert_eq!(names(&data_dir), ["jwt-signing-key.pem"]);
    assert_eq!(names(temporary.path()), [""; 0]);

    let cloud = start();
    assert_eq!(cloud.client().status(&sign(&device)).await.unwrap().outcome, Standing::NotRegistered);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 401);
    // The token is still good.
    cloud.registered_device(&token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_without_a_running_cloud_and_alone_on_standard_output() {
    let dir = data_dir();
    let data_dir = dir.path().join("made/by/token");
    let arguments = ["token", "--data-dir", argument(&data_dir), "--sub", "anna", "--email", "anna@example.com"];
    let output = command(&arguments).args(["--group", "super_users", "--group", "others"]).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    let text = String::from_utf8(output.stdout).unwrap();
    let token = text.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace));
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["sub"], &claims["email"]), (&"anna".into(), &"anna@example.com".into()));
    assert_eq!(claims["cognito:groups"], serde_json::json!(["super_users", "others"]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data_dir), mode(&data_dir.join("jwt-signing-key.pem"))), (0o700, 0o600));

    // It is good for any cloud that is started there, and another can be made meanwhile.
    let cloud = Local::start(&data_dir, &[]);
    assert_eq!(cloud.as_user(token, "GET", "/devices").await.status, 200);
    let another = process::token(&data_dir, &["--sub", "bert"]);
    assert_eq!(cloud.as_user(&another, "GET", "/devices").await.status, 403);
    let elsewhere = process::token(&dir.path().join("elsewhere"), &[]);
    assert_eq!(cloud.as_user(&elsewhere, "GET", "/registration-keys").await.status, 401);
}

#[test]
fn a_port_in_use_is_said_in_one_line() {
    let dir = data_dir();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["--listen", &address, "--data-dir", argument(dir.path())];
    assert_refused(&arguments, &["cannot listen", &address, "--listen"]);
    assert_refused(&["--listen", "no-such-host.invalid:80", "--data-dir", argument(dir.path())], &["cannot listen"]);
    assert_refused(&["--listen", "no address", "--data-dir", argument(dir.path())], &["cannot listen"]);
}

#[test]
fn a_second_cloud_in_a_data_directory_is_refused_in_one_line() {
    let dir = data_dir();
    let first = Local::start(dir.path(), &[]);
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path())];
    assert_refused(&arguments, &["in use", argument(dir.path()), "--data-dir"]);
    assert_eq!(first.interrupt().status.code(), Some(0));
    let second = Local::start(dir.path(), &[]);
    // A killed one holds nothing, either.
    second.kill();
    assert_eq!(Local::start(dir.path(), &[]).interrupt().status.code(), Some(0));
}

#[test]
fn a_broken_data_directory_is_said_in_one_line_that_names_what_is_broken() {
    let dir = data_dir();
    let whole = dir.path().join("whole");
    assert_eq!(Local::start(&whole, &[]).interrupt().status.code(), Some(0));
    let refused = |path: &Path, reason: &str| {
        assert_refused(&["--listen", "127.0.0.1:0", "--data-dir", argument(path)], &[reason]);
    };
    let file = dir.path().join("file");
    fs::write(&file, "no directory").unwrap();
    refused(&file, argument(&file));
    refused(&file.join("below"), argument(&file.join("below")));
    let replace = |name: &str, with: &dyn Fn(&Path)| {
        let path = whole.join(name);
        let named = if name == "lock" { &whole } else { &path };
        let kept = dir.path().join("kept");
        fs::rename(&path, &kept).unwrap();
        with(&path);
        refused(&whole, argument(named));
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        fs::rename(&kept, &path).unwrap();
    };
    replace("dynamodb.sqlite", &|path| {
        fs::write(path, "this is no database, but long enough to be read as one".repeat(99)).unwrap()
    });
    replace("dynamodb.sqlite", &|path| fs::create_dir(path).unwrap());
    replace("jwt-signing-key.pem", &|path| fs::write(path, "this is no key").unwrap());
    replace("jwt-signing-key.pem", &|path| fs::write(path, [0xff, 0xfe]).unwrap());
    replace("jwt-signing-key.pem", &|path| fs::create_dir(path).unwrap());
    replace("s3", &|path| fs::write(path, "no directory").unwrap());
    replace("lock", &|path| fs::create_dir(path).unwrap());
    // A file that was moved back makes the directory whole again.
    assert_eq!(Local::start(&whole, &[]).interrupt().status.code(), Some(0));
}

#[test]
fn an_unusable_token_issuer_is_said_in_one_line() {
    let dir = data_dir();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answering = |answer: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    };
    let cases = BTreeMap::from([
        (nobody, "cannot fetch"),
        (answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "cannot fetch"),
        (
            answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"),
            "not a usable JSON Web Key Set",
        ),
        (
            answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{\n"),
            "not a usable JSON Web Key Set",
        ),
    ]);
    for (address, reason) in cases {
        let url = format!("http://{address}/jwks.json");
        let issuer = ["--jwt-issuer", "https://issuer.example", "--jwt-audience", "a", "--jwt-jwks-url", &url];
        let arguments = ["--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", argument(dir.path())];
        assert_refused(&[&arguments[..], &issuer].concat(), &[reason, &url]);
    }
}

#[test]
fn external_engines_without_credentials_are_said_in_one_line() {
    let dir = data_dir();
    let engines = ["--dynamodb-endpoint", "http://127.0.0.1:1", "--s3-endpoint", "http://127.0.0.1:1"];
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path())];
    assert_refused(&[&arguments[..], &engines].concat(), &["AWS_", "external engines need region and credentials"]);
}

#[test]
fn meaningless_arguments_are_a_usage_error() {
    let wrong: [&[&str]; 10] = [
        &["--no-such-option"],
        &["no-such-command"],
        &["--listen"],
        &["--log-level", "LOUD"],
        &["--dynamodb-endpoint", "not a URL"],
        &["--s3-endpoint", "ftp://host"],
        &["--jwt-issuer", "https://issuer.example"],
        &["--jwt-audience", "a", "--jwt-jwks-url", "http://127.0.0.1:1"],
        &["token", "--listen", "127.0.0.1:0"],
        &["--ephemeral", "token"],
    ];
    for arguments in wrong {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_mint_without_a_running_cloud_is_said_in_one_line() {
    let dir = data_dir();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let arguments = ["mint", "--url", &url, "--data-dir", argument(dir.path())];
    assert_refused(&arguments, &[&url, "is the local cloud running?"]);
    // A token of another data directory.
    let cloud = Local::start(&dir.path().join("other"), &[]);
    assert_refused(&["mint", "--url", cloud.url(), "--data-dir", argument(dir.path())], &["401", "--data-dir"]);
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
