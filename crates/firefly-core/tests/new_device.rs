//! The body that registers a device: the firmware's own, and the faults of others.

use firefly_core::{
    device::{DeviceIdError, ProductHexError, PublicKeyError},
    json::{JsonError, JsonValue},
    registration::{MAX_BODY_LENGTH, MemberError, NewDevice, NewDeviceError, Text, TextError},
};
use serde_json::{Value, json};

const REQUIRED: [&str; 8] = [
    "uuid",
    "product_id",
    "product_hex",
    "device_class",
    "public_key",
    "registering_application",
    "registering_version",
    "mcu",
];
const TEXTS: [&str; 4] = ["product_id", "device_class", "registering_application", "registering_version"];
const OPTIONAL: [&str; 2] = ["network", "partitions"];

/// Returns a body as the firmware sends it.
fn body() -> Value {
    json!({
        "uuid": "2D411E72-C806-3038-573B-BB16A4A19BCF",
        "product_id": "FireFly Controller",
        "product_hex": "0x0a1b2c3D",
        "device_class": "CONTROLLER",
        "public_key": "BHRPMwsN6NE64+IR9DtdWAMf4VOL/re7d139w9+gYrpBu924ZhbKnNsgeD6Qy2ukuv1YWVA/gEe2iiWQtyi38Os=",
        "registering_application": "Hardware Registration and Configuration",
        "registering_version": "2.1.0",
        "mcu": {
            "model": "ESP32-S3", "revision": 2, "cpu_freq_mhz": 240, "cores": 2,
            "flash_chip_size": 16_777_216, "flash_chip_speed": 80, "flash_chip_mode": "QIO",
            "psram_size": 8_388_608, "features": ["WiFi", "BLE"], "idf_version": "v5.5.1"
        },
        "network": [
            {"interface": "wifi", "mac_address": "A0:B1:C2:D3:E4:00"},
            {"interface": "wifi_ap", "mac_address": "A0:B1:C2:D3:E4:01"},
            {"interface": "bluetooth", "mac_address": "A0:B1:C2:D3:E4:02"},
            {"interface": "ethernet", "mac_address": "A0:B1:C2:D3:E4:03"}
        ],
        "partitions": [
            {"type": 1, "subtype": 2, "address": 36864, "size": 20480, "label": "nvs"}
        ]
    })
}

fn parse(body: &Value) -> Result<NewDevice, NewDeviceError> {
    NewDevice::parse(body.to_string().as_bytes())
}

/// Parses the body with `field` set to `value`.
fn with(field: &str, value: Value) -> Result<NewDevice, NewDeviceError> {
    let mut body = body();
    body[field] = value;
    parse(&body)
}

fn invalid(field: &'static str, reason: impl Into<MemberError>) -> Result<NewDevice, NewDeviceError> {
    Err(NewDeviceError::Invalid { field, reason: reason.into() })
}

/// Returns the text of the body with `members`, raw JSON text, before its own.
fn prefixed(members: &str) -> String {
    body().to_string().replacen('{', &format!("{{{members},"), 1)
}

#[test]
fn the_firmwares_body_is_a_new_device() {
    let device = parse(&body()).unwrap();
    assert_eq!(device.id.to_string(), "2d411e72-c806-3038-573b-bb16a4a19bcf");
    assert_eq!(device.product_id.as_str(), "FireFly Controller");
    assert_eq!(device.product_hex.to_string(), "0x0A1B2C3D");
    assert_eq!(device.device_class.as_str(), "CONTROLLER");
    assert_eq!(json!(device.public_key.to_base64()), body()["public_key"]);
    assert_eq!(device.registering_application.as_str(), "Hardware Registration and Configuration");
    assert_eq!(device.registering_version.as_str(), "2.1.0");
    assert!(matches!(device.mcu.get("psram_size"), Some(JsonValue::Number(n)) if n.as_str() == "8388608"));
    assert!(matches!(device.mcu.get("features"), Some(JsonValue::Array(features)) if features.len() == 2));
    assert_eq!(device.network.unwrap().len(), 4);
    let label = device.partitions.unwrap()[0].get("label").cloned();
    assert_eq!(label, Some(JsonValue::String("nvs".to_owned())));
}

#[test]
fn a_missing_required_member_is_named() {
    for field in REQUIRED {
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(parse(&body), Err(NewDeviceError::Missing { field }));
    }
    assert_eq!(NewDevice::parse(b"{}"), Err(NewDeviceError::Missing { field: "uuid" }));
}

