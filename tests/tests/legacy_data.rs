//! The items and objects of the earlier functions work on every route: their attribute names, no newer attributes, NULL
//! for a member that was not sent, S3 keys and metadata as they wrote them.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_device::{Identity, etag};
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::stored::{DEVICES, Item, KEYS, item, legacy_device, number, text};
use firefly_testkit::{START, TestCloud, new_device};
use serde_json::{Value, json};

/// A device laid down with the backup the earlier functions would have stored for it.
async fn legacy(cloud: &TestCloud, backup: &[u8], tag: Option<&str>) -> (Identity, Item) {
    let device = new_device();
    let mut row = legacy_device(&device);
    row.insert("last_backup_date".to_owned(), text("2024-11-06T00:00:01Z"));
    cloud.put_item(DEVICES, row.clone()).await;
    cloud.put_object(device.uuid(), backup, tag).await;
    (device, row)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_old_is_served_without_a_new_registration() {
    let cloud = TestCloud::start().await;
    let old = b"FFCE\x00 as it was once sealed, which no envelope is now";
    let tag = etag(b"old configuration").quoted();
    let bare = tag.trim_matches('"');
    let (device, row) = legacy(&cloud, old, Some(bare)).await;

    let answer = cloud.signed(&cloud.sign(&device), "GET", "registration", &[], None).await;
    let expected = json!({
        "uuid": device.uuid().to_string(),
        "product_id": "FireFly Controller",
        "product_hex": "0xFF010001",
        "device_class": "CONTROLLER",
        "registration_date": "2024-11-05T07:08:09Z",
        "registering_application": "FireFly Controller",
        "registering_version": "2024.10.2",
    });
    assert_eq!((answer.status, json(&answer)), (200, expected));

    let restored = cloud.restore(&device).await;
    assert_eq!((restored.status, &restored.body[..]), (200, old.as_slice()));
    assert_eq!(restored.header("etag"), Some(tag.as_str()));
    assert_eq!(restored.header("content-type"), Some("application/octet-stream"));

    // The old ETag is compared with, too; the row stays as it was.
    let envelope = device.seal(b"old configuration", &[7; 12]).unwrap();
    let headers = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
    let answer = cloud.signed(&cloud.sign(&device), "POST", "backup", &headers, Some(&envelope)).await;
    assert_eq!(answer.status, 304);
    assert_eq!(cloud.device_item(device.uuid()).await, Some(row.clone()));

    let answer = cloud.upload(&device, &envelope).await;
    assert_eq!(answer.status, 200);
    assert_eq!(cloud.restore(&device).await.body, envelope);
    let mut updated = row.clone();
    updated.insert("last_backup_date".to_owned(), text("2033-05-18T03:33:20Z"));
    assert_eq!(cloud.device_item(device.uuid()).await, Some(updated));

    let answer = cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await;
    assert_eq!(answer.status, 200);
    let mut cleared = row;
    cleared.remove("last_backup_date");
    assert_eq!(cloud.device_item(device.uuid()).await, Some(cleared));
    assert_failure("deleted", &cloud.restore(&device).await, 404, "no_backup");
}

/// A row of old counts as a registration: the same key is told so, another is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_old_is_registered() {
    let cloud = TestCloud::start().await;
    let (device, row) = legacy(&cloud, b"FFCE", None).await;
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&device, "ZZZZZZ").await.status, 204);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    let impostor = new_device().with_uuid(device.uuid());
    let answer = cloud.register(&impostor, key.as_str()).await;
    assert_failure("another public key", &answer, 409, "registered_with_other_key");
    assert_eq!(cloud.device_item(device.uuid()).await, Some(row));
    assert!(cloud.key_item(key.as_str()).await.is_some());
}

