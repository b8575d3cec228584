//! Items and objects that a test lays down in the engines, or reads back from them, through the SDK.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use aws_sdk_s3::primitives::ByteStream;
use firefly_core::device::DeviceId;
use firefly_device::Identity;

use crate::TestCloud;

/// The table of devices.
pub const DEVICES: &str = "firefly-devices";
/// The table of registration keys.
pub const KEYS: &str = "firefly-registration-keys";

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// A string attribute.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An item of these attributes.
pub fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The item of a device as the earlier functions wrote it: no newer attribute, NULL for a member that was not sent.
pub fn legacy_device(device: &Identity) -> Item {
    let mcu = item([
        ("model", text("ESP32-S3")),
        ("revision", number("2")),
        ("cpu_freq_mhz", number("240")),
        ("flash_chip_size", number("16777216")),
        ("vdd_spi_volts", number("3.3")),
        ("features", AttributeValue::L(vec![text("WiFi 802.11 b/g/n"), text("Bluetooth LE")])),
        ("psram_size", AttributeValue::Null(true)),
    ]);
    item([
        ("uuid", text(device.uuid())),
        ("product_id", text("FireFly Controller")),
        ("product_hex", text(device.product_hex())),
        ("device_class", text("CONTROLLER")),
        ("public_key", text(device.public_key().to_base64())),
        ("registration_date", text("2024-11-05T07:08:09Z")),
        ("registering_application", text("FireFly Controller")),
        ("registering_version", text("2024.10.2")),
        ("mcu", AttributeValue::M(mcu)),
        ("registered_by_email", text("installer@example.com")),
        ("network", AttributeValue::Null(true)),
        ("partitions", AttributeValue::Null(true)),
    ])
}

impl TestCloud {
    /// Puts one item.
    pub async fn put_item(&self, table: &str, item: Item) {
        let put = self.dynamodb().put_item().table_name(table).set_item(Some(item));
        put.send().await.expect("the embedded DynamoDB puts an item");
    }

    /// Puts many items.
    pub async fn put_items(&self, table: &str, items: Vec<Item>) {
        let put = |item| PutRequest::builder().set_item(Some(item)).build().expect("an item");
        let writes = items.into_iter().map(|item| WriteRequest::builder().put_request(put(item)).build());
        self.write(table, writes.collect()).await;
    }

    /// Deletes the items of these devices.
    pub async fn delete_device_items(&self, uuids: &[String]) {
        let delete = |uuid| DeleteRequest::builder().key("uuid", text(uuid)).build().expect("a key");
        let writes = uuids.iter().map(|uuid| WriteRequest::builder().delete_request(delete(uuid)).build());
        self.write(DEVICES, writes.collect()).await;
    }

    /// Writes, 25 items to a call.
    async fn write(&self, table: &str, writes: Vec<WriteRequest>) {
        let client = self.dynamodb();
        for batch in writes.chunks(25) {
            let written = client.batch_write_item().request_items(table, batch.to_vec()).send().await;
            let left = written.expect("the embedded DynamoDB writes items").unprocessed_items.unwrap_or_default();
            assert!(left.is_empty(), "items were not written");
        }
    }

    /// Deletes a device's item.
    pub async fn delete_device_item(&self, device: DeviceId) {
        let delete = self.dynamodb().delete_item().table_name(DEVICES).key("uuid", text(device));
        delete.send().await.expect("the embedded DynamoDB deletes an item");
    }

    /// All items of a table by their hash key, which is called `key`.
    pub async fn items(&self, table: &str, key: &str) -> BTreeMap<String, Item> {
        let scan = self.dynamodb().scan().table_name(table).consistent_read(true);
        let items: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
        let items = items.expect("the embedded DynamoDB scans").into_iter();
        items.map(|item| (item.get(key).and_then(|key| key.as_s().ok()).expect("a key").clone(), item)).collect()
    }

    /// The replay record of a device, if there is one.
    pub async fn replay_record(&self, device: DeviceId) -> Option<Item> {
        self.item(DEVICES, "uuid", &format!("{device}#replay")).await
    }

    /// Stores an object under a device's key with this user metadata `etag`, if any.
    pub async fn put_object(&self, device: DeviceId, bytes: &[u8], etag: Option<&str>) {
        let metadata = etag.map(|etag| HashMap::from([("etag".to_owned(), etag.to_owned())]));
        let put = self.s3().put_object().bucket(self.bucket()).key(device.to_string());
        let put = put.set_metadata(metadata).body(ByteStream::from(bytes.to_vec()));
        put.send().await.expect("the embedded S3 puts an object");
    }

    /// Every version of a device's object, delete markers included: they show every write.
    pub async fn object_versions(&self, device: DeviceId) -> Vec<String> {
        let list = self.s3().list_object_versions().bucket(self.bucket()).prefix(device.to_string());
        let list = list.send().await.expect("the embedded S3 lists versions");
        let versions = list.versions().iter().filter_map(|version| version.version_id());
        versions
            .chain(list.delete_markers().iter().filter_map(|marker| marker.version_id()))
            .map(str::to_owned)
            .collect()
    }
}
