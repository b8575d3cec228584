//! The engines sync what they have written before anybody is told of it. A process that is killed loses nothing of the
//! page cache; a machine that loses power does.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Local, argument, command, data_dir, new_device, sign, token};
use tempfile::TempDir;

/// A local cloud whose calls are recorded.
struct Recorded {
    cloud: Local,
    data: TempDir,
    /// The recorder and its record.
    files: TempDir,
    read: usize,
}

impl Recorded {
    fn start() -> Self {
        let (data, files) = (data_dir(), TempDir::new().unwrap());
        let recorder = files.path().join("recorder.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/synced/recorder.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&recorder).arg(source);
        let compiled = compile.output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let arguments = ["--listen", "127.0.0.1:0", "--data-dir", argument(data.path())];
        let mut command = command(&arguments);
        command.env("LD_PRELOAD", &recorder).env("CALLS", files.path().join("calls"));
        Self { cloud: Local::spawn(&mut command), data, files, read: 0 }
    }

    /// The calls since the last time this was asked, each with its path, as far as they are about data or answers.
    fn take_calls(&mut self) -> Vec<(String, PathBuf)> {
        let text = fs::read_to_string(self.files.path().join("calls")).unwrap();
        let new = text[self.read..].lines();
        let data = self.data.path().canonicalize().unwrap();
        let calls = new.filter_map(|line| line.split_once(' ')).map(|(call, path)| (call.to_owned(), path.into()));
        // The index of a write-ahead log is made again from it.
        let matters = |(call, path): &(String, PathBuf)| {
            call == "send" || path.starts_with(&data) && !path.to_string_lossy().ends_with("-shm")
        };
        let calls = calls.filter(matters).collect();
        self.read = text.len();
        calls
    }

    /// Asserts that all that a request has written was on the disk when the last bytes were sent, those of its answer,
    /// and returns the number of syncs. Sends before it may be of other work.
    fn assert_synced(&mut self, request: &str) -> usize {
        let calls = self.take_calls();
        let last = calls.iter().rposition(|(call, _)| call == "send").unwrap();
        let mut unsynced = BTreeSet::new();
        let mut syncs = 0;
        for (call, path) in &calls[..last] {
            match call.as_str() {
                "write" => drop(unsynced.insert(path.clone())),
                // A new entry is written to the directory.
                "entry" => drop(unsynced.insert(path.parent().unwrap().to_owned())),
                "sync" => {
                    syncs += 1;
                    unsynced.remove(path);
                }
                "unwritten" => assert!(!unsynced.contains(path), "{request}: {} is renamed unsynced", path.display()),
                "send" => {}
                other => panic!("{other} is no call of the recorder"),
            }
        }
        assert!(unsynced.is_empty(), "{request}: an answer before {unsynced:?} is synced: {calls:#?}");
        syncs
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_comes_after_what_it_promises_is_on_the_disk() {
    let mut recorded = Recorded::start();
    let token = token(recorded.data.path(), &[]);
    recorded.take_calls();
    let key = recorded.cloud.mint(&token).await;
    assert!(recorded.assert_synced("a key") > 0);
    let device = new_device();
    assert_eq!(recorded.cloud.register(&device, key.as_str()).await.status, 204);
    assert!(recorded.assert_synced("a registration") > 0);
    for number in 0..3 {
        let envelope = device.seal(b"configuration", &[number; 12]).unwrap();
        let answer = recorded.cloud.client().upload(&sign(&device), &envelope, None).await.unwrap();
        assert_eq!(answer.response.status, 200);
        // The nonce, the object, its directory, the date.
        assert!(recorded.assert_synced("an upload") >= 4);
    }
    let answer = recorded.cloud.client().delete(&sign(&device)).await.unwrap();
    assert_eq!(answer.response.status, 200);
    assert!(recorded.assert_synced("a deletion") >= 4);
}
