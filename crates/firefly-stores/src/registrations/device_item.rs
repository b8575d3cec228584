//! The item of a new device.

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::json::{JsonObject, JsonValue};
use firefly_core::registration::NewDevice;
use firefly_core::time::UnixSeconds;

use crate::item::Item;

/// The item of a device that registers now with a key that this user was issued.
pub(super) fn device_item(device: &NewDevice, sub: &str, email: &str, now: UnixSeconds) -> Item {
    let text = |value: &dyn ToString| AttributeValue::S(value.to_string());
    let objects = |objects: &Vec<JsonObject>| AttributeValue::L(objects.iter().map(object).collect());
    let mut item: Item = [
        ("uuid", text(&device.id)),
        ("product_id", text(&device.product_id.as_str())),
        ("product_hex", text(&device.product_hex)),
        ("device_class", text(&device.device_class.as_str())),
        ("public_key", text(&device.public_key.to_base64())),
        ("registration_date", text(&now)),
        ("registering_application", text(&device.registering_application.as_str())),
        ("registering_version", text(&device.registering_version.as_str())),
        ("mcu", object(&device.mcu)),
        ("registered_by_email", text(&email)),
        ("registered_by_sub", text(&sub)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    item.extend(device.network.as_ref().map(|network| ("network".to_owned(), objects(network))));
    item.extend(device.partitions.as_ref().map(|partitions| ("partitions".to_owned(), objects(partitions))));
    item
}

fn object(object: &JsonObject) -> AttributeValue {
    AttributeValue::M(object.iter().map(|(name, member)| (name.to_owned(), value(member))).collect())
}

fn value(json: &JsonValue) -> AttributeValue {
    match json {
        JsonValue::Null => AttributeValue::Null(true),
        JsonValue::Bool(value) => AttributeValue::Bool(*value),
        JsonValue::Number(number) => AttributeValue::N(number.as_str().to_owned()),
        JsonValue::String(text) => AttributeValue::S(text.clone()),
        JsonValue::Array(values) => AttributeValue::L(values.iter().map(value).collect()),
        JsonValue::Object(members) => object(members),
    }
}
