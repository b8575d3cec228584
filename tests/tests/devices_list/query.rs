//! The query parameters `product_hex` and `next`, good and bad.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::DEVICES;
use firefly_testkit::{TestCloud, new_device};

use super::{device_item, get, page};

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_found_in_any_case_of_its_digits() {
    let cloud = TestCloud::start().await;
    cloud.put_items(DEVICES, vec![device_item("0xFF01ABCD", 1), device_item("0xFF010001", 2)]).await;
    for (query, count) in [
        ("product_hex=0xFF01ABCD", 1),
        ("product_hex=0xff01abcd", 1),
        ("product_hex=0%78FF01ABCD", 1),
        ("product_hex=0xFF010001&x=1", 1),
        ("product_hex=0xFF010002", 0),
        ("PRODUCT_HEX=0xFF010002", 2),
        ("", 2),
    ] {
        let (devices, next) = page(&get(&cloud, &format!("/devices?{query}")).await);
        assert_eq!((devices.len(), next), (count, None), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_product_hex_is_400() {
    let cloud = TestCloud::start().await;
    for value in [
        "",
        "0",
        "0x",
        "FF010001",
        "0XFF010001",
        "0xFF01000",
        "0xFF0100011",
        "0xFF01000G",
        "4278255617",
        "%22",
        "%00",
        "%FF",
        "%",
        "%2",
        "+0xFF010001",
        "0xFF010001+",
        "0xFF010001%0A",
        "0xFF010001,0xFF010001",
        "0xFF010001&product_hex=0xFF010001",
        "0xFF010001%23",
        "%F0%9F%94%A5",
    ] {
        let answer = get(&cloud, &format!("/devices?product_hex={value}")).await;
        let message = assert_failure(value, &answer, 400, "invalid_query");
        assert_eq!(message, "Query parameter product_hex is malformed", "{value}");
    }
    let answer = get(&cloud, "/devices?product_hex").await;
    assert_failure("no value", &answer, 400, "invalid_query");
}

/// The text of a `next` with this position.
fn encoded(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

/// A `next` whose position is longer than any.
fn too_long() -> String {
    encoded(&format!("{{\"uuid\":\"{}\"}}", URL_SAFE_NO_PAD.encode("a".repeat(2_049))))
}

/// Texts that are not a `next`, most of them made of one that is.
fn broken(next: &str) -> Vec<String> {
    let position = String::from_utf8(URL_SAFE_NO_PAD.decode(next).unwrap()).unwrap();
    vec![
        String::new(),
        "next".to_owned(),
        "%00".to_owned(),
        "%FF".to_owned(),
        "%".to_owned(),
        "0".to_owned(),
        "1000".to_owned(),
        next[1..].to_owned(),
        next[..next.len() - 1].to_owned(),
        format!("{next}A"),
        format!("{next}="),
        format!("{next}%20"),
        format!("{next},{next}"),
        format!("{next}&next={next}"),
        next.to_lowercase(),
        STANDARD.encode("\u{3fe}\u{3fe}\u{3fe}"),
        URL_SAFE.encode("{}"),
        encoded(""),
        encoded("null"),
        encoded("{}"),
        encoded("[]"),
        encoded("\"uuid\""),
        encoded("{\"uuid\":\"\"}"),
        encoded("{\"uuid\":null}"),
        encoded("{\"uuid\":1}"),
        encoded("{\"uuid\":{\"S\":\"a\"}}"),
        too_long(),
        encoded(&format!("{{\"uuid\":\"{}\"}}", URL_SAFE_NO_PAD.encode([0xFF]))),
        encoded(&format!("{{\"uuid\":\"{}\"}}", new_device().uuid())),
        encoded(&format!("{position} x")),
        encoded(&position.replace('}', ",\"more\":1}")),
        encoded(&position.replace('}', ",\"product_hex\":\"0xFF010001\"}")),
        encoded(&position.replace("uuid", "UUID")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_next_is_400() {
    let cloud = TestCloud::start().await;
    let items: Vec<_> = (0..1_001).map(|n| device_item("0xFF010001", n)).collect();
    cloud.put_items(DEVICES, items).await;
    let next = page(&get(&cloud, "/devices").await).1.unwrap();
    let of_product = page(&get(&cloud, "/devices?product_hex=0xFF010001").await).1.unwrap();
    for value in broken(&next).iter().chain([&of_product]) {
        let answer = get(&cloud, &format!("/devices?next={value}")).await;
        let message = assert_failure(value, &answer, 400, "invalid_query");
        assert_eq!(message, "Query parameter next is malformed", "{value}");
    }
    // A position in one list is not one in another.
    for path in [
        format!("/devices?product_hex=0xFF010001&next={next}"),
        format!("/devices?product_hex=0xFF010002&next={of_product}"),
        format!("/devices?product_hex=0xFF010001&next={}", too_long()),
    ] {
        assert_failure(&path, &get(&cloud, &path).await, 400, "invalid_query");
    }
    // Both are as good as ever where they belong, in any order of the parameters, as often as one likes.
    for path in [
        format!("/devices?next={next}"),
        format!("/devices?next={next}"),
        format!("/devices?next={of_product}&product_hex=0xff010001"),
        format!("/devices?product_hex=0xFF010001&next={of_product}"),
    ] {
        assert_eq!(page(&get(&cloud, &path).await).0.len(), 1, "{path}");
    }
}
