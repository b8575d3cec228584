//! A good body registers a device; of a bad one the member at fault is named.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::{TestCloud, new_device};
use serde_json::Value;

use super::{Body, register};

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn bad_texts() -> Vec<String> {
    let mut texts = owned(&["null", "1", "true", "[]", "{}", "[\"text\"]", "\"\"", "\"\\ud800\""]);
    for control in ["\\u0000", "\\n", "\\t", "\\u001f", "\\u007f", "\\u0085", "\u{80}", "\u{9f}"] {
        texts.push(format!("\"text{control}\""));
    }
    texts.extend([format!("\"{}\"", "x".repeat(129)), format!("\"{}\"", "\u{1f525}".repeat(129))]);
    texts
}

fn bad_uuids() -> Vec<String> {
    let uuid = "2d411e72-c806-3038-573b-bb16a4a19bcf";
    let mut uuids = owned(&["null", "1", "[]", "\"\"", "\"unknown\""]);
    for text in [
        &uuid[1..],
        &uuid.replace('-', ""),
        &format!("{uuid}0"),
        &format!("{{{uuid}}}"),
        &format!(" {uuid}"),
        &format!("{uuid}#replay"),
        &uuid.replace('f', "g"),
    ] {
        uuids.push(format!("\"{text}\""));
    }
    uuids
}

fn bad_public_keys() -> Vec<String> {
    let mut keys = owned(&["null", "1", "{}", "\"key\""]);
    let vectors = include_str!("../../../crates/firefly-core/tests/vectors/device.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    for vector in vectors["refused_public_keys"].as_array().unwrap() {
        keys.push(vector["public_key_b64"].to_string());
    }
    let good = new_device().public_key().to_base64();
    let url_safe = STANDARD
        .decode(&good)
        .map(|key| base64::engine::general_purpose::URL_SAFE.encode([&key[..64], &[0xff]].concat()));
    for text in [good.trim_end_matches('=').to_owned(), format!("{good}="), format!("{good}\\n"), url_safe.unwrap()] {
        keys.push(format!("\"{text}\""));
    }
    keys
}

/// JSON texts that are not an object within the limits, and those that are not a list of such objects.
fn bad_objects_and_lists() -> (Vec<String>, Vec<String>) {
    let mut objects = owned(&["null", "1", "\"text\"", "[]", "[{}]", "true"]);
    let mut lists = owned(&["1", "\"text\"", "{}", "[1]", "[null]", "[{},1]", "[[]]", "[\"text\"]", "false"]);
    for limited in [
        "{\"\":1}",
        "{\"a\":{\"\":null}}",
        "{\"a\":18446744073709551616}",
        "{\"a\":-9223372036854775809}",
        "{\"a\":1e121}",
        "{\"a\":-1e121}",
        "{\"a\":1e-121}",
        "{\"a\":1e-400}",
        "{\"a\":1e400}",
        "{\"a\":123456789012345678901234567890}",
        "{\"a\":\"\\udc00\"}",
        "{\"\\ud800\":1}",
        &nested(17),
    ] {
        objects.push(limited.to_owned());
        lists.push(format!("[{limited}]"));
    }
    // The array is a level of its own.
    lists.push(format!("[{}]", nested(16)));
    (objects, lists)
}

/// Per member, JSON texts that it must not be.
fn bad_members() -> Vec<(&'static str, Vec<String>)> {
    let products = [
        "null",
        "1",
        "4278255617",
        "\"\"",
        "\"FF010001\"",
        "\"0XFF010001\"",
        "\"0xFF01000\"",
        "\"0xFF0100010\"",
        "\"0xFF01000G\"",
    ];
    let (objects, lists) = bad_objects_and_lists();
    let texts = ["product_id", "device_class", "registering_application", "registering_version"];
    let mut members: Vec<_> = texts.into_iter().map(|name| (name, bad_texts())).collect();
    members.extend([
        ("uuid", bad_uuids()),
        ("product_hex", owned(&products)),
        ("public_key", bad_public_keys()),
        ("mcu", objects),
        ("network", lists.clone()),
        ("partitions", lists),
    ]);
    members
}

