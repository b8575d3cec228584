//! The registry over restarts.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use aws_sdk_iot::types::CertificateStatus;
use emulator_iot::{Registry, RegistryError};
use emulator_kit::Grants;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::server::{DOCUMENT, Server, client, serve_for, settings};

/// The directory of a registry that a child process serves until it is killed.
const DIR: &str = "EMULATOR_IOT_TEST_DIR";

/// A server of a registry in a directory.
struct Stoppable {
    server: Server,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn open(dir: &Path) -> Stoppable {
    let (settings, clock) = settings();
    let registry = Registry::open(dir, settings).unwrap();
    let (stop, stopped) = oneshot::channel();
    let (url, served) = serve_for(&registry, Grants::Everything, async { drop(stopped.await) }).await;
    Stoppable { server: Server { client: client(&url, "secret"), registry, clock, url }, stop, served }
}

impl Stoppable {
    /// Stops the server; then the directory can be opened again.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        drop(self.server);
        self.served.await.unwrap();
    }
}

#[tokio::test]
async fn a_registry_is_the_same_when_it_is_opened_again() {
    let dir = TempDir::new().unwrap();
    let before = open(dir.path()).await;
    let (kept, gone) = (before.server.certificate(true).await, before.server.certificate(false).await);
    before.server.thing("thing").await;
    before.server.thing("gone").await;
    before.server.policy("policy", DOCUMENT).await;
    before.server.policy("gone", DOCUMENT).await;
    before.server.attach_policy("policy", &kept).await;
    before.server.attach_thing("thing", &kept).await;
    let client = &before.server.client;
    client.delete_thing().thing_name("gone").send().await.unwrap();
    client.delete_policy().policy_name("gone").send().await.unwrap();
    client.delete_certificate().certificate_id(&gone.id).send().await.unwrap();
    let describe = async |server: &Server| {
        let thing = server.client.describe_thing().thing_name("thing").send().await.unwrap();
        let call = server.client.describe_certificate().certificate_id(&kept.id);
        let certificate = call.send().await.unwrap().certificate_description;
        let policy = server.client.get_policy().policy_name("policy").send().await.unwrap();
        let policies = server.client.list_attached_policies().target(&kept.arn).send().await.unwrap();
        let targets = server.client.list_targets_for_policy().policy_name("policy").send().await.unwrap();
        let principals = server.client.list_thing_principals().thing_name("thing").send().await.unwrap();
        let counts = (
            server.client.list_things().send().await.unwrap().things().len(),
            server.client.list_policies().send().await.unwrap().policies().len(),
            server.client.list_certificates().send().await.unwrap().certificates().len(),
        );
        (
            (thing.thing_id, thing.version, certificate, counts),
            (policy.policy_document, policy.generation_id),
            (policies.policies, targets.targets, principals.principals),
        )
    };
    let stored = describe(&before.server).await;
    assert_eq!(stored.0.3, (1, 1, 1));
    before.stop().await;
    // A second time, the journal has been written anew.
    for _ in 0..2 {
        let after = open(dir.path()).await;
        assert_eq!(describe(&after.server).await, stored);
        after.stop().await;
    }
    let after = open(dir.path()).await;
    let newest = after.server.certificate(false).await;
    let list = after.server.client.list_certificates().send().await.unwrap();
    assert_eq!(list.certificates()[0].certificate_id(), Some(newest.id.as_str()));
    after.stop().await;
}

/// The journal is cut at each byte of its last line, as by a process or a disk that ends in the middle of it.
#[tokio::test]
async fn a_change_is_whole_or_has_not_happened() {
    let dir = TempDir::new().unwrap();
    let before = open(dir.path()).await;
    let certificate = before.server.certificate(true).await;
    before.server.set_status(&certificate, CertificateStatus::Inactive).await;
    let call = before.server.client.delete_certificate().certificate_id(&certificate.id);
    call.send().await.unwrap();
    before.stop().await;
    let journal = dir.path().join("journal");
    let bytes = fs::read(&journal).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 3);
    for end in last..=bytes.len() {
        fs::write(&journal, &bytes[..end]).unwrap();
        let registry = Registry::open(dir.path(), settings().0).unwrap();
        let expected = (end < bytes.len()).then_some(emulator_iot::CertificateStatus::Inactive);
        assert_eq!(registry.certificate_status(&certificate.id), expected, "{end}");
    }
}

#[tokio::test]
async fn a_damaged_journal_and_a_second_process_are_refused() {
    let dir = TempDir::new().unwrap();
    let before = open(dir.path()).await;
    let error = Registry::open(dir.path(), settings().0).unwrap_err();
    assert!(matches!(error, RegistryError::InUse(_)), "{error}");
    before.server.thing("one").await;
    before.server.thing("two").await;
    before.server.policy("policy", DOCUMENT).await;
    before.stop().await;
    let journal = dir.path().join("journal");
    let text = fs::read_to_string(&journal).unwrap();
    for (from, to) in [("\"one\"", "one"), ("\"Thing\"", "\"Other\""), ("{", ""), ("Allow", "Maybe"), ("\n", "\n\n")] {
        fs::write(&journal, text.replacen(from, to, 1)).unwrap();
        let error = Registry::open(dir.path(), settings().0).unwrap_err();
        let RegistryError::Broken { path, .. } = &error else { panic!("{error}") };
        assert_eq!(*path, journal);
    }
    fs::write(&journal, text).unwrap();
    open(dir.path()).await.stop().await;
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_change() {
    let dir = TempDir::new().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["durability::the_process_that_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        acknowledged.extend(line.unwrap().strip_prefix("acknowledged ").map(str::to_owned));
        if acknowledged.len() == 40 {
            // SIGKILL.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= 40, "{}", acknowledged.len());
    let after = open(dir.path()).await;
    for name in acknowledged {
        after.server.client.describe_thing().thing_name(name).send().await.unwrap();
    }
    after.stop().await;
}

#[tokio::test]
#[ignore = "a_killed_process_loses_no_acknowledged_change starts and kills it"]
async fn the_process_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let running = open(Path::new(&dir)).await;
    for number in 0.. {
        let name = format!("thing-{number}");
        running.server.thing(&name).await;
        println!("acknowledged {name}");
    }
}
