//! Races, each over two instances that share nothing but the engines.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use firefly_device::{Identity, Response, SignedHeaders};
use firefly_testkit::answer::assert_failure;
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::stored::{DEVICES, Item};
use firefly_testkit::{START, TestCloud, new_device};
use futures::future::join_all;

const RACERS: usize = 50;
/// A race that goes well once may go wrong the next time.
const ROUNDS: u64 = 4;

/// A cloud and a second instance over its engines.
struct Pair([TestCloud; 2]);

impl Pair {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        let twin = cloud.twin().await;
        Self([cloud, twin])
    }

    fn cloud(&self) -> &TestCloud {
        &self.0[0]
    }

    /// Runs so many at once, each on the other instance than the one before.
    async fn race(&self, racers: usize, run: impl AsyncFn(usize, &TestCloud) -> Response) -> Vec<Response> {
        join_all((0..racers).map(|number| run(number, &self.0[number % 2]))).await
    }

    /// So many copies of one request at once: exactly one is admitted.
    async fn race_copies(&self, case: &str, signed: &SignedHeaders) {
        let send = async |_, cloud: &TestCloud| cloud.signed(signed, "GET", "registration", &[], None).await;
        let answers = self.race(RACERS, send).await;
        assert_eq!(count(&answers, 200), 1, "{case}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_failure(case, answer, 401, "replayed");
        }
    }
}

