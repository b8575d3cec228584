//! Few open files slow the cloud down and lose nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::io::Write as _;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use firefly_core::time::UnixSeconds;
use firefly_device::fleet::{self, Plan};
use process::{Local, argument, data_dir, token};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

fn now() -> UnixSeconds {
    UnixSeconds::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// Starts the binary with these limits of open files, as a shell's `ulimit` sets them.
fn start(dir: &std::path::Path, limits: &str) -> Local {
    let script = format!(r#"{limits} && exec "$0" --listen 127.0.0.1:0 --data-dir "$1""#);
    Local::spawn(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_firefly-local"), argument(dir)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_of_300_connections_loses_nothing_with_256_files() {
    let dir = data_dir();
    let cloud = start(dir.path(), "ulimit -n 256");
    let plan = Plan {
        devices: 300,
        product_hex: "0xFF010001".parse().unwrap(),
        token: token(dir.path(), &[]),
        uploads: 2,
        size: 2_000,
        rate: None,
        concurrency: NonZeroUsize::new(300).unwrap(),
        verify: true,
    };
    let report = fleet::run(cloud.client(), &plan, now, &mut StdRng::seed_from_u64(1), |_, _, _| {}).await;
    assert_eq!(report.failed(), 0, "{report}");
    let ended = cloud.interrupt();
    assert_eq!(ended.status.code(), Some(0));
    let stderr = String::from_utf8(ended.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().collect();
    assert!(matches!(lines[..], [said, "firefly-local: stopping"] if said.contains("only 256 files")), "{stderr}");
}

#[test]
fn a_soft_limit_of_256_files_is_raised_silently() {
    let dir = data_dir();
    let ended = start(dir.path(), "ulimit -S -n 256").interrupt();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "firefly-local: stopping\n");
}

#[test]
fn a_limit_with_which_requests_would_be_lost_is_refused_in_one_line() {
    let dir = data_dir();
    let script = r#"ulimit -n 127 && exec "$0" --listen 127.0.0.1:0 --data-dir "$1""#;
    let binary = env!("CARGO_BIN_EXE_firefly-local");
    let output = process::finish(Command::new("sh").args(["-c", script, binary, argument(dir.path())]));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{stderr}");
    assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
    assert!(stderr.contains("only 127 files") && stderr.contains("ulimit -n 4096"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_stall_do_not_stop_a_cloud_with_256_files() {
    let dir = data_dir();
    let cloud = start(dir.path(), "ulimit -n 256");
    let printed = String::from_utf8(process::run(&["env", "--data-dir", argument(dir.path())]).stdout).unwrap();
    let engines =
        printed.lines().filter_map(|line| line.split_once("='http://")).map(|(_, end)| end.trim_end_matches('\''));
    let half_a_body =
        b"POST /devices/register HTTP/1.1\r\nHost: x\r\nX-Registration-Key: A1B2C3\r\nContent-Length: 9\r\n\r\nx";
    let mut strangers = Vec::new();
    for address in engines {
        for _ in 0..150 {
            let mut stream = TcpStream::connect(address).unwrap();
            if cloud.url().ends_with(address) {
                stream.write_all(half_a_body).unwrap();
            }
            strangers.push(stream);
        }
    }
    assert_eq!(strangers.len(), 4 * 150);
    let device = cloud.registered_device(&token(dir.path(), &[])).await;
    let envelope = device.seal(b"configuration", &[0; 12]).unwrap();
    let stored = cloud.client().upload(&process::sign(&device), &envelope, None).await.unwrap();
    assert_eq!(stored.response.status, 200);
    drop(strangers);
    let ended = cloud.interrupt();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&ended.stderr).contains("cannot accept"));
}
