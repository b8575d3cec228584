//! The query parameter `backup_before`: the devices that have not been backed up since.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::time::UnixSeconds;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::{DEVICES, Item, text};
use firefly_testkit::{START, TestCloud};
use serde_json::Value;

use super::{device_item, follow, get, listed, page, put_large, uuids};

/// The UUIDs that `GET /devices` lists with this query in one answer.
async fn found(cloud: &TestCloud, query: &str) -> Vec<String> {
    let (devices, next) = page(&get(cloud, &format!("/devices?{query}")).await);
    assert_eq!(next, None, "{query}");
    let mut uuids: Vec<_> = devices.iter().map(|device| device["uuid"].as_str().unwrap().to_owned()).collect();
    uuids.sort();
    uuids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_listed_until_it_is_backed_up_and_again_after_its_backup_is_deleted() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let (uuid, none) = (vec![device.uuid().to_string()], Vec::<String>::new());
    let before = |seconds| format!("backup_before={}", UnixSeconds::new(seconds));
    assert_eq!(found(&cloud, &before(0)).await, uuid, "never backed up");
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    for list in ["", "&product_hex=0xFF010001"] {
        assert_eq!(found(&cloud, &(before(START) + list)).await, none, "{list}");
        assert_eq!(found(&cloud, &(before(START + 1) + list)).await, uuid, "{list}");
    }
    let (devices, _) = page(&get(&cloud, &format!("/devices?{}", before(START + 1))).await);
    assert_eq!(devices[0]["last_backup_date"], UnixSeconds::new(START).to_string());
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    assert_eq!(found(&cloud, &before(START)).await, uuid);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_product_both_conditions_hold() {
    let cloud = TestCloud::start().await;
    let mut devices = Vec::new();
    for product in ["0xFF010001", "0xFF010002"] {
        for date in [None, Some("2024-05-01T00:00:00Z"), Some("2024-06-01T00:00:00Z")] {
            let mut device = device_item(product, devices.len());
            device.extend(date.map(|date| ("last_backup_date".to_owned(), text(date))));
            devices.push(device);
        }
    }
    cloud.put_items(DEVICES, devices.clone()).await;
    let expected =
        |numbers: &[usize]| uuids(&numbers.iter().map(|number| devices[*number].clone()).collect::<Vec<_>>());
    for (query, numbers) in [
        ("backup_before=2024-06-01T00:00:00Z", &[0, 1, 3, 4][..]),
        ("backup_before=2024-06-01T00%3A00%3A00Z&product_hex=0xFF010001", &[0, 1]),
        ("product_hex=0xff010002&backup_before=2024-05-01T00:00:00Z", &[3]),
        ("product_hex=0xFF010002&backup_before=9999-12-31T23:59:59Z", &[3, 4, 5]),
        ("product_hex=0xFF010003&backup_before=9999-12-31T23:59:59Z", &[]),
        ("BACKUP_BEFORE=2024-05-01T00:00:00Z", &[0, 1, 2, 3, 4, 5]),
    ] {
        assert_eq!(found(&cloud, query).await, expected(numbers), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_backup_before_is_400() {
    let cloud = TestCloud::start().await;
    for value in [
        "",
        "0",
        "2000000000",
        "2024-05-01",
        "2024-05-01T00:00:00",
        "2024-05-01T00:00:00z",
        "2024-05-01T00:00:00.0Z",
        "2024-05-01T00:00:00%2B00:00",
        "2024-05-01+00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-05-01T24:00:00Z",
        "1969-12-31T23:59:59Z",
        "%222024-05-01T00:00:00Z%22",
        "2024-05-01T00:00:00Z%00",
        "2024-05-01T00:00:00Z,2024-05-01T00:00:00Z",
        "2024-05-01T00:00:00Z&backup_before=2024-05-01T00:00:00Z",
        "%FF",
        "%",
    ] {
        for list in ["", "&product_hex=0xFF010001"] {
            let answer = get(&cloud, &format!("/devices?backup_before={value}{list}")).await;
            let message = assert_failure(value, &answer, 400, "invalid_query");
            assert_eq!(message, "Query parameter backup_before is malformed", "{value}");
        }
    }
    assert_failure("no value", &get(&cloud, "/devices?backup_before").await, 400, "invalid_query");
}

/// A device of 350 KB that was backed up then.
fn large(second: usize, date: &str) -> Item {
    let mut device = device_item("0xFF010001", second);
    device.insert("mcu".to_owned(), AttributeValue::S("x".repeat(350_000)));
    device.insert("last_backup_date".to_owned(), text(date));
    device
}

/// The answer is given after 16 MB were looked at, as in a table of little but replay records.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_empty_and_the_list_goes_on() {
    let cloud = TestCloud::start().await;
    put_large(&cloud, (0..120).map(|second| large(second, "2024-06-02T00:00:00Z")).collect()).await;
    let before = "backup_before=2024-06-01T00:00:00Z";
    let pages = follow(&cloud, before).await;
    assert!(pages.len() > 1 && pages.iter().all(|(devices, _)| devices.is_empty()), "{} answers", pages.len());
    let old: Vec<_> = (120..123).map(|second| large(second, "2024-05-01T00:00:00Z")).collect();
    put_large(&cloud, old.clone()).await;
    assert_eq!(listed(&follow(&cloud, before).await), uuids(&old));
    // A position is one in the scan, whatever is shown of it.
    let (_, next) = page(&get(&cloud, &format!("/devices?{before}")).await);
    let rest = get(&cloud, &format!("/devices?next={}", next.unwrap())).await;
    assert_ne!(page(&rest).0, Vec::<Value>::new());
}
