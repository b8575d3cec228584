//! An answer's worth of devices, as JSON.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::cursor::Cursor;
use crate::item::Item;

/// Most bytes that an answer's devices take in the function's payload, the comma after each included.
///
/// The rest of a payload (status, headers, `next`) has fewer than 5,000 bytes, so that an answer stays within 5 MB.
/// Lambda takes 6,291,556 bytes.
///
/// Every row fits into an answer. An item has at most 409,600 bytes, and no byte of one takes more than 12 in the
/// payload (DynamoDB Developer Guide, "Item sizes and formats", the dearest of each kind of value):
///
/// | stored                                          |  bytes | in the payload              |    bytes |
/// |-------------------------------------------------|-------:|-----------------------------|---------:|
/// | a control character in a text                   |      1 | `\\u0001`                   |        7 |
/// | a control character as element of a string set  |      1 | `\"\\u0001\",`              |       12 |
/// | a list's element, a set of `""` and n of those  |  1 + n | `[\"\",…],`                 |  7 + 12n |
/// | a map's member, named by one, with such a set   |  2 + n | `\"\\u0001\":[\"\",…],`     | 19 + 12n |
/// | a number of 1 or 2 digits in a number set       |      2 | `10000000000000000000,`     |       21 |
/// | an empty list or map                            |      3 | `[],`                       |        3 |
///
/// With 320 bytes for the members of [`ListedDevice`] and their nulls that makes 4,915,520.
const MAX_BYTES: usize = 4_995_000;

/// Some of the devices.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DevicePage {
    /// The devices, oldest registration first.
    #[cfg_attr(feature = "openapi", schemars(with = "Vec<ListedDevice<'static>>"))]
    devices: Vec<Box<RawValue>>,
    /// The position at which the next answer continues; absent when the list has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The devices of one answer, while it is filled.
#[derive(Default)]
pub(super) struct Filling {
    devices: Vec<Listed>,
    /// The share of [`MAX_BYTES`] that `devices` takes.
    bytes: usize,
}

/// A device as JSON text: rows of many small values take several times as much memory as values.
struct Listed {
    registration_date: String,
    json: Box<RawValue>,
}

impl Filling {
    /// Adds a device if it fits. The first one always does, so that every answer continues the list.
    pub(super) fn add(&mut self, item: &Item) -> bool {
        // Serialization of strings, numbers and collections of them into memory does not fail.
        let json = serde_json::value::to_raw_value(&ListedDevice::of(item)).unwrap_or_default();
        let bytes = self.bytes + payload_length(json.get()) + 1;
        if bytes > MAX_BYTES && !self.devices.is_empty() {
            return false;
        }
        self.bytes = bytes;
        let date = item.get("registration_date").and_then(|date| date.as_s().ok());
        self.devices.push(Listed { registration_date: date.cloned().unwrap_or_default(), json });
        true
    }

    pub(super) fn len(&self) -> usize {
        self.devices.len()
    }

    pub(super) fn into_page(mut self, next: Option<Cursor>) -> DevicePage {
        self.devices.sort_by(|a, b| a.registration_date.cmp(&b.registration_date));
        let devices = self.devices.into_iter().map(|device| device.json).collect();
        DevicePage { devices, next: next.map(|cursor| cursor.to_string()) }
    }
}

/// Bytes that JSON text takes in the function's payload, which holds the body as a JSON string: a quote and a backslash
/// are escaped there, and serialized JSON has no control characters.
fn payload_length(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// A device as the list shows it. A member that its item lacks is null.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct ListedDevice<'a> {
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    device_class: Option<Json<'a>>,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    last_backup_date: Option<Json<'a>>,
    /// As the device sent it.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Value"))]
    mcu: Option<Json<'a>>,
    /// As the device sent it.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Value"))]
    network: Option<Json<'a>>,
    /// As the device sent it.
    #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Value"))]
    partitions: Option<Json<'a>>,
    /// `0x` and 8 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    product_hex: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    product_id: Option<Json<'a>>,
    /// The uncompressed point of P-256 in Base64.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    public_key: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    registered_by_email: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    registered_by_sub: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    registering_application: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    registering_version: Option<Json<'a>>,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    registration_date: Option<Json<'a>>,
    #[cfg_attr(feature = "openapi", schemars(with = "Option<String>"))]
    uuid: Option<Json<'a>>,
}

impl<'a> ListedDevice<'a> {
    fn of(item: &'a Item) -> Self {
        let member = |name: &str| item.get(name).map(Json);
        Self {
            device_class: member("device_class"),
            last_backup_date: member("last_backup_date"),
            mcu: member("mcu"),
            network: member("network"),
            partitions: member("partitions"),
            product_hex: member("product_hex"),
            product_id: member("product_id"),
            public_key: member("public_key"),
            registered_by_email: member("registered_by_email"),
            registered_by_sub: member("registered_by_sub"),
            registering_application: member("registering_application"),
            registering_version: member("registering_version"),
            registration_date: member("registration_date"),
            uuid: member("uuid"),
        }
    }
}

/// An attribute as JSON; sets become arrays, binaries Base64url.
struct Json<'a>(&'a AttributeValue);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::S(text) => serializer.serialize_str(text),
            AttributeValue::N(number) => json_number(number).serialize(serializer),
            AttributeValue::Bool(value) => serializer.serialize_bool(*value),
            AttributeValue::L(values) => serializer.collect_seq(values.iter().map(Json)),
            AttributeValue::M(members) => {
                // DynamoDB keeps no order of members; sorted, the answer is stable.
                let sorted: BTreeMap<_, _> = members.iter().collect();
                serializer.collect_map(sorted.into_iter().map(|(name, value)| (name, Json(value))))
            }
            AttributeValue::Ss(texts) => serializer.collect_seq(texts),
            AttributeValue::Ns(numbers) => serializer.collect_seq(numbers.iter().map(|number| json_number(number))),
            AttributeValue::B(bytes) => serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes)),
            AttributeValue::Bs(blobs) => {
                serializer.collect_seq(blobs.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)))
            }
            _ => serializer.serialize_none(),
        }
    }
}

/// A DynamoDB number as a JSON number.
fn json_number(text: &str) -> Value {
    let integer = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
    integer.unwrap_or_else(|_| text.parse::<f64>().map_or(Value::Null, Value::from))
}

#[cfg(test)]
mod tests;
