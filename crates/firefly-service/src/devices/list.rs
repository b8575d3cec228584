//! Lists the devices, an answer's worth at a time.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_core::device::ProductHex;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Devices;
use crate::error::ApiError;
use crate::store::{Item, StoreError};

/// Most devices in one answer.
const MAX_DEVICES: usize = 1_000;
/// Most bytes that an answer's devices take in the function's payload, the comma after each included.
///
/// The rest of a payload (status, headers, `next`) has fewer than 5,000 bytes, so that an answer stays within 5 MB.
/// Lambda takes 6,291,556 bytes.
///
/// Every row fits into an answer. An item has at most 409,600 bytes, and no byte of one takes more than 12 in the
/// payload (DynamoDB Developer Guide, "Item sizes and formats", of each kind of value the dearest):
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
/// With 320 bytes for [`MEMBERS`] and their nulls that makes 4,915,520.
const MAX_BYTES: usize = 4_995_000;
/// Most pages of up to 1 MB read for one answer, so that a table of little but replay records answers in time.
const MAX_PAGES: usize = 16;

/// The members of a device, as in the table.
const MEMBERS: [&str; 14] = [
    "device_class",
    "last_backup_date",
    "mcu",
    "network",
    "partitions",
    "product_hex",
    "product_id",
    "public_key",
    "registered_by_email",
    "registered_by_sub",
    "registering_application",
    "registering_version",
    "registration_date",
    "uuid",
];

/// Some of the devices.
#[derive(Debug, Serialize)]
pub struct DevicePage {
    /// The devices, oldest registration first.
    devices: Vec<Box<RawValue>>,
    /// Where the next answer continues; absent when the scan has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The devices of one answer, while it is filled.
#[derive(Default)]
struct Filling {
    devices: Vec<Listed>,
    /// The share of [`MAX_BYTES`] that `devices` takes.
    bytes: usize,
}

/// A device as JSON text: rows of many small values take several times as much memory as values.
struct Listed {
    registration_date: String,
    json: Box<RawValue>,
}

/// The key after which a scan, or a query of the index, continues.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    #[serde(with = "base64url")]
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    product_hex: Option<String>,
}

impl Devices {
    /// Lists devices, those of one product where `product_hex` is given, from where `next` says.
    ///
    /// # Errors
    ///
    /// [`ApiError::Query`] when `product_hex` is not a product or `next` is not from an answer to the same list,
    /// [`ApiError::Store`] when the table fails.
    pub async fn list(&self, product_hex: Option<&str>, next: Option<&str>) -> Result<DevicePage, ApiError> {
        let product = product_hex
            .map(|text| text.parse::<ProductHex>().map_err(|_| ApiError::Query { parameter: "product_hex" }))
            .transpose()?;
        let mut position =
            next.map(|text| Position::parse(text, product).ok_or(ApiError::Query { parameter: "next" })).transpose()?;
        let mut filling = Filling::default();
        for _ in 0..MAX_PAGES {
            let room = MAX_DEVICES - filling.devices.len();
            let (items, end) = self.page(product, position.clone(), room).await?;
            for item in items {
                if !filling.add(&item) {
                    // The next answer starts with this device.
                    return Ok(filling.into_page(position));
                }
                position = Some(Position::of(&item, product)?);
            }
            position = end;
            if position.is_none() || filling.devices.len() >= MAX_DEVICES {
                break;
            }
        }
        Ok(filling.into_page(position))
    }

    /// Reads up to `limit` items and where to continue.
    async fn page(
        &self,
        product: Option<ProductHex>,
        position: Option<Position>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<Position>), StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let start = position.map(Position::into_key);
        let (items, last) = match product {
            None => {
                let output = self
                    .client
                    .scan()
                    .table_name(&self.table)
                    .filter_expression("NOT contains(#uuid, :hash)")
                    .expression_attribute_names("#uuid", "uuid")
                    .expression_attribute_values(":hash", AttributeValue::S("#".to_owned()))
                    .set_exclusive_start_key(start)
                    .limit(limit)
                    .send()
                    .await
                    .map_err(|error| StoreError::from_sdk("dynamodb:Scan", &error))?;
                (output.items, output.last_evaluated_key)
            }
            Some(product) => {
                let output = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name("product_hex-index")
                    .key_condition_expression("product_hex = :product_hex")
                    .expression_attribute_values(":product_hex", AttributeValue::S(product.to_string()))
                    .set_exclusive_start_key(start)
                    .limit(limit)
                    .send()
                    .await
                    .map_err(|error| StoreError::from_sdk("dynamodb:Query", &error))?;
                (output.items, output.last_evaluated_key)
            }
        };
        let last = last.filter(|key| !key.is_empty()).map(|key| Position::of(&key, product)).transpose()?;
        Ok((items.unwrap_or_default(), last))
    }
}

impl Position {
    /// The position of an item, in the index where a product is asked for.
    fn of(item: &Item, product: Option<ProductHex>) -> Result<Self, StoreError> {
        let uuid = item.get("uuid").and_then(|value| value.as_s().ok());
        let uuid = uuid.ok_or(StoreError::Malformed { item: "a device", attribute: "uuid" })?.clone();
        Ok(Self { uuid, product_hex: product.map(|product| product.to_string()) })
    }

    /// Base64url, without padding, of the JSON of the key.
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// A position that an answer to the same list gave out.
    fn parse(text: &str, product: Option<ProductHex>) -> Option<Self> {
        let position: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        // A hash key has 1 to 2,048 bytes (DynamoDB, "Naming rules and constraints").
        let valid = (1..=2_048).contains(&position.uuid.len())
            && position.product_hex == product.map(|product| product.to_string());
        valid.then_some(position)
    }

    fn into_key(self) -> HashMap<String, AttributeValue> {
        let product = self.product_hex.map(|product| ("product_hex".to_owned(), AttributeValue::S(product)));
        [("uuid".to_owned(), AttributeValue::S(self.uuid))].into_iter().chain(product).collect()
    }
}

/// A text as Base64url, without padding, of its bytes. JSON takes 6 bytes for a control character, and API Gateway no
/// more than 10,240 for a request's line and headers.
mod base64url {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        String::from_utf8(bytes).map_err(D::Error::custom)
    }
}

impl Filling {
    /// Adds a device if it fits. The first one always does, so that every answer continues the list.
    fn add(&mut self, item: &Item) -> bool {
        // Serialization of strings, numbers and collections of them into memory does not fail.
        let json = serde_json::value::to_raw_value(&Device(item)).unwrap_or_default();
        let bytes = self.bytes + payload_length(json.get()) + 1;
        if bytes > MAX_BYTES && !self.devices.is_empty() {
            return false;
        }
        self.bytes = bytes;
        let date = item.get("registration_date").and_then(|date| date.as_s().ok());
        self.devices.push(Listed { registration_date: date.cloned().unwrap_or_default(), json });
        true
    }

    fn into_page(mut self, next: Option<Position>) -> DevicePage {
        self.devices.sort_by(|a, b| a.registration_date.cmp(&b.registration_date));
        let devices = self.devices.into_iter().map(|device| device.json).collect();
        DevicePage { devices, next: next.map(|position| position.encode()) }
    }
}

/// Bytes that JSON text takes in the function's payload, which holds the body as a JSON string: a quote and a backslash
/// are escaped there, and serialized JSON has no control characters.
fn payload_length(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// An item as a device of the answer; a member that it lacks is null.
struct Device<'a>(&'a Item);

impl Serialize for Device<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(MEMBERS.iter().map(|member| (member, self.0.get(*member).map(Json))))
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