fn count(answers: &[Response], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Registers a device. A machine that is too slow for so many at once answers some 503, which clients repeat.
async fn register(cloud: &TestCloud, device: &Identity, key: &str) -> Response {
    let mut answer = cloud.register(device, key).await;
    for _ in 0..20 {
        if answer.status != 503 {
            break;
        }
        answer = cloud.register(device, key).await;
    }
    answer
}

fn nonces(record: Option<&Item>) -> usize {
    record.map_or(0, |record| record["nonces"].as_m().unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_50_devices_with_one_key_exactly_one_is_registered() {
    let pair = Pair::start().await;
    for round in 1..=2 {
        let key = pair.cloud().mint().await;
        let devices: Vec<Identity> = (0..RACERS).map(|_| new_device()).collect();
        let answers = pair.race(RACERS, async |n, cloud| register(cloud, &devices[n], key.as_str()).await).await;
        assert_eq!(count(&answers, 204), 1);
        for (device, answer) in devices.iter().zip(&answers) {
            if answer.status != 204 {
                assert_failure("the key is spent", answer, 401, "invalid_key");
            }
            let registered = pair.cloud().device_item(device.uuid()).await.is_some();
            assert_eq!(registered, answer.status == 204);
        }
        assert_eq!(pair.cloud().items(DEVICES, "uuid").await.len(), round);
        assert_eq!(pair.cloud().key_item(key.as_str()).await, None);
    }
}

/// A device whose first answer is slow may ask again meanwhile, with the same key or with another.
#[tokio::test(flavor = "multi_thread")]
async fn one_device_that_registers_many_times_at_once_is_registered_once() {
    let pair = Pair::start().await;
    for keys in [1, 10] {
        let device = new_device();
        let mut minted = Vec::new();
        for _ in 0..keys {
            minted.push(pair.cloud().mint().await);
        }
        let register = async |n: usize, cloud: &TestCloud| cloud.register(&device, minted[n % keys].as_str()).await;
        let answers = pair.race(10, register).await;
        assert_eq!(count(&answers, 204), 10, "{keys} keys");
        let mut left = 0;
        for key in &minted {
            left += usize::from(pair.cloud().key_item(key.as_str()).await.is_some());
        }
        assert_eq!(left, keys - 1, "{keys} keys: one is spent");
        assert!(pair.cloud().device_item(device.uuid()).await.is_some());
    }
}

/// A copy that is held up between its reads finds the key spent, but by its own device.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_reads_the_key_late_is_told_that_the_device_is_registered() {
    let cloud = TestCloud::start().await;
    let (slow, faults) = Faults::over(&cloud).await;
    let (device, key) = (new_device(), cloud.mint().await);
    faults.every(Call::GetKey, Fault::Hold(Box::new(Fault::Pass)));
    let meanwhile = async {
        faults.arrived(Call::GetKey, 1).await;
        let answer = cloud.register(&device, key.as_str()).await;
        faults.release();
        answer
    };
    let (late, first) = tokio::join!(slow.register(&device, key.as_str()), meanwhile);
    assert_eq!((first.status, late.status), (204, 204), "{:?}", late.body);
}

/// Two public keys for one UUID: the first to be written stays, the others keep their registration keys.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_public_keys_for_one_uuid_exactly_one_is_registered() {
    let pair = Pair::start().await;
    for _ in 0..ROUNDS {
        let uuid = new_device().uuid();
        let devices: Vec<Identity> = (0..4).map(|_| new_device().with_uuid(uuid)).collect();
        let mut keys = Vec::new();
        for _ in &devices {
            keys.push(pair.cloud().mint().await);
        }
        let answers = pair.race(4, async |n, cloud| cloud.register(&devices[n], keys[n].as_str()).await).await;
        assert_eq!(count(&answers, 204), 1);
        let row = pair.cloud().device_item(uuid).await.unwrap();
        for ((device, key), answer) in devices.iter().zip(&keys).zip(&answers) {
            let won = answer.status == 204;
            if !won {
                assert_failure("the UUID is taken", answer, 409, "registered_with_other_key");
            }
            assert_eq!(*row["public_key"].as_s().unwrap() == device.public_key().to_base64(), won);
            assert_eq!(pair.cloud().key_item(key.as_str()).await.is_none(), won);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_50_copies_of_one_request_exactly_one_is_admitted() {
    let pair = Pair::start().await;
    let cloud = pair.cloud();
    for round in 0..ROUNDS {
        cloud.set_now(START + 1_000 * round);
        let device = cloud.registered_device().await;
        pair.race_copies("no record yet", &cloud.sign(&device)).await;
        pair.race_copies("a live record", &cloud.sign(&device)).await;
        cloud.advance(59);
        pair.race_copies("a live record to its last second", &cloud.sign(&device)).await;
        cloud.advance(1);
        pair.race_copies("a record due for turnover", &cloud.sign(&device)).await;
        // The two of the first second have left, the two others are remembered.
        assert_eq!(nonces(cloud.replay_record(device.uuid()).await.as_ref()), 2);
    }
}

/// Only copies exclude each other: different requests at once are all admitted and all remembered.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_50_different_requests_at_once_are_admitted() {
    let pair = Pair::start().await;
    let cloud = pair.cloud();
    for round in 0..2 {
        cloud.set_now(START + 1_000 * round);
        let device = cloud.registered_device().await;
        for (case, second) in [("no record yet", 0), ("a live record", 1), ("a record due for turnover", 60)] {
            cloud.set_now(START + 1_000 * round + second);
            let requests: Vec<_> = (0..RACERS).map(|_| cloud.sign(&device)).collect();
            let send =
                async |n: usize, cloud: &TestCloud| cloud.signed(&requests[n], "GET", "registration", &[], None).await;
            let answers = pair.race(RACERS, send).await;
            assert_eq!(count(&answers, 200), RACERS, "{case}");
            let again = pair.race(RACERS, send).await;
            assert_eq!(count(&again, 401), RACERS, "{case}");
        }
        // Those of the first second have left, the others are there.
        assert_eq!(nonces(cloud.replay_record(device.uuid()).await.as_ref()), 2 * RACERS);
    }
}

/// A whole town uploads in the same second after a power cut; of one device's uploads one is stored, whole.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_uploads_of_one_device_leave_one_of_them() {
    let pair = Pair::start().await;
    let device = pair.cloud().registered_device().await;
    let envelopes: Vec<_> = (0..20).map(|n| device.seal(&vec![n; 50_000], &[n; 12]).unwrap()).collect();
    let upload = async |n: usize, cloud: &TestCloud| cloud.upload(&device, &envelopes[n]).await;
    assert_eq!(count(&pair.race(20, upload).await, 200), 20);
    let stored = pair.cloud().stored_backup(device.uuid()).await.unwrap().0;
    assert!(envelopes.contains(&stored));
}
