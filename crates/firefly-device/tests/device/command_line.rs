//! The command line against a server: its output, its files and its exit status.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use firefly_core::signed_request::{SignatureHeaders, SignedRequest};
use firefly_core::time::UnixSeconds;
use firefly_device::identity_file::load;

use super::fleet::{TOKEN, cloud};
use super::server::{Server, answer, error};
use super::usage::{outcome, shell, with_identity};

/// Runs a command against a server that gives this answer.
fn against(directory: &Path, answer: Vec<u8>, arguments: &[&str]) -> (i32, String, String) {
    let server = Server::answering(answer);
    let url = server.url();
    outcome(directory, &[arguments, &["--url", &url]].concat())
}

fn uuid(directory: &Path) -> String {
    let identity = load(&directory.join("firefly-device.json")).unwrap();
    identity.uuid().to_string()
}

#[test]
fn register_succeeds_on_204_alone() {
    let directory = with_identity();
    let arguments = ["register", "--key", "A1B2C3"];
    let (status, output, _) = against(directory.path(), answer(204, &[], b""), &arguments);
    assert_eq!(status, 0);
    assert_eq!(output, format!("registered {}\n", uuid(directory.path())));
    for (code, hint) in [
        (200, "204"),
        (401, "mint another"),
        (403, "mint another"),
        (409, "firefly-device new"),
        (503, "fault is the cloud's"),
    ] {
        let (status, output, text) = against(directory.path(), error(code, "the message"), &arguments);
        assert_eq!((status, output.as_str()), (1, ""), "{code}");
        assert!(text.contains(&code.to_string()), "{text}");
        assert!(text.contains("the message"), "{text}");
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn status_tells_registered_from_not() {
    let directory = with_identity();
    let body = br#"{"registration_date":"2026-01-02T03:04:05Z","product_id":"P\u001b[31m","product_hex":"0x0000F1F1"}"#;
    let (status, output, _) = against(directory.path(), answer(200, &[], body), &["status"]);
    assert_eq!(status, 0);
    let uuid = uuid(directory.path());
    let expected = format!(
        "registered {uuid}\nregistration_date: 2026-01-02T03:04:05Z\nproduct_id: P[31m\nproduct_hex: 0x0000F1F1\n"
    );
    assert_eq!(output, expected);
    let (status, output, text) = against(directory.path(), error(404, "unknown"), &["status"]);
    assert_eq!((status, output.as_str()), (1, ""));
    assert!(text.contains("not registered"), "{text}");
    assert!(text.contains("register --key"), "{text}");
}

#[test]
fn refusals_of_a_signed_request_say_what_to_do() {
    let directory = with_identity();
    fs::write(directory.path().join("file"), "{}").unwrap();
    let stale = br#"{"message":"stale","server_time":"2031-02-03T04:05:06Z"}"#;
    for arguments in [&["status"][..], &["backup", "file"], &["restore", "new"], &["delete"]] {
        let (status, _, text) = against(directory.path(), answer(401, &[], stale), arguments);
        assert_eq!(status, 1);
        assert!(text.contains("2031-02-03T04:05:06Z"), "{text}");
        assert!(text.contains("set this machine's clock"), "{text}");

        let (status, _, text) = against(directory.path(), error(401, "m"), arguments);
        assert_eq!(status, 1);
        assert!(text.contains("not registered"), "{text}");

        let later = answer(503, &[("Retry-After", "7")], br#"{"message":"busy\u001b[2J"}"#);
        let (status, _, text) = against(directory.path(), later, arguments);
        assert_eq!(status, 1);
        assert!(text.contains("busy[2J") && text.contains("try again in 7 s"), "{text}");

        let (status, _, text) = against(directory.path(), answer(302, &[], b""), arguments);
        assert_eq!(status, 1);
        assert!(text.contains("302"), "{text}");
    }
    assert!(!directory.path().join("new").exists());
}

#[test]
fn no_answer_is_a_failure_that_names_the_url() {
    let directory = with_identity();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (status, _, text) = outcome(directory.path(), &["status", "--url", &url]);
    assert_eq!(status, 1);
    assert!(text.contains(&url), "{text}");
    assert!(text.contains("is the cloud running"), "{text}");
}

#[test]
fn backup_then_restore_gives_the_file_back() {
    let directory = with_identity();
    let path = directory.path();
    let server = cloud(|_| None);
    let url = server.url();
    let configuration: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    fs::write(path.join("config"), &configuration).unwrap();

    let (status, output, _) = outcome(path, &["backup", "config", "--url", &url]);
    assert_eq!((status, output.as_str()), (0, "backed up 70000 bytes of config\n"));
    let envelope = server.only().body;
    let identity = load(&path.join("firefly-device.json")).unwrap();
    assert!(identity.open(&envelope).unwrap() == configuration);

    fs::write(path.join("restored"), "old").unwrap();
    let (status, output, _) = outcome(path, &["restore", "restored", "--url", &url]);
    assert_eq!((status, output.as_str()), (0, "restored 70000 bytes to restored\n"));
    assert!(fs::read(path.join("restored")).unwrap() == configuration);
    let mode = fs::metadata(path.join("restored")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let output = super::usage::device(path, &["--url", &url, "restore", "-"]);
    assert!(output.status.success());
    assert!(output.stdout == configuration);

    let (status, output, _) = against(path, answer(200, &[], b"{}"), &["delete"]);
    assert_eq!(status, 0);
    assert_eq!(output, format!("deleted the backup of {}\n", uuid(path)));
}

#[test]
fn a_dash_is_standard_input_or_output() {
    let directory = with_identity();
    let path = directory.path();
    let server = cloud(|_| None);
    let url = server.url();
    // A file of that name is another one.
    fs::write(path.join("-"), "the file").unwrap();
    let script = r#"printf 'from standard input' | "$0" backup - --url "$1""#;
    let (status, output, error) = shell(path, script, &url);
    assert_eq!((status, output.as_str()), (0, "backed up 19 bytes of standard input\n"), "{error}");
    let (status, output, error) = shell(path, r#""$0" restore - --url "$1""#, &url);
    assert_eq!((status, output.as_str()), (0, "from standard input"), "{error}");
    let (status, output, error) = outcome(path, &["backup", "./-", "--url", &url]);
    assert_eq!((status, output.as_str()), (0, "backed up 8 bytes of ./-\n"), "{error}");

    let (status, output, error) = shell(path, r#"head -c 524289 /dev/zero | "$0" backup - --url "$1""#, &url);
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(error.contains("standard input is longer than 524288 bytes"), "{error}");
}

#[test]
fn an_output_that_cannot_be_written_is_one_line_and_exit_status_1() {
    let directory = with_identity();
    let path = directory.path();
    let server = cloud(|_| None);
    let url = server.url();
    fs::write(path.join("config"), "configuration").unwrap();
    assert_eq!(outcome(path, &["backup", "config", "--url", &url]).0, 0);
    for command in ["headers", "restore -"] {
        for output in [">/dev/full", ">&-"] {
            let (status, _, error) = shell(path, &format!(r#"exec "$0" {command} --url "$1" {output}"#), &url);
            assert_eq!(status, 1, "{command} {output}: {error}");
            assert!(error.starts_with("error: cannot write to standard output: "), "{command} {output}: {error}");
            assert_eq!(error.matches('\n').count(), 1, "{command} {output}: {error}");
        }
    }
    // What was done is done, whether or not it can be said.
    let (status, _, error) = shell(path, r#"exec "$0" backup config --url "$1" >&- "#, &url);
    assert_eq!((status, error.as_str()), (0, ""));
    let (status, ..) = shell(path, r#"exec "$0" backup absent --url "$1" >/dev/full 2>/dev/full"#, &url);
    assert_eq!(status, 2);
}

#[test]
fn a_restore_that_fails_leaves_the_file_alone() {
    let directory = with_identity();
    let path = directory.path();
    let other = with_identity();
    let other = load(&other.path().join("firefly-device.json")).unwrap();
    let foreign = other.seal(b"theirs", &[1; 12]).unwrap();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nFFCE\r\n0\r\n\r\n";
    fs::write(path.join("file"), "old").unwrap();
    for (answer, shown) in [
        (error(404, "m"), "no backup"),
        (error(500, "m"), "500"),
        (answer(204, &[], b""), "204"),
        (answer(200, &[], b"FFCE"), "cannot open the backup"),
        (answer(200, &[], &foreign), "another device"),
        (chunked.to_vec(), "encoded"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nFFCE".to_vec(), "broke"),
    ] {
        let (status, output, text) = against(path, answer, &["restore", "file"]);
        assert_eq!((status, output.as_str()), (1, ""), "{text}");
        assert!(text.contains(shown), "{text}");
        assert_eq!(fs::read(path.join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
    }
}

#[test]
fn headers_are_a_signature_that_verifies() {
    let directory = with_identity();
    let (status, output, _) = outcome(directory.path(), &["headers"]);
    assert_eq!(status, 0);
    let mut lines = output.lines();
    let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
    let headers = SignatureHeaders {
        uuid: value("X-Device-UUID"),
        nonce: value("X-Device-Nonce"),
        timestamp: value("X-Device-Timestamp"),
        signature: value("X-Device-Signature"),
    };
    let timestamp = headers.timestamp.unwrap();
    let now: UnixSeconds = timestamp.parse().unwrap();
    let identity = load(&directory.path().join("firefly-device.json")).unwrap();
    let request = SignedRequest::parse(headers).unwrap();
    request.verify(identity.public_key(), now).unwrap();
    assert_eq!(lines.next(), None);

    let (_, again, _) = outcome(directory.path(), &["headers"]);
    assert_ne!(again, output);
}

#[test]
fn the_url_and_the_token_may_come_from_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let server = cloud(|_| None);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_firefly-device"))
        .args(["fleet", "--devices", "3", "--uploads", "2", "--verify"])
        .current_dir(directory.path())
        .env("FIREFLY_URL", server.url())
        .env("FIREFLY_TOKEN", TOKEN)
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    assert_eq!(output.stderr, b"");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let heads: Vec<_> = rows.iter().map(|row| &row[..3]).collect();
    assert_eq!(
        heads,
        [
            ["phase", "requests", "failed"],
            ["mint", "3", "0"],
            ["register", "3", "0"],
            ["upload", "6", "0"],
            ["verify", "3", "0"],
        ]
    );
    assert!(table.contains("204: 3"), "{table}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_fleet_with_a_failure_exits_with_1_and_prints_its_table() {
    let directory = tempfile::tempdir().unwrap();
    let server = cloud(|request| request.route().1.ends_with("/backup").then(|| error(500, "broken")));
    let url = server.url();
    let arguments = ["fleet", "--token", TOKEN, "--devices", "2", "--url", &url];
    let (status, table, text) = outcome(directory.path(), &arguments);
    assert_eq!(status, 1);
    assert!(table.contains("upload failed 2 times: 500 broken"), "{table}");
    assert!(text.contains("2 requests failed"), "{text}");
}
