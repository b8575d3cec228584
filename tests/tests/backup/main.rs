//! `POST`, `GET` and `DELETE /devices/{uuid}/backup` store, return and remove a backup.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod conditional;
mod deletion;
mod envelopes;
mod quota;
mod restore;
mod upload;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::{Identity, Response};
use firefly_testkit::TestCloud;
use serde_json::Value;

/// The envelopes of `device.json` that are refused, by name.
fn refused_envelopes() -> Vec<(String, Vec<u8>)> {
    let text = include_str!("../../../crates/firefly-core/tests/vectors/device.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let vectors = vectors["refused_envelopes"].as_array().unwrap().iter();
    let member = |vector: &Value, name: &str| vector[name].as_str().unwrap().to_owned();
    vectors.map(|vector| (member(vector, "name"), STANDARD.decode(member(vector, "ffce_b64")).unwrap())).collect()
}

/// Uploads with further headers, freshly signed.
async fn upload(cloud: &TestCloud, device: &Identity, headers: &[(&str, &str)], envelope: &[u8]) -> Response {
    cloud.signed(&cloud.sign(device), "POST", "backup", headers, Some(envelope)).await
}

/// The text of `last_backup_date`, if the device's item has one.
async fn last_backup_date(cloud: &TestCloud, device: &Identity) -> Option<String> {
    let item = cloud.device_item(device.uuid()).await.expect("the device is there");
    item.get("last_backup_date").map(|date| date.as_s().expect("a string").clone())
}
