//! The data directory and the engines' credentials belong to one user of the machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use process::{Local, argument, assert_refused, command_by, data_dir, run, token};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file and directory below `dir`.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

/// The file of a running cloud in this directory.
fn engines_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = below(dir);
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("engines-")));
    files
}

/// The variables that `firefly-local env` prints, as a shell understands them.
fn env(dir: &Path, further: &[&str]) -> BTreeMap<String, String> {
    let printed = run(&[&["env", "--data-dir", argument(dir)], further].concat());
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let script = format!("{}\nenv -0", String::from_utf8(printed.stdout).unwrap());
    let evaluated = Command::new("sh").args(["-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(evaluated.status.success());
    let text = String::from_utf8(evaluated.stdout).unwrap();
    let variables = text.split('\0').filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A URL as the messages have it, for a shell.
fn quoted(url: &str) -> String {
    format!("'{url}'")
}

/// The tables that a client with these variables sees.
async fn tables(variables: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let credentials = Credentials::new(
        &variables["AWS_ACCESS_KEY_ID"],
        &variables["AWS_SECRET_ACCESS_KEY"],
        Some(variables["AWS_SESSION_TOKEN"].clone()),
        None,
        "test",
    );
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variables["AWS_REGION"].clone()))
        .endpoint_url(&variables["AWS_ENDPOINT_URL_DYNAMODB"])
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let listed = aws_sdk_dynamodb::Client::from_conf(config.build()).list_tables().send().await;
    listed.map(|listed| listed.table_names.unwrap_or_default()).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn the_printed_environment_reaches_the_engines_of_this_run_alone() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let files = engines_files(dir.path());
    assert_eq!(files.len(), 1);
    assert_eq!(mode(&files[0]), 0o600);
    let first = env(dir.path(), &[]);
    assert_eq!(first["FIREFLY_URL"], cloud.url());
    assert_eq!((&*first["AWS_REGION"], &*first["AWS_DEFAULT_REGION"]), ("us-east-1", "us-east-1"));
    assert_eq!(tables(&first).await.unwrap(), ["firefly-devices", "firefly-registration-keys"]);
    assert!(cloud.interrupt().status.success());
    assert_eq!(engines_files(dir.path()), Vec::<PathBuf>::new());

    let cloud = Local::start(dir.path(), &[]);
    let second = env(dir.path(), &[]);
    for secret in ["AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY"] {
        assert_ne!(first[secret], second[secret]);
    }
    assert_eq!(tables(&second).await.unwrap().len(), 2);
    let mut stale = first;
    stale.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), second["AWS_ENDPOINT_URL_DYNAMODB"].clone());
    assert!(tables(&stale).await.unwrap_err().contains("UnrecognizedClientException"));
    drop(cloud);
}

#[test]
fn an_environment_of_no_or_several_clouds_is_refused_in_one_line() {
    let dir = data_dir();
    let arguments = ["env", "--data-dir", argument(dir.path())];
    assert_refused(&arguments, &["no local cloud runs in", argument(dir.path()), "--data-dir"]);
    assert_refused(&["env", "--data-dir", argument(&dir.path().join("absent"))], &["no local cloud runs in"]);
    // The file that a killed process leaves is of no use, and goes.
    drop(Local::start(dir.path(), &[]).kill());
    assert_eq!(engines_files(dir.path()).len(), 1);
    assert_refused(&arguments, &["no local cloud runs in"]);
    assert_eq!(engines_files(dir.path()), Vec::<PathBuf>::new());
    // Two clouds share the directory: one keeps no data.
    let durable = Local::start(dir.path(), &[]);
    let ephemeral = Local::start(dir.path(), &["--ephemeral"]);
    assert_refused(
        &arguments,
        &["several local clouds", "--url one of '", &quoted(durable.url()), &quoted(ephemeral.url())],
    );
    for cloud in [&durable, &ephemeral] {
        assert_eq!(env(dir.path(), &["--url", cloud.url()])["FIREFLY_URL"], cloud.url());
    }
    let elsewhere = [&arguments[..], &["--url", "http://127.0.0.1:9"]].concat();
    assert_refused(&elsewhere, &["http://127.0.0.1:9", &quoted(durable.url()), &quoted(ephemeral.url())]);
}

#[test]
fn a_data_directory_that_others_may_enter_is_refused() {
    let dir = data_dir();
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    for bits in [0o755, 0o750, 0o705, 0o711, 0o701, 0o710, 0o777] {
        fs::set_permissions(&shared, Permissions::from_mode(bits)).unwrap();
        let says = format!("(mode {bits:o})");
        let reasons = [argument(&shared), &says, "chmod 700"];
        assert_refused(&["--listen", "127.0.0.1:0", "--data-dir", argument(&shared)], &reasons);
        assert_refused(&["--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", argument(&shared)], &reasons);
        assert_refused(&["token", "--data-dir", argument(&shared)], &reasons);
        assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
        assert_eq!(mode(&shared), bits);
    }
    fs::set_permissions(&shared, Permissions::from_mode(0o700)).unwrap();
    assert!(Local::start(&shared, &[]).interrupt().status.success());
}

