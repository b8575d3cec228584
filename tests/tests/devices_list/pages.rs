//! A list comes in answers of at most 1,000 devices and 5 MB, and is complete.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_testkit::stored::{DEVICES, Item, item, number, text};
use firefly_testkit::{TestCloud, new_device};

use super::{device_item, follow, get, listed, page, put_large, uuids};

/// The replay record of some device.
fn replay_record(padding: usize) -> Item {
    item([
        ("uuid", text(format!("{}#replay", new_device().uuid()))),
        ("version", number(1)),
        ("turnover_at", number(2_000_000_060)),
        ("nonces", AttributeValue::M(item([("padding", text("x".repeat(padding)))]))),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_has_no_next() {
    let cloud = TestCloud::start().await;
    for path in ["/devices", "/devices?", "/devices?product_hex=0xFF010001", "/devices?unknown=1&limit=-1"] {
        let answer = get(&cloud, path).await;
        assert_eq!((answer.status, &answer.body[..]), (200, b"{\"devices\":[]}".as_slice()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_at_most_1000_devices_and_all_answers_have_all() {
    let cloud = TestCloud::start().await;
    // Registered in no order of their UUIDs, of two products, with a replay record beside every other one.
    let items: Vec<_> = (0..2_300)
        .map(|n| device_item(if n % 2 == 0 { "0xFF010001" } else { "0x0000F1F1" }, n * 7_919 % 2_300))
        .collect();
    cloud.put_items(DEVICES, items.clone()).await;
    let records = items.iter().step_by(2).map(|device| {
        let mut record = replay_record(10);
        record.insert("uuid".to_owned(), text(format!("{}#replay", device["uuid"].as_s().unwrap())));
        record
    });
    cloud.put_items(DEVICES, records.collect()).await;

    let pages = follow(&cloud, "").await;
    assert_eq!(listed(&pages), uuids(&items));
    assert!(pages.iter().all(|(devices, _)| devices.len() <= 1_000));
    assert_eq!(pages[0].0.len(), 1_000);
    assert!(pages.len() <= 4, "{} answers", pages.len());

    for product in ["0xFF010001", "0x0000F1F1"] {
        let of_product: Vec<_> = items.iter().filter(|item| item["product_hex"] == text(product)).cloned().collect();
        let pages = follow(&cloud, &format!("product_hex={product}")).await;
        assert_eq!(listed(&pages), uuids(&of_product), "{product}");
        assert_eq!(pages[0].0.len(), 1_000, "{product}");
        assert!(pages.iter().flat_map(|(devices, _)| devices).all(|device| device["product_hex"] == product));
    }
}

/// The table's own pages hold a megabyte; an answer goes on over several of them and stops before 5 MB.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_at_most_5_mb() {
    let cloud = TestCloud::start().await;
    let items = large_devices(&cloud, 40).await;
    for query in ["", "product_hex=0xFF010001"] {
        let pages = follow(&cloud, query).await;
        assert_eq!(listed(&pages), uuids(&items), "{query}");
        let (last, full) = pages.split_last().unwrap();
        assert!(!full.is_empty() && last.1 <= 5_000_000, "{query}");
        for (devices, length) in full {
            assert!((4_000_000..=5_000_000).contains(length), "{query}: {length} bytes");
            assert!(devices.len() > 15, "{query}: {} devices", devices.len());
        }
    }
}

/// Each answer goes on and the list ends, for any number of other items in the table.
#[tokio::test(flavor = "multi_thread")]
async fn replay_records_alone_do_not_stop_the_list() {
    let cloud = TestCloud::start().await;
    let items: Vec<_> = (0..3).map(|n| device_item("0xFF010001", n)).collect();
    cloud.put_items(DEVICES, items.clone()).await;
    let records: Vec<_> = (0..60).map(|_| replay_record(350_000)).collect();
    put_large(&cloud, records).await;
    let pages = follow(&cloud, "").await;
    assert_eq!(listed(&pages), uuids(&items));
    assert_eq!(listed(&follow(&cloud, "product_hex=0xFF010001").await), uuids(&items));
}

/// Devices deleted between two answers do not disturb the others.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_goes_on_when_the_device_it_stopped_at_is_gone() {
    let cloud = TestCloud::start().await;
    let items = large_devices(&cloud, 30).await;
    for query in ["", "product_hex=0xFF010001&"] {
        let (devices, next) = page(&get(&cloud, &format!("/devices?{query}")).await);
        let seen: Vec<_> = devices.iter().map(|device| device["uuid"].as_str().unwrap().to_owned()).collect();
        cloud.delete_device_items(&seen).await;
        let (rest, end) = page(&get(&cloud, &format!("/devices?{query}next={}", next.unwrap())).await);
        assert_eq!((seen.len() + rest.len(), end), (30, None), "{query}");
        let gone = items.iter().filter(|item| seen.contains(item["uuid"].as_s().unwrap())).cloned().collect();
        put_large(&cloud, gone).await;
    }
}

/// Puts devices of which about 25 fill an answer.
async fn large_devices(cloud: &TestCloud, count: usize) -> Vec<Item> {
    let devices = (0..count).map(|n| {
        let mut device = device_item("0xFF010001", n);
        // Of different sizes, and two bytes a character on the wire.
        let note = "\u{e9}".repeat(100_000 + n * 1_001);
        device.insert("mcu".to_owned(), AttributeValue::M(item([("note", text(note))])));
        device
    });
    let devices: Vec<_> = devices.collect();
    put_large(cloud, devices.clone()).await;
    devices
}