#[test]
fn a_required_member_that_is_null_is_invalid() {
    for field in REQUIRED {
        let reason = if field == "mcu" { JsonError::NotAnObject } else { JsonError::NotAString };
        assert_eq!(with(field, Value::Null), invalid(field, reason));
    }
}

#[test]
fn optional_members_may_be_absent_null_or_empty() {
    let mut body = body();
    for field in OPTIONAL {
        body.as_object_mut().unwrap().remove(field);
    }
    let device = parse(&body).unwrap();
    assert_eq!((device.network, device.partitions), (None, None));

    for field in OPTIONAL {
        body[field] = Value::Null;
    }
    let device = parse(&body).unwrap();
    assert_eq!((device.network, device.partitions), (None, None));

    for field in OPTIONAL {
        body[field] = json!([]);
    }
    let device = parse(&body).unwrap();
    assert_eq!((device.network, device.partitions), (Some(Vec::new()), Some(Vec::new())));
}

#[test]
fn a_member_of_another_type_is_invalid() {
    for field in REQUIRED.into_iter().filter(|field| *field != "mcu") {
        for value in [json!(1), json!(true), json!(["a"]), json!({"a": 1})] {
            assert_eq!(with(field, value), invalid(field, JsonError::NotAString));
        }
    }
    for value in [json!(1), json!("{}"), json!([]), json!(false)] {
        assert_eq!(with("mcu", value), invalid("mcu", JsonError::NotAnObject));
    }
    for field in OPTIONAL {
        for value in [json!(1), json!("[]"), json!({}), json!(false), json!([1]), json!([{}, null]), json!([[]])] {
            assert_eq!(with(field, value), invalid(field, JsonError::NotAnArrayOfObjects));
        }
    }
}

#[test]
fn a_string_without_its_form_is_invalid() {
    assert_eq!(with("uuid", json!("x")), invalid("uuid", DeviceIdError));
    assert_eq!(with("product_hex", json!("0A1B2C3D")), invalid("product_hex", ProductHexError));
    assert_eq!(with("public_key", json!("AAAA")), invalid("public_key", PublicKeyError));
    for field in TEXTS {
        for text in ["", "a\tb", "\u{0}", "a\u{7f}", "\u{85}", &"x".repeat(129)] {
            assert_eq!(with(field, json!(text)), invalid(field, TextError), "{text:?}");
        }
    }
}

#[test]
fn a_text_is_counted_in_characters() {
    for text in [" ", "💡", &"x".repeat(Text::MAX_LENGTH), &"💡".repeat(Text::MAX_LENGTH)] {
        assert_eq!(with("product_id", json!(text)).unwrap().product_id.as_str(), text);
    }
    assert_eq!("💡".repeat(129).parse::<Text>(), Err(TextError));
    assert_eq!(Text::MAX_LENGTH, 128);
}

#[test]
fn a_lone_surrogate_is_invalid_where_it_is_read() {
    let text = body().to_string();
    for (from, field) in
        [("FireFly Controller", "product_id"), ("ESP32-S3", "mcu"), ("ethernet", "network"), ("nvs", "partitions")]
    {
        let text = text.replacen(from, "\\udc00", 1);
        assert_eq!(NewDevice::parse(text.as_bytes()), invalid(field, JsonError::LoneSurrogate));
    }
}

#[test]
fn a_member_sent_twice_is_invalid() {
    for field in REQUIRED.into_iter().chain(OPTIONAL) {
        let text = prefixed(&format!("\"{field}\":{}", body()[field]));
        assert_eq!(NewDevice::parse(text.as_bytes()), invalid(field, MemberError::SentTwice));
        // A name that is written with an escape is the same name.
        let escaped = format!("\\u{:04x}{}", u32::from(field.as_bytes()[0]), &field[1..]);
        let text = prefixed(&format!("\"{escaped}\":null"));
        assert_eq!(NewDevice::parse(text.as_bytes()), invalid(field, MemberError::SentTwice));
    }
}

