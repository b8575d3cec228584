//! `GET /devices`: the callers who may see the devices, the members that are shown, and the pages of the list.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test needs and does not get fails it"
)]

mod access;
mod backup_before;
mod pages;
mod payloads;
mod query;

use firefly_device::Response;
use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::new_device;
use firefly_testkit::stored::{DEVICES, Item, legacy_device, text};
use serde_json::Value;

async fn get(cloud: &TestCloud, path: &str) -> Response {
    cloud.as_user("operator", &["super_users"], "GET", path).await
}

/// The item of some device registered in this second of 2024.
fn device_item(product_hex: &str, second: usize) -> Item {
    let mut item = legacy_device(&new_device());
    item.insert("product_hex".to_owned(), text(product_hex));
    let date = firefly_core::time::UnixSeconds::new(1_704_067_200 + u64::try_from(second).unwrap());
    item.insert("registration_date".to_owned(), text(date));
    item
}

/// The items' UUIDs, sorted.
fn uuids(items: &[Item]) -> Vec<String> {
    let mut uuids: Vec<_> = items.iter().map(|item| item["uuid"].as_s().unwrap().clone()).collect();
    uuids.sort();
    uuids
}

/// The devices of one answer, and the position at which the next one continues.
fn page(answer: &Response) -> (Vec<Value>, Option<String>) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let Value::Object(mut body) = json(answer) else { panic!("no object") };
    let devices = body.remove("devices").and_then(|devices| devices.as_array().cloned()).expect("a list of devices");
    let next = body.remove("next").map(|next| next.as_str().expect("next is a string").to_owned());
    assert!(body.is_empty(), "{body:?}");
    let dates: Vec<_> = devices.iter().map(|device| device["registration_date"].as_str()).collect();
    assert!(dates.is_sorted(), "oldest first");
    (devices, next)
}

/// Follows `next` to the end: the answers, each with its length in bytes.
async fn follow(cloud: &TestCloud, query: &str) -> Vec<(Vec<Value>, usize)> {
    let mut pages = Vec::new();
    let mut path = format!("/devices?{query}");
    loop {
        let answer = get(cloud, &path).await;
        let (devices, next) = page(&answer);
        pages.push((devices, answer.body.len()));
        assert!(pages.len() < 100, "the list does not end");
        match next {
            Some(next) => path = format!("/devices?{query}&next={next}"),
            None => return pages,
        }
    }
}

/// The UUIDs of all devices on these pages, sorted, twice where a device is there twice.
fn listed(pages: &[(Vec<Value>, usize)]) -> Vec<String> {
    let devices = pages.iter().flat_map(|(devices, _)| devices);
    let mut uuids: Vec<_> = devices.map(|device| device["uuid"].as_str().unwrap().to_owned()).collect();
    uuids.sort();
    uuids
}

/// Puts items of up to 400 KB.
async fn put_large(cloud: &TestCloud, items: Vec<Item>) {
    for batch in items.chunks(5) {
        cloud.put_items(DEVICES, batch.to_vec()).await;
    }
}
