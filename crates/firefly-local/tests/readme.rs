//! Runs the README's examples: its tour, and its client of curl and openssl.
//!
//! `cargo run` in the README is answered with the binaries of this build.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../../../README.md");
/// The URL that the README names.
const README_URL: &str = "http://127.0.0.1:8080";
const LOCAL: &str = env!("CARGO_BIN_EXE_firefly-local");

/// A directory that looks like a checkout to the README, and a local cloud in it.
struct Desk {
    dir: tempfile::TempDir,
    url: String,
    server: Child,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("README.md"), README).unwrap();
        let device = firefly_device_binary();
        let cargo = format!(
            "#!/bin/sh
case \"$*\" in
  'run -q -p firefly-device -- '*) shift 5; exec '{}' \"$@\" ;;
  'run -q -- '*) shift 3; exec '{LOCAL}' \"$@\" ;;
  *) echo \"not a command of the README's tour: cargo $*\" >&2; exit 64 ;;
esac
",
            device.display()
        );
        fs::create_dir(dir.path().join("bin")).unwrap();
        let shim = dir.path().join("bin/cargo");
        fs::write(&shim, cargo).unwrap();
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Command::new(LOCAL)
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let first = BufReader::new(server.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let url = first.strip_prefix("FireFly Cloud answers at ").unwrap().to_owned();
        Self { dir, url, server }
    }

    /// Runs a script of the README; its output, both streams.
    fn run(&self, script: &str) -> String {
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .arg("-c")
            .arg(format!("exec 2>&1\n{}", script.replace(README_URL, &self.url)))
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env("FIREFLY_URL", &self.url)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The binary lies beside this package's own; a build of the workspace makes both.
fn firefly_device_binary() -> PathBuf {
    let binary = Path::new(LOCAL).with_file_name("firefly-device");
    assert!(binary.exists(), "{} is missing: run `cargo build -p firefly-device` first", binary.display());
    binary
}

/// The part of the README between two of its comments.
fn section(from: &str, to: &str) -> &'static str {
    README.split(from).nth(1).and_then(|rest| rest.split(to).next()).expect("the README has the section")
}

/// The text with its ids, times and lengths replaced: they differ from run to run.
fn normalised(text: &str) -> String {
    let word = |word: &str| {
        let shape: String = word.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
        match shape.as_str() {
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" => "<uuid>".to_owned(),
            "xxxx-xx-xxTxx:xx:xxZ" => "<time>".to_owned(),
            _ if word.parse::<u64>().is_ok() => "<number>".to_owned(),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_tour_works_as_pasted() {
    let desk = Desk::new();
    let tour = section("<!-- tour:", "<!-- end of tour -->");
    let mut commands = 0;
    for block in tour.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for step in block.split("$ cargo ").skip(1).map(|step| format!("cargo {step}")) {
            // A command of the block that is not cargo's stands in the step before it.
            let mut shown = step.split("\n$ ");
            while let Some((command, output)) = shown.next().map(|step| step.split_once('\n').unwrap()) {
                assert_eq!(normalised(&desk.run(command)), normalised(output), "{command}");
                commands += 1;
            }
        }
    }
    assert_eq!(commands, 7);
    let restored = fs::read_to_string(desk.dir.path().join("restored.md")).unwrap();
    assert_eq!(restored, README);
}

#[test]
fn a_client_of_curl_and_openssl_backs_up_and_restores() {
    for tool in ["curl", "openssl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{tool} is not installed");
            eprintln!("skipped: {tool} is not installed");
            return;
        }
    }
    let desk = Desk::new();
    let client = section("<!-- client:", "<!-- end of client -->");
    let script = client.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let output = desk.run(script);
    for expected in ["register: 204", "backup: 200", "restore: 200", "identical"] {
        assert!(output.lines().any(|line| line == expected), "{expected} is missing in:\n{output}");
    }
}
