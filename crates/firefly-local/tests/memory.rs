//! The memory of a cloud whose clients send long bodies and do not end them.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use process::{Local, data_dir, sign, token};

/// The most memory that a process has had, in MiB.
fn peak(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// Sends a body of 9.9 MB but for its last byte, as far as it is read, and keeps the connection.
fn stall(address: &str) -> TcpStream {
    let length = 9_900_000;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let head = format!("POST /devices/register HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // What is not read stays with its sender.
    let _ = stream.write_all(&vec![b'x'; length - 1]);
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_strangers_with_long_bodies_take_little_memory() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let device = cloud.registered_device(&token(dir.path(), &[])).await;
    let before = peak(cloud.id());
    let address = cloud.url().trim_start_matches("http://").to_owned();
    let strangers: Vec<_> = (0..40)
        .map(|_| {
            thread::spawn({
                let address = address.clone();
                move || stall(&address)
            })
        })
        .collect();
    let strangers: Vec<_> = strangers.into_iter().map(|stranger| stranger.join().unwrap()).collect();
    let envelope = device.seal(b"configuration", &[0; 12]).unwrap();
    let stored = cloud.client().upload(&sign(&device), &envelope, None).await.unwrap();
    assert_eq!(stored.response.status, 200);
    let taken = peak(cloud.id()) - before;
    assert!(taken < 200, "{taken} MiB for {} strangers", strangers.len());
}
