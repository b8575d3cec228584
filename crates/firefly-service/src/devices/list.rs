//! Lists the devices, an answer's worth at a time.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firefly_core::device::ProductHex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Devices;
use crate::error::ApiError;
use crate::store::{Item, StoreError};

/// Most devices in one answer.
const MAX_DEVICES: usize = 1_000;
/// Most bytes of JSON in one answer's devices (Lambda's own limit for a response is 6 MB).
const MAX_BYTES: usize = 5_000_000;
/// Most pages of up to 1 MB read for one answer, so that a table of little but replay records answers in time.
const MAX_PAGES: usize = 16;

/// The members of a device, as in the table.
const MEMBERS: [&str; 14] = [
    "uuid",
    "product_id",
    "product_hex",
    "device_class",
    "public_key",
    "registration_date",
    "registering_application",
    "registering_version",
    "mcu",
    "registered_by_email",
    "registered_by_sub",
    "network",
    "partitions",
    "last_backup_date",
];

/// Some of the devices.
#[derive(Debug, Serialize)]
pub struct DevicePage {
    /// The devices, oldest registration first.
    devices: Vec<Map<String, Value>>,
    /// Where the next answer continues; absent when the scan has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The key after which a scan, or a query of the index, continues.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
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
        let (mut devices, mut bytes) = (Vec::new(), 0);
        for _ in 0..MAX_PAGES {
            let (items, last) = self.page(product, position.take(), MAX_DEVICES - devices.len()).await?;
            position = last;
            for item in items {
                let here = Position::of(&item, product)?;
                let device = members(&item);
                let size = serde_json::to_vec(&device).map_or(0, |text| text.len() + 1);
                if bytes + size > MAX_BYTES {
                    // The previous device was the last one that fits: the next answer starts with this one.
                    let next = devices.last().map(|(position, _): &(Position, _)| position.encode());
                    return Ok(page(devices, next));
                }
                bytes += size;
                devices.push((here, device));
            }
            if position.is_none() || devices.len() >= MAX_DEVICES {
                break;
            }
        }
        Ok(page(devices, position.map(|position| position.encode())))
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

fn page(devices: Vec<(Position, Map<String, Value>)>, next: Option<String>) -> DevicePage {
    let mut devices: Vec<_> = devices.into_iter().map(|(_, device)| device).collect();
    let date = |device: &Map<String, Value>| {
        device.get("registration_date").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    devices.sort_by_cached_key(date);
    DevicePage { devices, next }
}

fn members(item: &Item) -> Map<String, Value> {
    MEMBERS.iter().map(|member| ((*member).to_owned(), item.get(*member).map_or(Value::Null, json))).collect()
}

/// An attribute as JSON; sets become arrays, binaries Base64url.
fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::from(text.as_str()),
        AttributeValue::N(number) => json_number(number),
        AttributeValue::Bool(value) => Value::from(*value),
        AttributeValue::L(values) => values.iter().map(json).collect(),
        AttributeValue::M(members) => {
            // DynamoDB keeps no order of members; sorted, the answer is stable.
            let sorted: std::collections::BTreeMap<_, _> = members.iter().collect();
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        AttributeValue::Ss(texts) => texts.iter().map(String::as_str).collect(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| json_number(number)).collect(),
        AttributeValue::B(bytes) => Value::from(URL_SAFE_NO_PAD.encode(bytes.as_ref())),
        AttributeValue::Bs(blobs) => blobs.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes.as_ref())).collect(),
        _ => Value::Null,
    }
}

/// A DynamoDB number as a JSON number.
fn json_number(text: &str) -> Value {
    let integer = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
    integer.unwrap_or_else(|_| text.parse::<f64>().map_or(Value::Null, Value::from))
}
