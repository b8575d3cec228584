//! Random lives of several devices at once, held against a small model.
//!
//! A case is a few rounds. In a round every device does its steps in order while the others do theirs, over two
//! instances; keys are shared. Between rounds time passes, keys are minted and deleted, and devices are revoked. The
//! model says of each device's step what must be answered, and of each key that it registers at most one device.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use firefly_device::{Identity, SignedHeaders};
use firefly_testkit::{TestCloud, new_device};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

const DEVICES: usize = 4;

/// The next step of one device.
#[derive(Clone, Debug)]
enum Step {
    /// Registers with one of the keys minted so far, or with one nobody minted.
    Register(Option<prop::sample::Index>),
    /// Uploads a backup that tells case and step apart.
    Backup(u8),
    Restore,
    Delete,
    /// Asks for its registration.
    Status,
    /// Sends its last signed request again.
    Replay,
    /// Signs its own request but names another device in the path.
    Foreign,
}

/// A round: the events before it, and the steps in it.
#[derive(Clone, Debug)]
struct Round {
    minted: u8,
    seconds: u64,
    /// The user who minted this key deletes it, whatever has become of it.
    withdrawn: Option<prop::sample::Index>,
    /// The operator deletes this device's row.
    revoked: Option<usize>,
    steps: [Vec<Step>; DEVICES],
}

/// A device as the model knows it.
struct Device {
    identity: Identity,
    registered: bool,
    /// The second of the newest registration, in seconds since 1970: its date, which tells it from others.
    registered_at: u64,
    backup: Option<Vec<u8>>,
    last: Option<SignedHeaders>,
    /// The keys with which it was newly registered.
    spent: Vec<String>,
    /// The live keys with which it tried while unregistered in this round.
    tried: Vec<String>,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<Option<prop::sample::Index>>().prop_map(Step::Register),
        5 => any::<u8>().prop_map(Step::Backup),
        4 => Just(Step::Restore),
        1 => Just(Step::Delete),
        1 => Just(Step::Status),
        2 => Just(Step::Replay),
        1 => Just(Step::Foreign),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let seconds = prop_oneof![3 => 0..30_u64, 1 => 1_790..1_810_u64];
    let revoked = prop_oneof![3 => Just(None), 1 => (0..DEVICES).prop_map(Some)];
    let steps = prop::array::uniform4(prop::collection::vec(step(), 0..5));
    let withdrawn = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (0..4_u8, seconds, withdrawn, revoked, steps).prop_map(|(minted, seconds, withdrawn, revoked, steps)| Round {
        minted,
        seconds,
        withdrawn,
        revoked,
        steps,
    })
}

/// Does one step and holds its answer against the model.
async fn take(cloud: &TestCloud, device: &mut Device, step: &Step, keys: &[(String, u64)]) {
    let signed = cloud.sign(&device.identity);
    let (method, what, body) = match step {
        Step::Register(index) => return register(cloud, device, *index, keys).await,
        Step::Replay => return replay(cloud, device).await,
        Step::Foreign => {
            let path = format!("/devices/{}/backup", new_device().uuid());
            assert_eq!(cloud.request("GET", &path, &signed.pairs(), None).await.status, 403);
            return;
        }
        Step::Backup(tag) => ("POST", "backup", Some(device.identity.seal(&[*tag; 20], &[*tag; 12]).unwrap())),
        Step::Restore => ("GET", "backup", None),
        Step::Delete => ("DELETE", "backup", None),
        Step::Status => ("GET", "registration", None),
    };
    let answer = cloud.signed(&signed, method, what, &[], body.as_deref()).await;
    let expected = match (device.registered, step) {
        (false, Step::Status) => 404,
        (false, _) => 401,
        (true, Step::Restore) if device.backup.is_none() => 404,
        (true, _) => 200,
    };
    assert_eq!(answer.status, expected, "{step:?}");
    if device.registered {
        device.last = Some(signed);
        match step {
            Step::Backup(_) => device.backup = body,
            Step::Delete => device.backup = None,
            Step::Restore if expected == 200 => assert_eq!(Some(&answer.body[..]), device.backup.as_deref()),
            _ => {}
        }
    }
}

