//! `Devices::list`.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use emulator_kit::faults::Fault;
use firefly_core::device::ProductHex;
use firefly_core::group::{SUPER_USERS, SuperUser, super_user};
use firefly_stores::{Cursor, DevicePage, ListError, StoreError};
use serde_json::Value;

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, Item, item, text};

fn operator() -> SuperUser {
    super_user([SUPER_USERS]).unwrap()
}

fn product(hex: &str) -> ProductHex {
    hex.parse().unwrap()
}

/// The UUIDs of a page, and its cursor.
fn parts(page: &DevicePage) -> (Vec<String>, Option<Cursor>) {
    let json = serde_json::to_value(page).unwrap();
    let uuids = json["devices"].as_array().unwrap().iter().map(|device| device["uuid"].as_str().unwrap().to_owned());
    (uuids.collect(), json.get("next").map(|next| next.as_str().unwrap().parse().unwrap()))
}

async fn put_all(engines: &Engines, items: Vec<Item>) {
    for items in items.chunks(25) {
        let put = |item: &Item| PutRequest::builder().set_item(Some(item.clone())).build().unwrap();
        let writes = items.iter().map(|item| WriteRequest::builder().put_request(put(item)).build()).collect();
        let written = engines.items.batch_write_item().request_items(DEVICES, writes).send().await.unwrap();
        assert!(written.unprocessed_items.unwrap_or_default().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_is_on_one_page_and_no_page_has_more_than_1000() {
    let engines = Engines::start().await;
    let row = |number: usize| {
        let hex = text(if number.is_multiple_of(2) { "0xFF010001" } else { "0xFF010002" });
        item([("uuid", text(&format!("device {number:04}"))), ("product_hex", hex)])
    };
    put_all(&engines, (0..2_002).map(row).collect()).await;
    for (list, expected) in [(None, 2_002), (Some(product("0xFF010001")), 1_001)] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = engines.devices().list(&operator(), list, cursor).await.unwrap();
            let (uuids, next) = parts(&page);
            assert!(uuids.len() <= 1_000);
            found.extend(uuids);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_records_are_not_listed() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    controller.verified(&engines).await;
    for list in [None, Some(product("0xFF010001"))] {
        let page = engines.devices().list(&operator(), list, None).await.unwrap();
        assert_eq!(parts(&page), (vec![controller.id.to_string()], None));
    }
    let page = engines.devices().list(&operator(), Some(product("0xFF010002")), None).await.unwrap();
    assert_eq!(parts(&page), (Vec::new(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused_before_the_table_is_read() {
    let engines = Engines::start().await;
    let row = |number: usize| item([("uuid", text(&number.to_string())), ("product_hex", text("0xFF010001"))]);
    put_all(&engines, (0..1_001).map(row).collect()).await;
    let lists = [None, Some(product("0xFF010001")), Some(product("0xFF010002"))];
    for given_out in &lists[..2] {
        let page = engines.devices().list(&operator(), *given_out, None).await.unwrap();
        let cursor = parts(&page).1.unwrap();
        let calls = || engines.faults.count("Scan") + engines.faults.count("Query");
        let before = calls();
        for list in lists.iter().filter(|list| *list != given_out) {
            let refused = engines.devices().list(&operator(), *list, Some(cursor.clone())).await;
            assert!(matches!(refused, Err(ListError::ForeignCursor)));
        }
        assert_eq!(calls(), before);
        let rest = engines.devices().list(&operator(), *given_out, Some(cursor)).await.unwrap();
        assert_eq!(parts(&rest).0.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_every_type_are_passed_on() {
    let engines = Engines::start().await;
    let mcu = AttributeValue::M(
        [
            ("binary".to_owned(), AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new([0xFF, 0xFE]))),
            ("list".to_owned(), AttributeValue::L(vec![AttributeValue::Null(true), AttributeValue::Bool(true)])),
            ("numbers".to_owned(), AttributeValue::Ns(vec!["1.5".to_owned()])),
            ("texts".to_owned(), AttributeValue::Ss(vec!["a".to_owned()])),
        ]
        .into(),
    );
    engines.put(DEVICES, item([("uuid", text("not a UUID")), ("mcu", mcu)])).await;
    let page = engines.devices().list(&operator(), None, None).await.unwrap();
    let json = serde_json::to_value(&page).unwrap();
    let expected = r#"{"binary":"__4","list":[null,true],"numbers":[1.5],"texts":["a"]}"#;
    assert_eq!(json["devices"][0]["mcu"], serde_json::from_str::<Value>(expected).unwrap());
    assert_eq!(json["devices"][0]["public_key"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_is_a_store_error() {
    let engines = Engines::start().await;
    for (list, call, operation) in
        [(None, "Scan", "dynamodb:Scan"), (Some(product("0xFF010001")), "Query", "dynamodb:Query")]
    {
        engines.faults.every(call, Fault::json_error(400, "AccessDeniedException"));
        let error = engines.devices().list(&operator(), list, None).await.unwrap_err();
        let ListError::Store(StoreError::Failed { operation: failed, .. }) = error else { panic!("{error}") };
        assert_eq!(failed, operation);
        engines.faults.every(call, Fault::json_error(400, "ThrottlingException"));
        let error = engines.devices().list(&operator(), list, None).await.unwrap_err();
        let ListError::Store(StoreError::Unavailable { operation: failed, .. }) = error else { panic!("{error}") };
        assert_eq!(failed, operation);
    }
}
