//! The item that remembers: its form, its writes, its bounds.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::signed_request::Nonce;
use firefly_device::random_nonce;
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::faults::{Call, Faults};
use firefly_testkit::stored::{DEVICES, Item, text};
use firefly_testkit::{START, TestCloud};
use futures::future::join_all;

use super::{base64, nonces, send, sign, writes};

/// The size of an item (DynamoDB Developer Guide, "DynamoDB item sizes and formats"), numbers taken at their longest.
fn size(item: &Item) -> usize {
    fn value_size(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(_) => 21,
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::M(members) => {
                3 + members.iter().map(|(name, value)| name.len() + 1 + value_size(value)).sum::<usize>()
            }
            other => panic!("{other:?}"),
        }
    }
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_an_item_beside_the_device_s() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let row = cloud.device_item(device.uuid()).await;
    let nonce = Nonce::new([1; 32]);
    assert_eq!(send(&cloud, &sign(&device, &nonce, START)).await.status, 200);
    let items = cloud.items(DEVICES, "uuid").await;
    let uuid = device.uuid().to_string();
    assert_eq!(items.keys().cloned().collect::<Vec<_>>(), [uuid.clone(), format!("{uuid}#replay")]);
    assert_eq!(cloud.device_item(device.uuid()).await, row);
    let record = cloud.replay_record(device.uuid()).await.unwrap();
    let mut attributes: Vec<_> = record.keys().collect();
    attributes.sort();
    // Without `product_hex` no index receives it.
    assert_eq!(attributes, ["nonces", "turnover_at", "uuid", "version"]);
    assert_eq!(nonces(&record), base64([nonce]));
    let index = cloud.dynamodb().scan().table_name(DEVICES).index_name("product_hex-keys-index").send().await.unwrap();
    assert_eq!(index.items().iter().map(|item| &item["uuid"]).collect::<Vec<_>>(), [&text(&uuid)]);
    // Listings skip it.
    for path in ["/devices", "/devices?product_hex=0xFF010001"] {
        let answer = cloud.as_user("operator", &["super_users"], "GET", path).await;
        let devices = json(&answer)["devices"].as_array().unwrap().clone();
        assert_eq!(devices.iter().map(|device| &device["uuid"]).collect::<Vec<_>>(), [&uuid], "{path}");
    }
}

/// The calls are counted in front of the engine. The record is read and written; a hint that is out of date costs one
/// write more.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_admitted_in_one_write() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = engines.registered_device().await;
    let mut before = 0;
    for (case, second, most) in [
        ("no record yet", 0, 2),
        ("a live record", 1, 1),
        ("a live record still", 2, 1),
        ("a record due for turnover", 61, 2),
        ("a live record again", 62, 1),
    ] {
        cloud.set_now(START + second);
        assert_eq!(send(&cloud, &cloud.sign(&device)).await.status, 200, "{case}");
        let calls = faults.count(Call::WriteReplayRecord) - before;
        assert!((1..=most).contains(&calls), "{case}: {calls} writes");
        before += calls;
    }
    assert_eq!(writes(&cloud.replay_record(device.uuid()).await.unwrap()), 5);
    assert_eq!((faults.count(Call::UpdateDevice), faults.count(Call::WriteAndSpend)), (0, 0));
    // Refusing a copy takes no write that succeeds.
    let signed = cloud.sign(&device);
    for status in [200, 401, 401] {
        assert_eq!(send(&cloud, &signed).await.status, status);
    }
    assert_eq!(writes(&cloud.replay_record(device.uuid()).await.unwrap()), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_holds_512_live_nonces_and_a_full_one_is_429() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let mut admitted = 0;
    let full = loop {
        assert!(admitted < 4_096, "it never fills up");
        let requests: Vec<_> = (0..32).map(|_| cloud.sign(&device)).collect();
        let answers = join_all(requests.iter().map(|signed| send(&cloud, signed))).await;
        admitted += answers.iter().filter(|answer| answer.status == 200).count();
        if let Some(refused) = answers.into_iter().find(|answer| answer.status != 200) {
            break refused;
        }
    };
    assert!(admitted >= 512, "{admitted}");
    assert_failure("full", &full, 429, "too_many_requests");
    assert_eq!(full.header("retry-after"), Some("60"));
    let record = cloud.replay_record(device.uuid()).await.unwrap();
    assert_eq!(nonces(&record).len(), admitted);
    assert!(size(&record) < 65_536, "{} bytes", size(&record));

    // A request that is refused so is not spent, and every route refuses it.
    let nonce = random_nonce(&mut rand::rng());
    for (method, what) in [("GET", "registration"), ("GET", "backup"), ("DELETE", "backup"), ("POST", "backup")] {
        let answer = cloud.signed(&sign(&device, &nonce, START), method, what, &[], None).await;
        assert_failure(what, &answer, 429, "too_many_requests");
    }
    assert_eq!(cloud.replay_record(device.uuid()).await, Some(record));
    for (second, wait) in [(1, "59"), (30, "30"), (59, "1")] {
        cloud.set_now(START + second);
        let answer = send(&cloud, &sign(&device, &nonce, START + second)).await;
        assert_failure("still full", &answer, 429, "too_many_requests");
        assert_eq!(answer.header("retry-after"), Some(wait), "after {second} s");
    }
    // Another device is not held up.
    let other = cloud.registered_device().await;
    assert_eq!(send(&cloud, &cloud.sign(&other)).await.status, 200);

    // All leave in the same second, in the write that admits the next request.
    cloud.set_now(START + 60);
    assert_eq!(send(&cloud, &sign(&device, &nonce, START + 60)).await.status, 200);
    let record = cloud.replay_record(device.uuid()).await.unwrap();
    assert_eq!(nonces(&record), base64([nonce]));
    assert_eq!(writes(&record), u64::try_from(admitted).unwrap() + 1);
}
