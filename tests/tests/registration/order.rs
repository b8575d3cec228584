//! A registration is judged in a fixed order, and a refused one changes nothing.

use firefly_core::registration::{MAX_BODY_LENGTH, RegistrationKey};
use firefly_device::Identity;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::{DEVICES, KEYS};
use firefly_testkit::wire::Tap;
use firefly_testkit::{START, TestCloud, new_device};

use super::{Body, register};

/// A key of each state.
struct Keys {
    live: String,
    expired: String,
    spent: String,
    unknown: String,
}

impl Keys {
    /// Makes them; time passes.
    async fn new(cloud: &TestCloud) -> Self {
        let expired = cloud.mint().await.as_str().to_owned();
        cloud.advance(1_800);
        let spent = cloud.mint().await.as_str().to_owned();
        assert_eq!(cloud.register(&new_device(), &spent).await.status, 204);
        let live = cloud.mint().await.as_str().to_owned();
        Self { live, expired, spent, unknown: "ZZZZZZ".to_owned() }
    }

    fn dead(&self) -> [(&'static str, &str); 3] {
        [("expired", &self.expired), ("spent", &self.spent), ("unknown", &self.unknown)]
    }
}

/// Every device and every key.
async fn everything(cloud: &TestCloud) -> impl PartialEq + std::fmt::Debug {
    let mut keys = cloud.items(KEYS, "key").await;
    // Other items of that table are not keys.
    keys.retain(|key, _| key.parse::<RegistrationKey>().is_ok());
    (cloud.items(DEVICES, "uuid").await, keys)
}

/// The same UUID with other keys.
fn impostor(device: &Identity) -> Identity {
    new_device().with_uuid(device.uuid())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_fault_in_the_order_is_answered_and_nothing_changes() {
    let cloud = TestCloud::start().await;
    let registered = cloud.registered_device().await;
    let keys = Keys::new(&cloud).await;
    let before = everything(&cloud).await;
    let taken = Body::of(&impostor(&registered));
    let too_large = vec![b'x'; MAX_BODY_LENGTH + 1];
    let bad = taken.clone().with("mcu", "[]").bytes();

    // Each has all the faults from its own on.
    let mut cases = Vec::new();
    for malformed in
        ["", "ABCDE", "ABCDEFG", "abcdef", "ABC DE", "ABCDE-", "ABCD\u{c9}", "ABCDE\u{ff}", "ABC123,ABC123"]
    {
        cases.push((malformed, &too_large, 400, "invalid_header"));
    }
    let (valid, of_another) = (Body::of(&new_device()).bytes(), taken.bytes());
    for (_, key) in keys.dead().into_iter().chain([("live", keys.live.as_str())]) {
        cases.push((key, &too_large, 413, "body_too_large"));
        cases.push((key, &bad, 400, "invalid_body"));
    }
    for (_, key) in keys.dead() {
        cases.push((key, &of_another, 401, "invalid_key"));
        cases.push((key, &valid, 401, "invalid_key"));
    }
    cases.push((&keys.live, &of_another, 409, "registered_with_other_key"));
    for (key, body, status, code) in cases {
        assert_failure(key, &register(&cloud, key, body).await, status, code);
    }
    let missing = cloud.request("POST", "/devices/register", &[("X-Other", "1")], Some(&too_large)).await;
    assert_failure("no key", &missing, 400, "invalid_header");
    let twice = [("X-Registration-Key", keys.live.as_str()), ("X-Registration-Key", keys.live.as_str())];
    let twice = cloud.request("POST", "/devices/register", &twice, Some(&valid)).await;
    assert_failure("a key twice", &twice, 400, "invalid_header");

    assert_eq!(everything(&cloud).await, before);
    // The key that all the refusals were tried with is still good.
    assert_eq!(register(&cloud, &keys.live, &valid).await.status, 204);
    assert_eq!(cloud.key_item(&keys.live).await, None);
}

/// A registration whose answer was lost is repeated with a key that is spent by now, and must not cost another.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_is_204_with_any_key() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let keys = Keys::new(&cloud).await;
    let before = everything(&cloud).await;
    for (state, key) in keys.dead().into_iter().chain([("live", keys.live.as_str())]) {
        let same = Body::of(&device);
        let changed = same.clone().with("registering_version", "\"2026.1.1\"").with("product_hex", "\"0x00000001\"");
        let upper = same.clone().with("uuid", format!("\"{}\"", device.uuid()).to_uppercase());
        for body in [same, changed, upper] {
            let answer = register(&cloud, key, &body.bytes()).await;
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{state}");
        }
    }
    assert_eq!(everything(&cloud).await, before);
    let too_large = Body::of(&device).padded_to(MAX_BODY_LENGTH + 1).bytes();
    assert_failure("still judged", &register(&cloud, &keys.live, &too_large).await, 413, "body_too_large");
    let malformed = register(&cloud, "ABC", &Body::of(&device).bytes()).await;
    assert_failure("still judged", &malformed, 400, "invalid_header");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_until_the_second_of_its_ttl() {
    let cloud = TestCloud::start().await;
    for (age, status) in [(0, 204), (1_799, 204), (1_800, 401), (1_801, 401), (1_000_000, 401)] {
        cloud.set_now(START);
        let key = cloud.mint().await;
        let device = new_device();
        cloud.set_now(START + age);
        let answer = cloud.register(&device, key.as_str()).await;
        assert_eq!(answer.status, status, "after {age} s");
        assert_eq!(cloud.device_item(device.uuid()).await.is_some(), status == 204, "after {age} s");
        // The table's own TTL deletion lags: an expired key is still there.
        assert_eq!(cloud.key_item(key.as_str()).await.is_some(), status == 401, "after {age} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_registers_one_device() {
    let cloud = TestCloud::start().await;
    let key = cloud.mint().await;
    let (first, second) = (new_device(), new_device());
    assert_eq!(cloud.register(&first, key.as_str()).await.status, 204);
    assert_failure("spent", &cloud.register(&second, key.as_str()).await, 401, "invalid_key");
    assert_eq!(cloud.device_item(second.uuid()).await, None);
    assert_eq!(cloud.register(&second, cloud.mint().await.as_str()).await.status, 204);
}

/// The engine here reads consistently always; AWS's does so only when it is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_reads_consistently_and_writes_in_one_transaction() {
    let cloud = TestCloud::start().await;
    let (dynamodb, s3) = cloud.endpoints();
    let tap = Tap::in_front_of(dynamodb).await;
    let tapped = cloud.through(tap.url(), s3).await;
    let (device, key) = (new_device(), cloud.mint().await);
    assert_eq!(tapped.register(&device, key.as_str()).await.status, 204);
    let sent = String::from_utf8_lossy(&tap.sent()).into_owned();
    let calls = |operation: &str| sent.matches(&format!("x-amz-target: DynamoDB_20120810.{operation}")).count();
    assert_eq!(calls("TransactWriteItems"), 1, "{sent}");
    assert_eq!((calls("Put"), calls("Delete"), calls("Batch")), (0, 0, 0), "{sent}");
    // Updates are of tries and of the maker's live keys: the address's tries are read, written and given back.
    let of = |kind: &str| sent.matches(&format!("\"S\":\"{kind}#")).count();
    assert_eq!((calls("Update"), of("wrong-keys"), of("live-keys")), (5, 5, 1), "{sent}");
    assert!(calls("GetItem") >= 2, "{sent}");
    assert_eq!(sent.matches("\"ConsistentRead\":true").count(), calls("GetItem"), "{sent}");
}
