//! The command line when the command or a file is wrong: it exits with 2 and a message, and sends and writes nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in this directory, without options from the environment.
pub(crate) fn device(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firefly-device"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("FIREFLY_URL")
        .env_remove("FIREFLY_TOKEN")
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns exit status, standard output and standard error.
pub(crate) fn outcome(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = device(directory, arguments);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Runs a script in this directory, `$0` being the binary and `$1` a URL; exit status, standard output and standard error.
pub(crate) fn shell(directory: &Path, script: &str, url: &str) -> (i32, String, String) {
    let binary = env!("CARGO_BIN_EXE_firefly-device");
    let output = Command::new("sh").args(["-c", script, binary, url]).current_dir(directory).output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Makes a directory with the identity file `firefly-device.json` in it.
pub(crate) fn with_identity() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (status, _, error) = outcome(directory.path(), &["new"]);
    assert_eq!((status, error.as_str()), (0, ""));
    directory
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_wrong_command_line_is_refused() {
    let directory = with_identity();
    for arguments in [
        &[][..],
        &["unknown"],
        &["status", "--unknown"],
        &["new", "--uuid", "2d411e72c8063038573bbb16a4a19bcf"],
        &["new", "--product-hex", "0x123"],
        &["register"],
        &["register", "--key", "a1b2c3"],
        &["register", "--key", "A1B2C"],
        &["register", "--key", "A1B2C34"],
        &["register", "--key", "A1B2C\n"],
        &["backup"],
        &["restore"],
        &["--url", "127.0.0.1:8080", "status"],
        &["status", "--url", "http://"],
        &["status", "--url", "http://127.0.0.1:99999"],
        &["status", "--url", "http://user@127.0.0.1"],
        &["fleet"],
        &["fleet", "--token", ""],
        &["fleet", "--token", "two words"],
        &["fleet", "--token", "t", "--devices", "0"],
        &["fleet", "--token", "t", "--devices", "many"],
        &["fleet", "--token", "t", "--concurrency", "0"],
        &["fleet", "--token", "t", "--size", "524289"],
        &["fleet", "--token", "t", "--size", "-1"],
        &["fleet", "--token", "t", "--rate", "0"],
        &["fleet", "--token", "t", "--rate", "NaN"],
        &["fleet", "--token", "t", "--uploads", "-1"],
        &["fleet", "--token", "t", "--record", "absent/run"],
    ] {
        let (status, output, error) = outcome(directory.path(), arguments);
        assert_eq!((status, output.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(!error.is_empty());
    }
    assert_eq!(files(directory.path()), ["firefly-device.json"]);
}

#[test]
fn new_keeps_the_key_to_its_owner_and_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let uuid = "2D411E72-C806-3038-573B-BB16A4A19BCF";
    let arguments = ["new", "--uuid", uuid, "--product-hex", "0x00ab12cd", "--identity", "a.json"];
    let (status, output, error) = outcome(directory.path(), &arguments);
    assert_eq!((status, error.as_str()), (0, ""));
    assert_eq!(output, format!("made controller {} in a.json\n", uuid.to_lowercase()));
    let path = directory.path().join("a.json");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let made = fs::read_to_string(&path).unwrap();
    assert!(made.contains("0x00AB12CD"), "the file has the product");

    let (status, output, error) = outcome(directory.path(), &arguments);
    assert_eq!((status, output.as_str()), (2, ""));
    assert!(error.contains("a.json already exists"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), made);
    assert_eq!(files(directory.path()), ["a.json"]);

    let (status, _, error) = outcome(directory.path(), &["new", "--identity", "absent/a.json"]);
    assert_eq!(status, 2);
    assert!(error.contains("cannot write absent/a.json"), "{error}");
}

#[test]
fn a_missing_broken_or_open_identity_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["status"][..],
        &["headers"],
        &["delete"],
        &["register", "--key", "A1B2C3"],
        &["backup", "file"],
        &["restore", "file"],
    ] {
        let (status, _, error) = outcome(directory.path(), arguments);
        assert_eq!(status, 2, "{error}");
        assert!(error.contains("firefly-device.json"), "{error}");
        assert!(error.contains("firefly-device new"), "{error}");
    }

    let (_, _, error) = outcome(directory.path(), &["status", "--identity", "it's mine.json"]);
    let advice = error.lines().last().unwrap().strip_prefix("make one with: firefly-device ").unwrap();
    let (status, _, error) = shell(directory.path(), &format!(r#""$0" {advice}"#), "");
    assert_eq!(status, 0, "{error}");
    assert!(fs::remove_file(directory.path().join("it's mine.json")).is_ok());

    let path = directory.path().join("firefly-device.json");
    fs::write(&path, "{}").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let (status, _, error) = outcome(directory.path(), &["status"]);
    assert_eq!(status, 2);
    assert!(error.contains("is not an identity file"), "{error}");

    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (status, _, error) = outcome(directory.path(), &["status"]);
    assert_eq!(status, 2);
    assert!(error.contains("chmod 600 'firefly-device.json'"), "{error}");
}

#[test]
fn a_file_that_cannot_be_backed_up_or_written_is_refused() {
    let directory = with_identity();
    fs::write(directory.path().join("long"), vec![0; 524_289]).unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    for arguments in [
        ["backup", "absent"],
        ["backup", "directory"],
        ["backup", "long"],
        ["restore", "directory"],
        ["restore", "absent/file"],
        ["restore", "/dev/null"],
    ] {
        let (status, output, error) = outcome(directory.path(), &arguments);
        assert_eq!((status, output.as_str()), (2, ""), "{error}");
        assert!(error.contains(arguments[1]), "{error}");
    }
    assert_eq!(files(directory.path()), ["directory", "firefly-device.json", "long"]);
}

#[test]
fn help_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let (status, help, _) = outcome(directory.path(), &["--help"]);
    assert_eq!(status, 0);
    for part in [
        "new",
        "register",
        "status",
        "backup",
        "restore",
        "delete",
        "headers",
        "fleet",
        "--url",
        "--identity",
        "FIREFLY_URL",
        "http://127.0.0.1:8080",
        "firefly-device.json",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    let (status, help, _) = outcome(directory.path(), &["fleet", "--help"]);
    assert_eq!(status, 0);
    for part in
        ["--token", "--devices", "--uploads", "--size", "--rate", "--concurrency", "--verify", "--record", "Examples:"]
    {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
}

#[test]
fn a_token_in_the_environment_is_not_shown() {
    let output = Command::new(env!("CARGO_BIN_EXE_firefly-device"))
        .args(["fleet", "--help"])
        .env("FIREFLY_TOKEN", "secret-token")
        .output()
        .unwrap();
    assert!(!text(&output.stdout).contains("secret-token"));
}

#[test]
fn a_fleet_with_more_connections_than_files_is_refused_in_one_line() {
    let fleet = "fleet --url http://127.0.0.1:9 --token t --devices 300 --concurrency 300";
    let script = format!(r#"ulimit -n 256 && exec "$0" {fleet}"#);
    let output = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_firefly-device")]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{stderr}");
    assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
    for part in ["300 connections", "332 open files", "256", "--concurrency 224", "ulimit -n 332"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
}
