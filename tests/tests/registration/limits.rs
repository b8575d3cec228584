//! Values just within the limits of a registration are stored, and given back as they were sent.

use std::collections::HashMap;

use firefly_core::registration::MAX_BODY_LENGTH;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::{TestCloud, new_device};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::nested;
use super::{Body, listed, register};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_16_kib() {
    let cloud = TestCloud::start().await;
    assert_eq!(MAX_BODY_LENGTH, 16 * 1_024);
    let (device, key) = (new_device(), cloud.mint().await);
    for length in [MAX_BODY_LENGTH + 1, MAX_BODY_LENGTH * 2, 4_000_000] {
        let body = Body::of(&device).padded_to(length).bytes();
        assert_eq!(body.len(), length);
        assert_failure("too large", &register(&cloud, key.as_str(), &body).await, 413, "body_too_large");
    }
    let body = Body::of(&device).padded_to(MAX_BODY_LENGTH).bytes();
    assert_eq!(body.len(), MAX_BODY_LENGTH);
    assert_eq!(register(&cloud, key.as_str(), &body).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_kept_as_they_are_up_to_128_characters() {
    let cloud = TestCloud::start().await;
    for text in
        ["x".to_owned(), "x".repeat(128), "\u{1f525}".repeat(128), " \u{a0}\u{200b}\u{feff}\\\"<>&'/".to_owned()]
    {
        let device = new_device();
        let mut body = Body::of(&device);
        let names = ["product_id", "device_class", "registering_application", "registering_version"];
        for name in names {
            body = body.with(name, Value::from(text.as_str()));
        }
        assert_eq!(register(&cloud, cloud.mint().await.as_str(), &body.bytes()).await.status, 204, "{text}");
        let shown = listed(&cloud, &device).await;
        for name in names {
            assert_eq!(shown[name], text.as_str(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uuid_and_product_are_stored_in_their_canonical_form() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    let uuid = device.uuid().to_string();
    let body =
        Body::of(&device).with("uuid", format!("\"{}\"", uuid.to_uppercase())).with("product_hex", "\"0xabCdeF01\"");
    assert_eq!(register(&cloud, cloud.mint().await.as_str(), &body.bytes()).await.status, 204);
    let item = cloud.device_item(device.uuid()).await.unwrap();
    assert_eq!(item["uuid"].as_s().unwrap(), &uuid);
    assert_eq!(item["product_hex"].as_s().unwrap(), "0xABCDEF01");
    // So it is the same device in each case, and the index finds it.
    assert_eq!(cloud.signed(&cloud.sign(&device), "GET", "registration", &[], None).await.status, 200);
    for product in ["0xABCDEF01", "0xabcdef01"] {
        let path = format!("/devices?product_hex={product}");
        let answer = cloud.as_user("operator", &["super_users"], "GET", &path).await;
        assert_eq!(firefly_testkit::answer::json(&answer)["devices"][0]["uuid"], uuid.as_str(), "{product}");
    }
}

/// Numbers come back as numbers of the same value.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_kept_as_they_are() {
    let cloud = TestCloud::start().await;
    let device = new_device();
    let integers = [
        "0",
        "1",
        "-1",
        "240",
        "16777216",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
    ];
    let others = [
        "3.3",
        "-0.5",
        "0.1",
        "1.5e3",
        "1E+2",
        "2e-3",
        "1e120",
        "-1e120",
        "1e-120",
        "-1e-120",
        "1.7976931348623157e100",
        "2.2250738585072014e-100",
        "0.30000000000000004",
        "123456789.123456789",
        "0.0",
        "-0.0",
        "0e999",
        "-0",
    ];
    let member = |kind: &str, texts: &[&str]| format!("\"{kind}\":[{}]", texts.join(","));
    let mcu = format!("{{{},{}}}", member("integers", &integers), member("others", &others));
    let body = Body::of(&device).with("mcu", &mcu).with("network", format!("[{mcu},{{}}]")).with("partitions", "[]");
    let answer = register(&cloud, cloud.mint().await.as_str(), &body.bytes()).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
    let shown = cloud.as_user("operator", &["super_users"], "GET", "/devices").await;
    // The numbers' own texts: parsed, they could differ in the last digit.
    let [shown] = elements(member_of(str::from_utf8(&shown.body).unwrap(), "devices"))[..] else {
        panic!("one device")
    };
    let [interface, empty] = elements(member_of(shown, "network"))[..] else { panic!("two objects") };
    for object in [member_of(shown, "mcu"), interface] {
        assert_eq!(elements(member_of(object, "integers")), integers);
        let written = elements(member_of(object, "others"));
        assert_eq!(written.len(), others.len());
        for (number, text) in written.iter().zip(others) {
            assert_eq!(number.parse::<f64>(), text.parse::<f64>(), "{text}: {number}");
        }
    }
    assert_eq!((empty, member_of(shown, "partitions")), ("{}", "[]"));
}

/// The text of one member of an object.
fn member_of<'a>(object: &'a str, name: &str) -> &'a str {
    let mut members: HashMap<&str, &RawValue> = serde_json::from_str(object).unwrap();
    members.remove(name).unwrap().get()
}

/// The texts of an array's elements.
fn elements(array: &str) -> Vec<&str> {
    serde_json::from_str::<Vec<&RawValue>>(array).unwrap().into_iter().map(RawValue::get).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_kept_as_they_are_up_to_16_levels() {
    let cloud = TestCloud::start().await;
    for (name, text) in [
        ("mcu", "{}".to_owned()),
        ("mcu", nested(16)),
        ("mcu", "{\"a\":null,\"b\":[true,false,null,\"\",[],{}],\"#\":\"\\u0000\\ud83d\\udd25\",\" \":1}".to_owned()),
        ("mcu", "{\"a\":1,\"b\":2,\"a\":3}".to_owned()),
        ("network", "[]".to_owned()),
        ("network", format!("[{}]", nested(15))),
        ("partitions", format!("[{},{{}},{}]", nested(15), "{\"label\":\"\"}")),
    ] {
        let device = new_device();
        let answer = register(&cloud, cloud.mint().await.as_str(), &Body::of(&device).with(name, &text).bytes()).await;
        assert_eq!(answer.status, 204, "{name}: {text}: {:?}", answer.body);
        // Of a member sent twice the last one counts, here as there.
        let sent: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(listed(&cloud, &device).await[name], sent, "{name}: {text}");
    }
}