#[test]
fn a_signing_key_that_others_may_read_is_refused() {
    let dir = data_dir();
    token(dir.path(), &[]);
    let key = dir.path().join("jwt-signing-key.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let reasons = [argument(&key), "(mode 644)", "remove it"];
    assert_refused(&["--listen", "127.0.0.1:0", "--data-dir", argument(dir.path())], &reasons);
    assert_refused(&["token", "--data-dir", argument(dir.path())], &reasons);
}

#[tokio::test]
async fn all_files_made_are_readable_by_the_owner_alone() {
    let dir = data_dir();
    let data_dir = dir.path().join("made");
    // A shell's usual mask would let everybody read.
    let script = r#"umask 000; exec "$0" "$@""#;
    let start = || {
        let binary = env!("CARGO_BIN_EXE_firefly-local");
        let mut command = Command::new("sh");
        Local::spawn(command.args(["-c", script, binary, "--listen", "127.0.0.1:0", "--data-dir", argument(&data_dir)]))
    };
    let cloud = start();
    let device = cloud.registered_device(&token(&data_dir, &[])).await;
    let envelope = device.seal(b"configuration", &[0; 12]).unwrap();
    cloud.client().upload(&process::sign(&device), &envelope, None).await.unwrap();
    let made = below(&data_dir);
    assert!(made.len() > 8, "{made:?}");
    for path in made.iter().chain([&data_dir]) {
        assert_eq!(mode(path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    assert!(cloud.interrupt().status.success());

    // A file that an earlier run made with wider permissions is closed.
    for name in ["dynamodb.sqlite", "lock", "s3"] {
        fs::set_permissions(data_dir.join(name), Permissions::from_mode(0o755)).unwrap();
    }
    let cloud = start();
    for name in ["dynamodb.sqlite", "lock", "s3"] {
        assert_eq!(mode(&data_dir.join(name)) & 0o077, 0, "{name}");
    }
    drop(cloud);
}

/// The program that has SIGHUP do what it does by default, also where the tests run with `nohup`.
const WITH_HANGUPS: [&str; 2] = ["env", "--default-signal=HUP"];

/// An ephemeral cloud, run by this program.
fn ephemeral(program: &[&str], dir: &Path, temporary: &Path) -> Command {
    let arguments = ["--listen", "127.0.0.1:0", "--ephemeral", "--data-dir", argument(dir)];
    let mut command = command_by(program, &arguments);
    command.env("TMPDIR", temporary);
    command
}

#[test]
fn a_termination_a_quit_and_the_end_of_the_terminal_end_an_ephemeral_cloud_as_ctrl_c_does() {
    for signal in ["-TERM", "-QUIT", "-HUP"] {
        let (dir, temporary) = (data_dir(), data_dir());
        let cloud = Local::spawn(&mut ephemeral(&WITH_HANGUPS, dir.path(), temporary.path()));
        let kept = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        assert_eq!(kept.len(), 1);
        assert_eq!(mode(&kept[0]), 0o700);
        let ended = cloud.end(signal);
        assert_eq!(ended.status.code(), Some(0), "{signal}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "firefly-local: stopping\n", "{signal}");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "{signal}");
        assert_eq!(engines_files(dir.path()), Vec::<PathBuf>::new(), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_is_started_with_nohup_outlives_its_terminal() {
    let (dir, temporary) = (data_dir(), data_dir());
    let cloud = Local::spawn(&mut ephemeral(&["nohup"], dir.path(), temporary.path()));
    cloud.signal("-HUP");
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
    // A hang-up that is ignored is not on its way to a handler, either.
    let status = fs::read_to_string(format!("/proc/{}/status", cloud.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    assert_eq!(u64::from_str_radix(ignored.trim(), 16).unwrap() & 1, 1);
    assert_eq!(tokio::task::block_in_place(|| cloud.end("-TERM")).status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn further_hangups_of_a_terminal_that_ends_cut_off_no_request() {
    let (dir, temporary) = (data_dir(), data_dir());
    let cloud = Local::spawn(&mut ephemeral(&WITH_HANGUPS, dir.path(), temporary.path()));
    let mut half_sent = TcpStream::connect(cloud.url().trim_start_matches("http://")).unwrap();
    half_sent.write_all(b"GET /health HTTP/1.1\r\nHo").unwrap();
    // A later connection is answered: that one has been accepted.
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
    cloud.signal("-HUP");
    cloud.await_stopping();
    (0..20).for_each(|_| cloud.signal("-HUP"));
    half_sent.write_all(b"st: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    half_sent.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(tokio::task::block_in_place(|| cloud.ended()).status.code(), Some(0));
}

#[test]
fn a_termination_during_the_start_leaves_no_data() {
    let (dir, temporary) = (data_dir(), data_dir());
    let mut command = ephemeral(&WITH_HANGUPS, dir.path(), temporary.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while fs::read_dir(temporary.path()).unwrap().count() == 0 {
        std::thread::yield_now();
    }
    // A signing key is being made, which takes a while.
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = process::finished(child);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    assert_eq!(engines_files(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn an_environment_that_another_user_may_have_written_is_refused() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let arguments = ["env", "--data-dir", argument(dir.path())];
    let planted = dir.path().join("engines-1-0123abcd.env");
    fs::write(&planted, "export FIREFLY_URL='http://127.0.0.1:9'\ntouch owned\n").unwrap();
    fs::set_permissions(&planted, Permissions::from_mode(0o644)).unwrap();
    assert_refused(&arguments, &["another user may write", argument(&planted)]);
    fs::remove_file(&planted).unwrap();
    std::os::unix::fs::symlink(&engines_files(dir.path())[0], &planted).unwrap();
    assert_refused(&arguments, &["another user may write", argument(&planted)]);
    fs::remove_file(&planted).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert_refused(&arguments, &["another user may write", argument(dir.path())]);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(env(dir.path(), &[])["FIREFLY_URL"], cloud.url());
}
