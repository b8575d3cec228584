//! The operators' routes: a device is deleted, versions of its backup are listed and restored.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod deletion;
mod restore;
mod versions;

use firefly_device::{Identity, Response};
use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use serde_json::Value;

/// Sends a super user's request below `/devices/{uuid}`.
async fn operator(cloud: &TestCloud, device: &Identity, method: &str, what: &str) -> Response {
    cloud.as_user("root", &["super_users"], method, &format!("/devices/{}{what}", device.uuid())).await
}

/// Uploads an envelope of this content, and returns the envelope and the id of its version.
async fn upload(cloud: &TestCloud, device: &Identity, content: &[u8]) -> (Vec<u8>, String) {
    let envelope = device.seal(content, &rand::random()).unwrap();
    assert_eq!(cloud.upload(device, &envelope).await.status, 200);
    (envelope, cloud.object_versions(device.uuid()).await.remove(0))
}

/// The versions of an answer, and its `next`.
fn listed(answer: &Response) -> (Vec<Value>, Option<String>) {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let body = json(answer);
    let backups = body["backups"].as_array().expect("a list of versions").clone();
    (backups, body.get("next").map(|next| next.as_str().expect("next is a string").to_owned()))
}
