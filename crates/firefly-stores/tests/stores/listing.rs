//! `Devices::list`.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use emulator_kit::faults::Fault;
use firefly_core::device::ProductHex;
use firefly_core::group::{SUPER_USERS, SuperUser, super_user};
use firefly_core::time::UnixSeconds;
use firefly_stores::{Cursor, DeviceFilter, DevicePage, ListError, StoreError};
use serde_json::{Value, json};

use crate::controller::Controller;
use crate::engines::{ALL_INDEX, DEVICES, Engines, Item, KEYS_INDEX, NOW, item, text};

fn operator() -> SuperUser {
    super_user([SUPER_USERS]).unwrap()
}

fn product(hex: &str) -> ProductHex {
    hex.parse().unwrap()
}

/// The list of a product, or of all devices.
fn of(product: Option<ProductHex>) -> DeviceFilter {
    DeviceFilter { product, ..DeviceFilter::default() }
}

/// The list of one product.
fn of_product() -> DeviceFilter {
    of(Some(product("0xFF010001")))
}

/// Devices of the product of [`of_product`], in no order of their registration.
fn rows(numbers: std::ops::Range<usize>) -> Vec<Item> {
    let row = |number| item([("uuid", text(&format!("device {number:04}"))), ("product_hex", text("0xFF010001"))]);
    numbers.map(row).collect()
}

