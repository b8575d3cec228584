//! A clock that is set back or forward costs the cloud nothing.
//!
//! The binary runs with a library in front of the C library's, which adds seconds to its clock.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
#[path = "../process/mod.rs"]
mod process;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, SignedHeaders, random_nonce};
use process::{Local, argument, command, data_dir, token};

/// A clock that is the machine's but for the seconds that were added.
struct Clock {
    file: File,
    added: i64,
}

impl Clock {
    fn add(&mut self, seconds: i64) {
        self.added += seconds;
        self.file.write_all_at(&self.added.to_ne_bytes(), 0).unwrap();
    }

    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        now.checked_add_signed(self.added).unwrap()
    }

    fn sign(&self, device: &Identity) -> SignedHeaders {
        device.sign(&random_nonce(&mut rand::rng()), UnixSeconds::new(self.now()))
    }
}

/// Compiles the library, and starts a cloud with it and a clock that is the machine's at first.
fn start(dir: &Path) -> (Local, Clock) {
    let (library, added) = (dir.join("step.so"), dir.join("added"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock/step.c");
    let compile = ["-shared", "-fPIC", "-o", argument(&library), argument(&source), "-ldl"];
    assert!(Command::new("cc").args(compile).status().unwrap().success());
    let mut clock = Clock { file: File::create(&added).unwrap(), added: 0 };
    clock.add(0);
    let mut command = command(&["--listen", "127.0.0.1:0", "--data-dir", argument(dir)]);
    (Local::spawn(command.env("LD_PRELOAD", &library).env("CLOCK_STEP", &added)), clock)
}

/// The seconds of a `Date`'s time of day.
fn seconds_of_day(date: &str) -> u64 {
    let time = date.split(' ').nth(4).unwrap();
    time.split(':').fold(0, |seconds, part| seconds * 60 + part.parse::<u64>().unwrap())
}

#[tokio::test]
async fn backups_and_restores_go_on_after_each_step() {
    let dir = data_dir();
    let (cloud, mut clock) = start(dir.path());
    let device = cloud.registered_device(&token(dir.path(), &[])).await;
    let hour = 3_600;
    for (number, step) in [0, -hour, -hour, 3 * hour, -hour, -24 * hour, 48 * hour, -23 * hour].into_iter().enumerate()
    {
        clock.add(step);
        let plaintext = format!("configuration {number}");
        let envelope = device.seal(plaintext.as_bytes(), &rand::random()).unwrap();
        // Each call is repeated: what the first has learned of the time is not to spoil the second.
        for _ in 0..2 {
            let stored = cloud.client().upload(&clock.sign(&device), &envelope, None).await.unwrap();
            assert_eq!(stored.response.status, 200, "step {step}: {:?}", stored.response);
            let restored = cloud.client().restore(&clock.sign(&device)).await.unwrap();
            assert_eq!(restored.response.status, 200, "step {step}: {:?}", restored.response);
            assert_eq!(restored.response.body, envelope, "step {step}");
            let date = seconds_of_day(restored.response.header("date").unwrap());
            let late = (clock.now() + 24 * 3_600 - date) % (24 * 3_600);
            // A busy machine answers late, and by no more than that.
            assert!(late < 600, "step {step}: Date is {late} s behind");
        }
    }
    assert!(cloud.interrupt().status.success());
}