/// An object with arrays in it, together so many levels deep.
pub(crate) fn nested(levels: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_member_is_named_and_spends_no_key() {
    let cloud = TestCloud::start().await;
    let (device, key) = (new_device(), cloud.mint().await);
    let good = Body::of(&device);
    for (name, texts) in bad_members() {
        for text in texts {
            let case = format!("{name}: {text}");
            let answer = register(&cloud, key.as_str(), &good.clone().with(name, &text).bytes()).await;
            let message = assert_failure(&case, &answer, 400, "invalid_body");
            assert!(message.starts_with(&format!("member {name} is invalid: ")), "{case}: {message}");
        }
        let twice = good.0.iter().find(|member| member.0 == name).unwrap().1.clone();
        let answer = register(&cloud, key.as_str(), &good.clone().and(name, twice).bytes()).await;
        let message = assert_failure(name, &answer, 400, "invalid_body");
        assert_eq!(message, format!("member {name} is invalid: sent more than once"));
        if !["network", "partitions"].contains(&name) {
            let answer = register(&cloud, key.as_str(), &good.clone().without(name).bytes()).await;
            let message = assert_failure(name, &answer, 400, "invalid_body");
            assert_eq!(message, format!("member {name} is missing"));
        }
    }
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert_eq!(register(&cloud, key.as_str(), &good.bytes()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_one_json_object_in_utf_8_is_400() {
    let cloud = TestCloud::start().await;
    let (device, key) = (new_device(), cloud.mint().await);
    let good = Body::of(&device).bytes();
    let text = String::from_utf8(good.clone()).unwrap();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin_1 = [&good[..good.len() - 1], b",\"x\":\"\xe9\"}"].concat();
    let cases: [(&str, Vec<u8>); 22] = [
        ("an empty body", Vec::new()),
        ("blanks", b" \r\n\t".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("a string", b"\"text\"".to_vec()),
        ("an array", format!("[{text}]").into_bytes()),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("truncated in the middle", good[..good.len() / 2].to_vec()),
        ("something after it", format!("{text}x").into_bytes()),
        ("another object after it", format!("{text}{text}").into_bytes()),
        ("a NUL after it", format!("{text}\0").into_bytes()),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("UTF-16", utf_16),
        ("Latin-1", latin_1),
        ("a lone continuation byte", [b"\x80".as_slice(), &good].concat()),
        ("single quotes", text.replace('"', "'").into_bytes()),
        ("a comma at the end", format!("{},}}", &text[..text.len() - 1]).into_bytes()),
        ("a comment", format!("/* */{text}").into_bytes()),
        ("a number with a leading zero", format!("{},\"x\":01}}", &text[..text.len() - 1]).into_bytes()),
        ("NaN", format!("{},\"x\":NaN}}", &text[..text.len() - 1]).into_bytes()),
        ("a form", b"uuid=2d411e72-c806-3038-573b-bb16a4a19bcf".to_vec()),
        ("brackets without an end", b"[".repeat(16_000)),
    ];
    for (case, body) in cases {
        let message = assert_failure(case, &register(&cloud, key.as_str(), &body).await, 400, "invalid_body");
        assert_eq!(message, "the body is not a JSON object", "{case}");
    }
    let absent = cloud.request("POST", "/devices/register", &[("X-Registration-Key", key.as_str())], None).await;
    assert_failure("no body", &absent, 400, "invalid_body");
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert_eq!(register(&cloud, key.as_str(), &good).await.status, 204);
}

/// Unknown members are skipped, with any value, and are not stored.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_members_are_skipped_and_not_stored() {
    let cloud = TestCloud::start().await;
    let plain = cloud.registered_device().await;
    let mut expected: Vec<_> = cloud.device_item(plain.uuid()).await.unwrap().into_keys().collect();
    expected.sort();
    let deep = 3_500;
    let mut many = String::from("{");
    for number in 0..500 {
        write!(many, "\"m{number}\":{number},").unwrap();
    }
    many.push_str("\"\":1e999}");
    for (name, value) in [
        ("x", "1"),
        ("", "1"),
        ("uuid2", "null"),
        ("UUID", "\"another\""),
        ("last_backup_date", "\"2030-01-01T00:00:00Z\""),
        ("registered_by_sub", "\"somebody\""),
        ("registered_by_email", "\"somebody@example.com\""),
        ("registration_date", "\"1970-01-01T00:00:00Z\""),
        ("version", "7"),
        ("nonces", "{}"),
        ("ttl", "1"),
        ("number", "1e999999"),
        ("integer", "123456789012345678901234567890123456789012345678901234567890"),
        ("half", "\"\\ud800\""),
        ("many", &many),
        ("deep", &format!("{}{}", "[".repeat(deep), "]".repeat(deep))),
    ] {
        let device = new_device();
        let body = Body::of(&device).and(name, value).and(name, value).bytes();
        let answer = register(&cloud, cloud.mint().await.as_str(), &body).await;
        assert_eq!(answer.status, 204, "{name}: {:?}", answer.body);
        let item = cloud.device_item(device.uuid()).await.unwrap();
        let mut names: Vec<_> = item.keys().cloned().collect();
        names.sort();
        assert_eq!(names, expected, "{name}");
        assert_eq!(item["registered_by_sub"].as_s().unwrap(), "installer", "{name}");
        assert_eq!(*item["registration_date"].as_s().unwrap(), cloud.now().to_string(), "{name}");
    }
    // A name with half of a surrogate pair is no name that anybody knows.
    let device = new_device();
    let body = String::from_utf8(Body::of(&device).bytes()).unwrap().replacen('{', "{\"\\ud800\":1,", 1);
    assert_eq!(register(&cloud, cloud.mint().await.as_str(), body.as_bytes()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_of_any_content_type_is_204() {
    let cloud = TestCloud::start().await;
    for content_type in [
        None,
        Some(""),
        Some("application/json"),
        Some("text/plain"),
        Some("application/octet-stream"),
        Some("image/png"),
        Some("%"),
    ] {
        let (device, key) = (new_device(), cloud.mint().await);
        let headers: Vec<_> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        let headers = [&[("X-Registration-Key", key.as_str())], headers.as_slice()].concat();
        let body = Body::of(&device).with("product_id", "\"Regler f\u{fc}r \u{1f4a1}\"").bytes();
        let answer = cloud.request("POST", "/devices/register", &headers, Some(&body)).await;
        assert_eq!(answer.status, 204, "{content_type:?}");
        let item = cloud.device_item(device.uuid()).await.unwrap();
        assert_eq!(item["product_id"].as_s().unwrap(), "Regler f\u{fc}r \u{1f4a1}", "{content_type:?}");
        // Bytes that are not UTF-8 never reach the table, however they are sent.
        let mut broken = Body::of(&new_device()).bytes();
        broken[10] = 0xff;
        let key = cloud.mint().await;
        let headers = [&[("X-Registration-Key", key.as_str())], &headers[1..]].concat();
        let answer = cloud.request("POST", "/devices/register", &headers, Some(&broken)).await;
        assert_failure(&format!("{content_type:?}"), &answer, 400, "invalid_body");
    }
}
