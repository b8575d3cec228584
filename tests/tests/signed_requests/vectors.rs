//! The firmware's own bytes at the door: a request that it signs is admitted, one that it would never sign is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::Identity;
use firefly_testkit::TestCloud;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::{DEVICES, legacy_device, text};
use serde_json::Value;

use super::{Headers, send};

fn vectors(group: &str) -> Vec<Value> {
    let text = include_str!("../../../crates/firefly-core/tests/vectors/device.json");
    let mut vectors: Value = serde_json::from_str(text).unwrap();
    let Value::Array(group) = vectors[group].take() else { panic!("no vectors") };
    assert!(!group.is_empty());
    group
}

fn member<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

fn headers(vector: &Value) -> Headers {
    let value = |name: &&'static str| (*name, member(&vector["headers"], name).as_bytes().to_vec());
    firefly_device::SignedHeaders::NAMES.iter().map(value).collect()
}

/// Lays down the device of a vector and sets the clock to its second.
async fn set_up(cloud: &TestCloud, vector: &Value) {
    let any = Identity::generate("0xFF010001".parse().unwrap(), &mut rand::rng());
    let mut item = legacy_device(&any.with_uuid(member(vector, "uuid").parse().unwrap()));
    item.insert("public_key".to_owned(), text(member(vector, "public_key_b64")));
    cloud.put_item(DEVICES, item).await;
    cloud.set_now(vector["epoch"].as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_vector_is_stored_and_returned() {
    let cloud = TestCloud::start().await;
    for vector in vectors("accepted") {
        let name = member(&vector, "name");
        set_up(&cloud, &vector).await;
        let uuid = member(&vector, "uuid");
        let envelope = STANDARD.decode(member(&vector, "ffce_b64")).unwrap();
        let path = format!("/devices/{uuid}/backup");
        let answer = cloud.client().request("POST", &path, &headers(&vector), Some(&envelope)).await.unwrap();
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(cloud.stored_backup(uuid.parse().unwrap()).await.unwrap().0, envelope, "{name}");
    }
}

/// A signature in another encoding is a malformed header; one that does not verify is a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn every_refused_signature_is_refused() {
    let cloud = TestCloud::start().await;
    let unverifiable = [
        "other device's key",
        "other nonce",
        "other timestamp",
        "nonce signed as Base64",
        "timestamp before nonce",
        "hashed twice",
    ];
    let mut refused = 0;
    for vector in vectors("refused_signatures") {
        let name = member(&vector, "name");
        set_up(&cloud, &vector).await;
        let (status, code) = if unverifiable.contains(&name) { (401, "unauthorized") } else { (400, "invalid_header") };
        refused += usize::from(status == 401);
        let answer = send(&cloud, ("GET", "registration"), member(&vector, "uuid"), &headers(&vector)).await;
        assert_failure(name, &answer, status, code);
    }
    assert_eq!(refused, unverifiable.len());
}