#[test]
fn unknown_members_are_skipped() {
    let deep_arrays = format!("\"x\":{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep_objects = format!("\"x\":{}1{}", "{\"a\":".repeat(2000), "}".repeat(2000));
    for members in [
        "\"x\":null",
        "\"x\":1,\"x\":2",
        "\"\":1",
        "\"x\":{\"\":1}",
        "\"x\":1e999999",
        "\"x\":\"\\ud800\"",
        "\"\\ud800\":1",
        "\"x\":123456789012345678901234567890",
        "\"UUID\":1,\"Mcu\":2,\"uuid \":3",
        &deep_arrays,
        &deep_objects,
    ] {
        let text = prefixed(members);
        assert_eq!(NewDevice::parse(text.as_bytes()), parse(&body()), "{}", &members[..members.len().min(40)]);
    }
}

#[test]
fn known_members_nest_sixteen_deep() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (field, outer, opening, closing) in
        [("mcu", 1, "{\"a\":", "}"), ("network", 2, "[{\"a\":", "}]"), ("partitions", 2, "[{\"a\":", "}]")]
    {
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        let text = |depth: usize| {
            let member = format!("\"{field}\":{opening}{}{closing}", nested(depth - outer));
            body.to_string().replacen('{', &format!("{{{member},"), 1)
        };
        assert!(NewDevice::parse(text(16).as_bytes()).is_ok(), "{field}");
        for depth in [17, 5000] {
            assert_eq!(NewDevice::parse(text(depth).as_bytes()), invalid(field, JsonError::TooDeep));
        }
    }
}

#[test]
fn a_value_that_dynamodb_cannot_hold_is_invalid_in_a_known_member() {
    for (value, reason) in [
        ("{\"\":1}", JsonError::EmptyName),
        ("{\"a\":18446744073709551616}", JsonError::NumberOutOfRange),
        ("{\"a\":1e121}", JsonError::NumberOutOfRange),
        ("{\"a\":1e-400}", JsonError::NumberOutOfRange),
    ] {
        let mut body = body();
        body["mcu"] = json!("MCU");
        let text = body.to_string().replace("\"MCU\"", value);
        assert_eq!(NewDevice::parse(text.as_bytes()), invalid("mcu", reason), "{value}");
        for field in OPTIONAL {
            let mut body = self::body();
            body[field] = json!("LIST");
            let text = body.to_string().replace("\"LIST\"", &format!("[{{}},{value}]"));
            assert_eq!(NewDevice::parse(text.as_bytes()), invalid(field, reason), "{value}");
        }
    }
}

#[test]
fn a_body_that_is_not_one_json_object_in_utf8_is_refused() {
    let good = body().to_string();
    let mut latin1 = good.clone().into_bytes();
    latin1[3] = 0xE9;
    let mut unknown_not_utf8 = prefixed("\"x\":\"?\"").into_bytes();
    let at = unknown_not_utf8.iter().position(|byte| *byte == b'?').unwrap();
    unknown_not_utf8[at] = 0xFF;
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        b"".to_vec(),
        b" ".to_vec(),
        b"null".to_vec(),
        b"1".to_vec(),
        b"\"uuid\"".to_vec(),
        b"[]".to_vec(),
        format!("[{good}]").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        format!("{good}x").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("{good}\0").into_bytes(),
        good.replacen("{", "{,", 1).into_bytes(),
        good.replace('"', "'").into_bytes(),
        prefixed("\"x\":[1,]").into_bytes(),
        prefixed("\"x\":nul").into_bytes(),
        latin1,
        unknown_not_utf8,
        utf16,
        "[".repeat(MAX_BODY_LENGTH).into_bytes(),
        "{\"a\":".repeat(MAX_BODY_LENGTH / 5).into_bytes(),
    ] {
        assert_eq!(
            NewDevice::parse(&body),
            Err(NewDeviceError::NotAnObject),
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    for end in 0..good.len() {
        assert_eq!(NewDevice::parse(&good.as_bytes()[..end]), Err(NewDeviceError::NotAnObject), "{end}");
    }
    assert!(NewDevice::parse(format!(" \r\n\t{good} \n").as_bytes()).is_ok());
}

#[test]
fn the_length_of_the_body_is_judged_first() {
    let good = body().to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    assert_eq!(MAX_BODY_LENGTH, 16 * 1024);
    assert!(NewDevice::parse(padded(MAX_BODY_LENGTH).as_bytes()).is_ok());
    let length = MAX_BODY_LENGTH + 1;
    for body in [padded(length).into_bytes(), vec![0xFF; length]] {
        assert_eq!(NewDevice::parse(&body), Err(NewDeviceError::TooLarge { length }));
    }
}
