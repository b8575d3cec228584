//! `GET /devices/{uuid}/registration` tells a device its own registration.

use firefly_device::{Response, Standing};
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::stored::{DEVICES, item, number, text};
use firefly_testkit::{TestCloud, new_device};
use serde_json::{Value, json};

async fn status(cloud: &TestCloud, device: &firefly_device::Identity) -> Response {
    cloud.signed(&cloud.sign(device), "GET", "registration", &[], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_is_told_seven_members() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let uuid = device.uuid().to_string();
    cloud.advance(3_600);
    for _ in 0..2 {
        let answer = status(&cloud, &device).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let expected = json!({
            "uuid": uuid,
            "product_id": "FireFly Controller",
            "product_hex": "0xFF010001",
            "device_class": "CONTROLLER",
            "registration_date": "2033-05-18T03:33:20Z",
            "registering_application": "FireFly Controller",
            "registering_version": "2025.6.1",
        });
        assert_eq!(json(&answer), expected);
        assert!(answer.body.len() <= 2_048, "the firmware reads it whole");
    }
    assert!(matches!(cloud.client().status(&cloud.sign(&device)).await.unwrap().outcome, Standing::Registered));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_an_old_row_lacks_is_null() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    let key = device.public_key().to_base64();
    let bare = item([("uuid", text(device.uuid())), ("public_key", text(key))]);
    let mut odd = bare.clone();
    odd.extend(item([
        ("product_id", aws_sdk_dynamodb::types::AttributeValue::Null(true)),
        ("product_hex", text("0xff010001")),
        ("device_class", number(7)),
        ("registration_date", text("2024-11-05T07:08:09.123456")),
    ]));
    for (row, product_hex, date) in [
        (bare, Value::Null, Value::Null),
        // Members that are stored are told as they are stored.
        (odd, json!("0xff010001"), json!("2024-11-05T07:08:09.123456")),
    ] {
        cloud.put_item(DEVICES, row).await;
        let answer = status(&cloud, &device).await;
        assert_eq!(answer.status, 200);
        let expected = json!({
            "uuid": device.uuid().to_string(),
            "product_id": null,
            "product_hex": product_hex,
            "device_class": null,
            "registration_date": date,
            "registering_application": null,
            "registering_version": null,
        });
        assert_eq!(json(&answer), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_device_is_404_and_leaves_nothing_behind() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    for _ in 0..2 {
        assert_failure("unknown", &status(&cloud, &device).await, 404, "not_registered");
    }
    assert!(matches!(cloud.client().status(&cloud.sign(&device)).await.unwrap().outcome, Standing::NotRegistered));
    assert!(cloud.items(DEVICES, "uuid").await.is_empty());
    // Registered and deleted again, it is as unknown as ever.
    assert_eq!(cloud.register(&device, cloud.mint().await.as_str()).await.status, 204);
    let signed = cloud.sign(&device);
    assert_eq!(cloud.signed(&signed, "GET", "registration", &[], None).await.status, 200);
    cloud.delete_device_item(device.uuid()).await;
    assert_failure("deleted", &status(&cloud, &device).await, 404, "not_registered");
    let replayed = cloud.signed(&signed, "GET", "registration", &[], None).await;
    assert_failure("deleted, seen before", &replayed, 404, "not_registered");
}
