//! The row that a registration writes.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_local::issuer::{AUDIENCE, ISSUER};
use firefly_testkit::stored::{item, number, text};
use firefly_testkit::{TestCloud, new_device};
use serde_json::{Value, json};

use super::{Body, listed, register};

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => number(value),
        Value::String(value) => text(value),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(members) => {
            AttributeValue::M(members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

/// The members that the firmware sends, under the attribute names that have always been in the table.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_writes_these_attributes_and_no_others() {
    let cloud = TestCloud::start().await;
    let (device, key) = (new_device(), cloud.mint().await);
    cloud.advance(60);
    let answer = cloud.register(&device, key.as_str()).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let sent: Value = serde_json::from_slice(&Body::of(&device).bytes()).unwrap();
    let expected = item([
        ("uuid", text(device.uuid())),
        ("product_id", text("FireFly Controller")),
        ("product_hex", text("0xFF010001")),
        ("device_class", text("CONTROLLER")),
        ("public_key", text(device.public_key().to_base64())),
        ("registration_date", text("2033-05-18T03:34:20Z")),
        ("registering_application", text("FireFly Controller")),
        ("registering_version", attribute(&sent["registering_version"])),
        ("mcu", attribute(&sent["mcu"])),
        ("registered_by_email", text("installer@example.com")),
        ("registered_by_sub", text("installer")),
        ("network", attribute(&sent["network"])),
        ("partitions", attribute(&sent["partitions"])),
    ]);
    assert_eq!(cloud.device_item(device.uuid()).await, Some(expected));
    assert_eq!(cloud.key_item(key.as_str()).await, None);
    assert_eq!(cloud.replay_record(device.uuid()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_or_null_optional_member_is_not_stored() {
    let cloud = TestCloud::start().await;
    for null in [false, true] {
        let device = new_device();
        let mut body = Body::of(&device).without("network").without("partitions");
        if null {
            body = body.and("network", "null").and("partitions", "null");
        }
        assert_eq!(register(&cloud, cloud.mint().await.as_str(), &body.bytes()).await.status, 204);
        let item = cloud.device_item(device.uuid()).await.unwrap();
        assert!(!item.contains_key("network") && !item.contains_key("partitions"), "{item:?}");
        let shown = listed(&cloud, &device).await;
        assert_eq!((&shown["network"], &shown["partitions"]), (&Value::Null, &Value::Null));
    }
}

/// The row names the maker of the key as the one who registered the device, as far as the maker's token told.
#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_the_key_has_registered_the_device() {
    let cloud = TestCloud::start().await;
    let (issued_at, expires_at) = (cloud.now().get(), cloud.now().get() + 600);
    let id_token = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": issued_at, "exp": expires_at,
        "sub": "7f1c", "email": "anna@example.com",
    });
    // Cognito's access tokens have neither an audience nor an e-mail address.
    let access_token = json!({
        "iss": ISSUER, "client_id": AUDIENCE, "iat": issued_at, "exp": expires_at,
        "sub": "7f1c", "token_use": "access",
    });
    let empty_email = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": issued_at, "exp": expires_at, "sub": "7f1c", "email": "",
    });
    for (claims, email) in [(id_token, "anna@example.com"), (access_token, ""), (empty_email, "")] {
        let bearer = format!("Bearer {}", cloud.token_with(&claims));
        let answer = cloud.request("POST", "/registration-keys", &[("Authorization", &bearer)], None).await;
        assert_eq!(answer.status, 201, "{claims}");
        let key = answer.member("key").unwrap();
        let device = new_device();
        assert_eq!(cloud.register(&device, &key).await.status, 204, "{claims}");
        let item = cloud.device_item(device.uuid()).await.unwrap();
        assert_eq!(item["registered_by_email"], text(email), "{claims}");
        assert_eq!(item["registered_by_sub"], text("7f1c"), "{claims}");
    }
}