async fn register(cloud: &TestCloud, device: &mut Device, index: Option<prop::sample::Index>, keys: &[(String, u64)]) {
    let chosen = index.filter(|_| !keys.is_empty()).map(|index| index.get(keys));
    let (key, expires_at) = chosen.map_or(("NOBODY", 0), |(key, expires_at)| (key.as_str(), *expires_at));
    let live = cloud.now().get() < expires_at;
    let status = cloud.register(&device.identity, key).await.status;
    if device.registered {
        assert_eq!(status, 204);
    } else if status == 204 {
        assert!(live, "a dead key registered a device");
        device.registered = true;
        if device.registered_at != cloud.now().get() {
            device.registered_at = cloud.now().get();
            device.backup = None;
        }
        device.spent.push(key.to_owned());
    } else {
        assert_eq!(status, 401);
        if live {
            device.tried.push(key.to_owned());
        }
    }
}

/// A request that was answered is never admitted again, and its work is not done again.
async fn replay(cloud: &TestCloud, device: &Device) {
    let Some(signed) = &device.last else { return };
    let other = device.identity.seal(b"replayed", &[9; 12]).unwrap();
    let status = cloud.signed(signed, "POST", "backup", &[], Some(&other)).await.status;
    assert_eq!(status, 401);
}

/// Lets the round's time pass, mints its keys and withdraws one.
async fn change_keys(cloud: &TestCloud, round: &Round, keys: &mut Vec<(String, u64)>) {
    cloud.advance(round.seconds);
    for _ in 0..round.minted {
        keys.push((cloud.mint().await.as_str().to_owned(), cloud.now().get() + 1_800));
    }
    if let Some(index) = round.withdrawn.filter(|_| !keys.is_empty()) {
        let withdrawn = index.index(keys.len());
        let (key, expires_at) = &mut keys[withdrawn];
        let path = format!("/registration-keys/{key}");
        assert_eq!(cloud.as_user("installer", &[], "DELETE", &path).await.status, 204);
        *expires_at = 0;
    }
}

async fn live_a_case(clouds: &Arc<[TestCloud; 2]>, rounds: Vec<Round>) {
    let mut keys: Vec<(String, u64)> = Vec::new();
    let mut spent_before = HashSet::new();
    let mut devices: Vec<_> = (0..DEVICES)
        .map(|_| Device {
            identity: new_device(),
            registered: false,
            registered_at: 0,
            backup: None,
            last: None,
            spent: Vec::new(),
            tried: Vec::new(),
        })
        .collect();
    for round in rounds {
        let cloud = &clouds[0];
        change_keys(cloud, &round, &mut keys).await;
        if let Some(revoked) = round.revoked {
            let device = &mut devices[revoked];
            cloud.delete_device_item(device.identity.uuid()).await;
            device.registered = false;
        }
        let known = Arc::new(keys.clone());
        let tasks: Vec<_> = devices
            .drain(..)
            .zip(round.steps)
            .enumerate()
            .map(|(number, (mut device, steps))| {
                let (clouds, known) = (Arc::clone(clouds), Arc::clone(&known));
                tokio::spawn(async move {
                    for (turn, step) in steps.iter().enumerate() {
                        take(&clouds[(number + turn) % 2], &mut device, step, &known).await;
                    }
                    device
                })
            })
            .collect();
        for task in tasks {
            devices.push(task.await.unwrap());
        }
        let mut spent = HashMap::<&str, usize>::new();
        devices.iter().flat_map(|device| &device.spent).for_each(|key| *spent.entry(key).or_default() += 1);
        assert!(spent.values().all(|devices| *devices == 1), "a key was spent twice: {spent:?}");
        // A live key that somebody tried in vain was somebody else's: spent before, or in this round.
        for device in &devices {
            for key in &device.tried {
                assert!(spent.contains_key(key.as_str()) || spent_before.contains(key), "{key} registered nobody");
            }
        }
        spent_before.extend(spent.keys().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        devices.iter_mut().for_each(|device| device.tried.clear());
    }
    for device in &devices {
        let stored = clouds[0].stored_backup(device.identity.uuid()).await.map(|(bytes, _)| bytes);
        assert_eq!(stored, device.backup, "the store holds something else than the last acknowledged backup");
    }
}

#[test]
fn any_interleaving_agrees_with_the_model() {
    let runtime = Runtime::new().unwrap();
    let clouds = runtime.block_on(async {
        let cloud = TestCloud::start().await;
        let twin = cloud.twin().await;
        Arc::new([cloud, twin])
    });
    let config = Config { cases: 40, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(round(), 1..6), |rounds| {
        // An hour later the case before does not count: no key is live, no wrong key remembered.
        clouds[0].advance(7_200);
        runtime.block_on(live_a_case(&clouds, rounds));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
}