/// A backup without an ETag in its metadata, or with a text that is not one, is returned and replaced like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_old_with_odd_metadata_is_restored_and_replaced() {
    let cloud = TestCloud::start().await;
    let tag = etag(b"configuration").quoted();
    for metadata in [None, Some(""), Some("\"\""), Some("None"), Some("d41d8cd98f00b204e9800998ecf8427e")] {
        let (device, _) = legacy(&cloud, b"FFCE of old", metadata).await;
        let restored = cloud.restore(&device).await;
        assert_eq!((restored.status, &restored.body[..]), (200, b"FFCE of old".as_slice()), "{metadata:?}");
        assert_eq!(restored.header("etag"), None, "{metadata:?}");
        let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
        let headers = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
        for status in [200, 304] {
            let signed = cloud.sign(&device);
            let answer = cloud.signed(&signed, "POST", "backup", &headers, Some(&envelope)).await;
            assert_eq!(answer.status, status, "{metadata:?}");
        }
        assert_eq!(cloud.restore(&device).await.header("etag"), Some(tag.as_str()), "{metadata:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_old_are_listed_beside_new_ones() {
    let cloud = TestCloud::start().await;
    let (old, _) = legacy(&cloud, b"FFCE", None).await;
    let new = cloud.registered_device().await;
    for path in ["/devices", "/devices?product_hex=0xFF010001"] {
        let answer = cloud.as_user("operator", &["super_users"], "GET", path).await;
        let list = json(&answer)["devices"].as_array().unwrap().clone();
        let uuids: Vec<_> = list.iter().map(|device| device["uuid"].as_str().unwrap().to_owned()).collect();
        assert_eq!(uuids, [old.uuid().to_string(), new.uuid().to_string()], "{path}");
        let shown = &list[0];
        assert_eq!(shown["last_backup_date"], "2024-11-06T00:00:01Z", "{path}");
        assert_eq!(shown["registered_by_email"], "installer@example.com", "{path}");
        assert_eq!(shown["registered_by_sub"], Value::Null, "{path}");
        assert_eq!((&shown["network"], &shown["partitions"]), (&Value::Null, &Value::Null), "{path}");
        assert_eq!(shown["mcu"]["flash_chip_size"], 16_777_216, "{path}");
        assert_eq!(shown["mcu"]["vdd_spi_volts"], 3.3, "{path}");
        assert_eq!(shown["mcu"]["psram_size"], Value::Null, "{path}");
    }
}

/// Keys that were made before the functions were exchanged are good until their `ttl`, but no item of their makers names them.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_old_registers_a_device_and_is_missing_from_the_list() {
    let cloud = TestCloud::start().await;
    let whole = item([
        ("key", text("OLDK3Y")),
        ("ttl", number(START + 600)),
        ("generated_at", number(START - 1_200)),
        ("generated_by_sub", text("anna")),
        ("generated_by_email", text("anna@example.com")),
    ]);
    let mut null_email = whole.clone();
    null_email.extend(item([("key", text("OLDK2Y")), ("generated_by_email", AttributeValue::Null(true))]));
    let bare = item([("key", text("OLDK1Y")), ("ttl", number(START + 1))]);
    for key in [&whole, &null_email, &bare] {
        cloud.put_item(KEYS, key.clone()).await;
    }
    let answer = cloud.as_user("anna", &[], "GET", "/registration-keys").await;
    assert_eq!(json(&answer), json!({ "registration_keys": [] }));
    for (key, email, sub) in [("OLDK3Y", "anna@example.com", "anna"), ("OLDK2Y", "", "anna"), ("OLDK1Y", "", "")] {
        let device = new_device();
        assert_eq!(cloud.register(&device, key).await.status, 204, "{key}");
        let row = cloud.device_item(device.uuid()).await.unwrap();
        assert_eq!((&row["registered_by_email"], &row["registered_by_sub"]), (&text(email), &text(sub)), "{key}");
        assert_eq!(cloud.key_item(key).await, None, "{key}");
    }
}

/// Python's numbers are decimals: a whole one may come with a point or an exponent.
#[tokio::test(flavor = "multi_thread")]
async fn decimal_times_of_a_key_of_old_are_read() {
    let cloud = TestCloud::start().await;
    for (key, ttl, generated_at) in
        [("DECIM1", "2000000600.0", "1.9999988E+9"), ("DECIM2", "2.0000006E9", "1999998800")]
    {
        let of_anna = ("generated_by_sub", text("anna"));
        let times = [("key", text(key)), ("ttl", number(ttl)), ("generated_at", number(generated_at)), of_anna];
        cloud.put_item(KEYS, item(times)).await;
    }
    let keys = ["DECIM1", "DECIM2"].map(|key| (key, number(START + 600)));
    let live = item([
        ("key", text("live-keys#anna")),
        ("version", number(1)),
        ("turnover_at", number(START)),
        ("keys", AttributeValue::M(item(keys))),
        ("ttl", number(START + 600)),
    ]);
    cloud.put_item(KEYS, live).await;
    let answer = cloud.as_user("anna", &[], "GET", "/registration-keys").await;
    let shown = |key: &str| json!({ "key": key, "generated_at": START - 1_200, "expires_at": START + 600 });
    assert_eq!(json(&answer), json!({ "registration_keys": [shown("DECIM1"), shown("DECIM2")] }));
    for key in ["DECIM1", "DECIM2"] {
        assert_eq!(cloud.register(&new_device(), key).await.status, 204, "{key}");
    }
}