/// Follows a list to its end and returns the UUIDs of each answer.
async fn follow(engines: &Engines, filter: DeviceFilter) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = engines.devices().list(&operator(), filter, cursor).await.unwrap();
        let (uuids, next) = parts(&page);
        pages.push(uuids);
        cursor = next;
        if cursor.is_none() {
            return pages;
        }
    }
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
        let pages = follow(&engines, of(list)).await;
        assert!(pages.iter().all(|uuids| uuids.len() <= 1_000));
        let mut found = pages.concat();
        assert_eq!(found.len(), expected);
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
        let page = engines.devices().list(&operator(), of(list), None).await.unwrap();
        assert_eq!(parts(&page), (vec![controller.id.to_string()], None));
    }
    let page = engines.devices().list(&operator(), of(Some(product("0xFF010002"))), None).await.unwrap();
    assert_eq!(parts(&page), (Vec::new(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused_before_the_table_is_read() {
    let engines = Engines::start().await;
    let row = |number: usize| item([("uuid", text(&number.to_string())), ("product_hex", text("0xFF010001"))]);
    put_all(&engines, (0..1_001).map(row).collect()).await;
    let lists = [None, Some(product("0xFF010001")), Some(product("0xFF010002"))];
    for given_out in &lists[..2] {
        let page = engines.devices().list(&operator(), of(*given_out), None).await.unwrap();
        let cursor = parts(&page).1.unwrap();
        let calls = || engines.faults.count("Scan") + engines.faults.count("Query");
        let before = calls();
        for list in lists.iter().filter(|list| *list != given_out) {
            let refused = engines.devices().list(&operator(), of(*list), Some(cursor.clone())).await;
            assert!(matches!(refused, Err(ListError::ForeignCursor)));
        }
        assert_eq!(calls(), before);
        let rest = engines.devices().list(&operator(), of(*given_out), Some(cursor)).await.unwrap();
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
    let page = engines.devices().list(&operator(), of(None), None).await.unwrap();
    let json = serde_json::to_value(&page).unwrap();
    let expected = r#"{"binary":"__4","list":[null,true],"numbers":[1.5],"texts":["a"]}"#;
    assert_eq!(json["devices"][0]["mcu"], serde_json::from_str::<Value>(expected).unwrap());
    assert_eq!(json["devices"][0]["public_key"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_is_a_store_error() {
    let engines = Engines::start().await;
    engines.put(DEVICES, rows(0..1).remove(0)).await;
    let of_product = Some(product("0xFF010001"));
    for (list, call, operation) in [
        (None, "Scan", "dynamodb:Scan"),
        (of_product, "Query", "dynamodb:Query"),
        (of_product, "BatchGetItem", "dynamodb:BatchGetItem"),
    ] {
        engines.faults.every(call, Fault::json_error(400, "AccessDeniedException"));
        let error = engines.devices().list(&operator(), of(list), None).await.unwrap_err();
        let ListError::Store(StoreError::Failed { operation: failed, .. }) = error else { panic!("{error}") };
        assert_eq!(failed, operation);
        engines.faults.every(call, Fault::json_error(400, "ThrottlingException"));
        let error = engines.devices().list(&operator(), of(list), None).await.unwrap_err();
        let ListError::Store(StoreError::Unavailable { operation: failed, .. }) = error else { panic!("{error}") };
        assert_eq!(failed, operation);
        engines.faults.mend();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_read_from_the_index_of_keys_and_the_table() {
    let engines = Engines::start().await;
    put_all(&engines, rows(0..60)).await;
    let pages = follow(&engines, of_product()).await;
    assert_eq!(pages.concat().len(), 60);
    // 25 keys and their rows at a time.
    assert_eq!((engines.faults.count("Query"), engines.faults.count("BatchGetItem")), (3, 3));
    // One that nobody has is not asked for.
    assert_eq!(follow(&engines, of(Some(product("0xFF010002")))).await, [Vec::<String>::new()]);
    assert_eq!((engines.faults.count("Query"), engines.faults.count("BatchGetItem")), (4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_earlier_index_answers_while_the_index_of_keys_is_absent_or_filled() {
    let engines = Engines::start().await;
    engines.add_all_index().await;
    put_all(&engines, rows(0..60)).await;
    let queries = async || {
        let before = engines.faults.count("Query");
        assert_eq!(follow(&engines, of_product()).await.concat().len(), 60);
        engines.faults.count("Query") - before
    };
    assert_eq!(queries().await, 3, "both are there: the index of keys is asked");
    engines.faults.next("Query", [Fault::json_error(400, "ValidationException")]);
    assert_eq!(queries().await, 4, "it is being filled: one question more");
    engines.drop_index(KEYS_INDEX).await;
    assert_eq!(queries().await, 4, "it is absent");
    engines.drop_index(ALL_INDEX).await;
    let error = engines.devices().list(&operator(), of_product(), None).await.unwrap_err();
    assert!(matches!(error, ListError::Store(StoreError::Failed { operation: "dynamodb:Query", .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_in_the_index_that_it_began_in() {
    let engines = Engines::start().await;
    engines.add_all_index().await;
    put_all(&engines, rows(0..1_001)).await;
    // Each index is asked alone, so that a list which changes the index is seen.
    engines.faults.next("Query", [Fault::json_error(400, "ValidationException")]);
    let page = engines.devices().list(&operator(), of_product(), None).await.unwrap();
    let (uuids, in_all) = parts(&page);
    assert_eq!(uuids.len(), 1_000);
    let page = engines.devices().list(&operator(), of_product(), None).await.unwrap();
    let in_keys = parts(&page).1;
    assert!(in_all.is_some() && in_keys.is_some() && in_all != in_keys);
    for (gone, cursor, other) in [(KEYS_INDEX, &in_keys, &in_all), (ALL_INDEX, &in_all, &in_keys)] {
        engines.drop_index(gone).await;
        let refused = engines.devices().list(&operator(), of_product(), cursor.clone()).await;
        assert!(matches!(refused, Err(ListError::ForeignCursor)), "{gone}");
        if gone == KEYS_INDEX {
            let rest = engines.devices().list(&operator(), of_product(), other.clone()).await.unwrap();
            assert_eq!(parts(&rest).0.len(), 1);
        }
    }
}

/// DynamoDB's answer when it leaves these rows unprocessed.
fn unprocessed(numbers: std::ops::Range<usize>) -> Fault {
    let keys: Vec<_> = numbers.map(|number| json!({ "uuid": { "S": format!("device {number:04}") } })).collect();
    let left = json!({ DEVICES: { "Keys": keys } });
    Fault::bytes(200, json!({ "Responses": {}, "UnprocessedKeys": left }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn unprocessed_rows_are_asked_for_again() {
    let engines = Engines::start().await;
    put_all(&engines, rows(0..30)).await;
    engines.faults.next("BatchGetItem", [unprocessed(0..25), unprocessed(0..25), unprocessed(0..25)]);
    assert_eq!(follow(&engines, of_product()).await.concat().len(), 30);
    assert_eq!(engines.faults.count("BatchGetItem"), 5);
    engines.faults.every("BatchGetItem", unprocessed(0..25));
    let error = engines.devices().list(&operator(), of_product(), None).await.unwrap_err();
    let expected = StoreError::Unavailable {
        operation: "dynamodb:BatchGetItem",
        cause: "keys were left unprocessed each time".to_owned(),
    };
    assert_eq!(error.to_string(), expected.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_gone_is_left_out() {
    let engines = Engines::start().await;
    put_all(&engines, rows(0..30)).await;
    let none = Fault::bytes(200, format!(r#"{{"Responses":{{"{DEVICES}":[]}},"UnprocessedKeys":{{}}}}"#));
    engines.faults.next("BatchGetItem", [none]);
    assert_eq!(follow(&engines, of_product()).await.concat().len(), 5);
}

/// Devices by what they say of their last backup, and whether a list of those backed up before [`NOW`] has them.
fn backed_up() -> Vec<(&'static str, Option<AttributeValue>, bool)> {
    let at = |seconds| Some(text(&UnixSeconds::new(seconds).to_string()));
    vec![
        ("never", None, true),
        ("null", Some(AttributeValue::Null(true)), true),
        ("a number", Some(AttributeValue::N("1".to_owned())), true),
        ("empty", Some(text("")), true),
        ("1970", at(0), true),
        ("a second before", at(NOW.get() - 1), true),
        ("then", Some(text(&NOW.to_string())), false),
        ("a second after", at(NOW.get() + 1), false),
        ("9999", Some(text(&UnixSeconds::MAX.to_string())), false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_backed_up_since_are_left_out_of_either_list() {
    let engines = Engines::start().await;
    for (name, date, _) in backed_up() {
        let mut row = item([("uuid", text(name)), ("product_hex", text("0xFF010001"))]);
        row.extend(date.map(|date| ("last_backup_date".to_owned(), date)));
        engines.put(DEVICES, row).await;
    }
    engines.put(DEVICES, item([("uuid", text("a device#replay"))])).await;
    engines.put(DEVICES, item([("uuid", text("another")), ("product_hex", text("0xFF010002"))])).await;
    let mut expected: Vec<_> = backed_up().into_iter().filter(|(_, _, is_listed)| *is_listed).map(|it| it.0).collect();
    expected.sort_unstable();
    for filter in [DeviceFilter::default(), of_product()] {
        let filter = DeviceFilter { backup_before: Some(NOW), ..filter };
        let mut found = follow(&engines, filter).await.concat();
        found.sort();
        found.retain(|uuid| filter.product.is_some() || uuid != "another");
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_looks_at_160_pages_of_a_product_at_most() {
    let engines = Engines::start().await;
    let key = json!({ "uuid": { "S": "gone" }, "product_hex": { "S": "0xFF010001" } });
    let page = json!({ "Items": [{ "uuid": { "S": "gone" } }], "LastEvaluatedKey": key });
    engines.faults.every("Query", Fault::bytes(200, page.to_string()));
    let page = engines.devices().list(&operator(), of_product(), None).await.unwrap();
    let (uuids, next) = parts(&page);
    assert!(uuids.is_empty() && next.is_some());
    assert_eq!((engines.faults.count("Query"), engines.faults.count("BatchGetItem")), (160, 160));
}
