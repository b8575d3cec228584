//! The list passes rows of any content in payloads that Lambda takes.

use std::collections::BTreeMap;
use std::iter;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::registration::MAX_BODY_LENGTH;
use firefly_device::registration_body;
use firefly_testkit::runtime_api::parse_payload;
use firefly_testkit::stored::{DEVICES, item, number, text};
use firefly_testkit::{Invoked, TestCloud, new_device};
use serde_json::{Value, json};

use super::{device_item, follow, listed, page};

/// Most bytes of a response to a synchronous invocation (Lambda quotas, "Invocation payload", 6 MB; Lambda's own error
/// names this number).
const LAMBDA_LIMIT: usize = 6_291_556;

/// Most bytes of a payload: the 5 MB of an answer, which Lambda takes.
const ANSWER_LIMIT: usize = 5_000_000;
const _: () = assert!(ANSWER_LIMIT < LAMBDA_LIMIT);

const PRODUCT: &str = "0xFF010001";

#[tokio::test(flavor = "multi_thread")]
async fn rows_full_of_escapes_are_listed_once_below_the_limit() {
    let cloud = TestCloud::start().await;
    let mut expected = BTreeMap::new();
    for _ in 0..330 {
        let (uuid, mcu) = register_quotes(&cloud).await;
        expected.insert(uuid, mcu);
    }
    for (second, (mcu, json)) in legacy_values().into_iter().enumerate() {
        let mut device = device_item(PRODUCT, second);
        device.insert("mcu".to_owned(), mcu);
        expected.insert(device["uuid"].as_s().unwrap().clone(), json);
        cloud.put_item(DEVICES, device).await;
    }
    for (attribute, value) in [("uuid", "\u{1}".repeat(2_048)), ("registration_date", "\"".repeat(390_000))] {
        let mut device = device_item(PRODUCT, 0);
        device.insert("mcu".to_owned(), AttributeValue::Null(true));
        device.insert(attribute.to_owned(), text(value));
        expected.insert(device["uuid"].as_s().unwrap().clone(), Value::Null);
        cloud.put_item(DEVICES, device).await;
    }

    for query in [json!({}), json!({ "product_hex": PRODUCT })] {
        let payloads = payloads(&cloud, query.clone()).await;
        let lengths: Vec<_> = payloads.iter().map(String::len).collect();
        assert!(lengths.iter().all(|length| *length <= ANSWER_LIMIT), "{query}: {lengths:?}");
        // Each answer but the last takes what fits: two in succession have more than one may have.
        assert!(payloads.len() <= 2 * lengths.iter().sum::<usize>() / 5_000_000 + 3, "{query}: {lengths:?}");
        let mut found = BTreeMap::new();
        for payload in &payloads {
            for mut device in page(&parse_payload(payload)).0 {
                let uuid = device["uuid"].as_str().unwrap().to_owned();
                assert!(found.insert(uuid, device["mcu"].take()).is_none(), "{query}: {device} is listed twice");
            }
        }
        assert!(found.keys().eq(expected.keys()), "{query}: {} devices", found.len());
        for (uuid, mcu) in &expected {
            let start = |value: &Value| value.to_string().chars().take(300).collect::<String>();
            assert!(found[uuid] == *mcu, "{query}: {uuid}: {} for {}", start(&found[uuid]), start(mcu));
        }
    }
    // The gateway takes these answers, and the positions fit into a URL.
    let pages = follow(&cloud, "").await;
    assert!(listed(&pages).iter().eq(expected.keys()));
}

/// Registers a device whose `mcu` is quotes, in a body of the largest length. Returns its UUID and `mcu`.
async fn register_quotes(cloud: &TestCloud) -> (String, Value) {
    let device = new_device();
    let mut body: Value = serde_json::from_slice(&registration_body(&device)).unwrap();
    body["mcu"] = json!({ "note": "" });
    let left = MAX_BODY_LENGTH - body.to_string().len();
    body["mcu"]["note"] = Value::from("\"".repeat(left / 2) + &"a".repeat(left % 2));
    let body = body.to_string();
    assert_eq!(body.len(), MAX_BODY_LENGTH);
    let key = cloud.mint().await;
    let headers = [("X-Registration-Key", key.as_str())];
    let answer = cloud.request("POST", "/devices/register", &headers, Some(body.as_bytes())).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
    let mut body: Value = serde_json::from_str(&body).unwrap();
    (device.uuid().to_string(), body["mcu"].take())
}

/// Texts of 390 KB, near the largest an item may hold, and collections; each with how it is listed.
fn legacy_values() -> Vec<(AttributeValue, Value)> {
    let texts = ["\"", "\\", "\u{1}", "\u{1f525}", "\\\"\u{1f}é"]
        .map(|piece| piece.repeat(390_000 / piece.len()))
        .map(|note| (AttributeValue::M(item([("note", text(&note))])), json!({ "note": note })));
    // The dearest in JSON: sets of control characters that JSON has no letter for.
    let controls = (0..0x20_u8).map(char::from).filter(|control| !"\u{8}\t\n\u{c}\r".contains(*control));
    // In order, as the engine returns a set.
    let set: Vec<_> = iter::once(String::new()).chain(controls.map(String::from)).collect();
    let sets = AttributeValue::L(vec![AttributeValue::Ss(set.clone()); 2_000]);
    let numbers = ["10000000000000000000", "-9000000000000000000", "1E125", "-1.234567890123456"];
    let listed = json!([10_000_000_000_000_000_000_u64, -9_000_000_000_000_000_000_i64, 1e125, -1.234_567_890_123_456]);
    let numbers = AttributeValue::L(numbers.map(number).to_vec());
    // An item nests 32 levels.
    let nested = (0..30).fold((text("\""), json!("\"")), |(stored, listed), _| {
        (AttributeValue::M(item([("\"", stored)])), json!({ "\"": listed }))
    });
    let empty = AttributeValue::L(vec![text(""); 20_000]);
    let mut values = texts.to_vec();
    values.extend([
        (sets, json!(vec![set; 2_000])),
        (AttributeValue::L(vec![numbers; 9_000]), json!(vec![listed; 9_000])),
        (empty, json!(vec![""; 20_000])),
        nested,
    ]);
    values
}

/// Follows `next` to the end and returns what the function returns to Lambda.
async fn payloads(cloud: &TestCloud, mut query: Value) -> Vec<String> {
    let function = Invoked::new(cloud, "func-api-devices-get");
    let mut payloads = Vec::new();
    loop {
        let event = function.event().with("/queryStringParameters", query.clone());
        let payload = function.payload(cloud.now(), Duration::from_secs(25), &event).await.unwrap();
        let (_, next) = page(&parse_payload(&payload));
        payloads.push(payload);
        assert!(payloads.len() < 100, "the list does not end");
        match next {
            Some(next) => query["next"] = Value::from(next),
            None => return payloads,
        }
    }
}
