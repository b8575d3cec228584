//! Members of `super_users` alone may see the list; it shows the documented members of a device.

use firefly_local::issuer::{AUDIENCE, ISSUER};
use firefly_testkit::answer::{assert_failure, assert_message, json};
use firefly_testkit::stored::{DEVICES, item, legacy_device, text};
use firefly_testkit::{START, TestCloud, new_device};
use serde_json::{Value, json};

use super::{get, page};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_outside_super_users_is_403() {
    let cloud = TestCloud::start().await;
    for (groups, status) in [
        (vec!["super_users"], 200),
        (vec!["installers", "super_users"], 200),
        (vec!["super_users", "installers"], 200),
        (vec![], 403),
        (vec!["installers"], 403),
        (vec!["super_user"], 403),
        (vec!["super_users2"], 403),
        (vec!["my_super_users"], 403),
        (vec!["SUPER_USERS"], 403),
        (vec!["super-users"], 403),
        (vec!["super_users,installers"], 403),
        (vec!["[super_users]"], 403),
        (vec!["[super_users", "super_users]"], 403),
        (vec!["super", "_users"], 403),
    ] {
        let answer = cloud.as_user("anna", &groups, "GET", "/devices").await;
        assert_eq!(answer.status, status, "{groups:?}");
        if status == 403 {
            assert_failure(&format!("{groups:?}"), &answer, 403, "forbidden");
            // The answer does not tell whether the query is a good one.
            let answer = cloud.as_user("anna", &groups, "GET", "/devices?next=%00&product_hex=x").await;
            assert_failure(&format!("{groups:?}"), &answer, 403, "forbidden");
        }
    }
    // A group that has but one value need not be a list.
    let claims = |groups: Value| {
        let common = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": START + 60, "sub": "anna" });
        let mut claims = common.as_object().unwrap().clone();
        claims.insert("cognito:groups".to_owned(), groups);
        format!("Bearer {}", cloud.token_with(&Value::Object(claims)))
    };
    for (groups, status) in [
        (json!("super_users"), 200),
        (json!("installers"), 403),
        (json!(""), 403),
        (json!([]), 403),
        (json!({ "super_users": true }), 403),
    ] {
        let bearer = claims(groups.clone());
        let answer = cloud.request("GET", "/devices", &[("Authorization", &bearer)], None).await;
        assert_eq!(answer.status, status, "{groups}");
    }
    let answer = cloud.request("GET", "/devices", &[("X-Device-UUID", "x")], None).await;
    assert_eq!(assert_message("no token", &answer, 401), "Unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_a_device_is_shown_and_nothing_internal() {
    let cloud = TestCloud::start().await;
    let (device, key) = (new_device(), cloud.mint().await);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    assert!(cloud.replay_record(device.uuid()).await.is_some());
    let answer = get(&cloud, "/devices").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut shown: Value = serde_json::from_slice(&firefly_device::registration_body(&device)).unwrap();
    shown["registration_date"] = json!("2033-05-18T03:33:20Z");
    shown["last_backup_date"] = json!("2033-05-18T03:33:20Z");
    shown["registered_by_email"] = json!("installer@example.com");
    shown["registered_by_sub"] = json!("installer");
    assert_eq!(json(&answer), json!({ "devices": [shown] }));

    // An old row: NULL counts as absent, and an attribute that is not a member is not shown.
    let old = new_device();
    let mut row = legacy_device(&old);
    row.insert("note".to_owned(), text("not for clients"));
    cloud.put_item(DEVICES, row).await;
    cloud.put_item(DEVICES, item([("uuid", text("0-bare"))])).await;
    let (devices, next) = page(&get(&cloud, "/devices").await);
    assert_eq!((devices.len(), next), (3, None));
    let members = devices[2].as_object().unwrap().keys().collect::<Vec<_>>();
    for device in &devices {
        assert_eq!(device.as_object().unwrap().keys().collect::<Vec<_>>(), members);
    }
    let of = |uuid: &str| devices.iter().find(|device| device["uuid"] == uuid).unwrap();
    let shown = of(&old.uuid().to_string());
    for member in ["network", "partitions", "last_backup_date", "registered_by_sub"] {
        assert_eq!(shown[member], Value::Null, "{member}");
    }
    let mcu = json!({
        "model": "ESP32-S3", "revision": 2, "cpu_freq_mhz": 240, "flash_chip_size": 16_777_216, "vdd_spi_volts": 3.3,
        "features": ["WiFi 802.11 b/g/n", "Bluetooth LE"], "psram_size": null,
    });
    assert_eq!(shown["mcu"], mcu);
    let bare = of("0-bare").as_object().unwrap();
    assert!(bare.iter().all(|(member, value)| member == "uuid" || value.is_null()), "{bare:?}");
}
