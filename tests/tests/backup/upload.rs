//! An upload stores the envelope, its ETag, and the date.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::etag;
use firefly_testkit::TestCloud;
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::stored::text;
use firefly_testkit::wire::Tap;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{last_backup_date, upload};

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_stores_the_envelope_and_sets_the_date() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let mut before = cloud.device_item(device.uuid()).await.unwrap();
    for (second, plaintext) in [(0, "first"), (90, "second")] {
        cloud.set_now(firefly_testkit::START + second);
        let envelope = device.seal(plaintext.as_bytes(), &[7; 12]).unwrap();
        let answer = upload(&cloud, &device, &[], &envelope).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let date = cloud.now().to_string();
        assert_eq!(json(&answer), json!({ "message": "Backup stored", "last_backup_date": date }));
        assert_eq!(answer.header("etag"), None);
        let (bytes, metadata) = cloud.stored_backup(device.uuid()).await.unwrap();
        assert_eq!(bytes, envelope);
        let registered = before["registration_date"].as_s().unwrap().clone();
        assert_eq!(metadata, [("registration-date".to_owned(), registered)].into());
        // The rest of the device's item is unchanged.
        before.insert("last_backup_date".to_owned(), text(date));
        assert_eq!(cloud.device_item(device.uuid()).await.as_ref(), Some(&before));
    }
    assert_eq!(cloud.object_versions(device.uuid()).await.len(), 2);
}

/// An `ETag` header is kept with the envelope and sent back, in lower case, exactly when it is 64 hex digits.
#[tokio::test(flavor = "multi_thread")]
async fn an_etag_is_kept_and_returned_only_if_well_formed() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let quoted = etag(b"plaintext").quoted();
    let bare = quoted.trim_matches('"').to_owned();
    let cases: [(Vec<String>, bool); 16] = [
        (vec![quoted.clone()], true),
        (vec![bare.clone()], true),
        (vec![quoted.to_uppercase()], true),
        (vec![bare.to_uppercase()], true),
        (vec![], false),
        (vec![String::new()], false),
        (vec!["\"\"".to_owned()], false),
        (vec![format!("W/{quoted}")], false),
        (vec!["*".to_owned()], false),
        (vec![format!("{quoted}, {quoted}")], false),
        (vec![quoted.clone(), quoted.clone()], false),
        (vec![bare[1..].to_owned()], false),
        (vec![format!("{bare}0")], false),
        (vec![bare.replacen(|c: char| c.is_ascii_digit(), "g", 1)], false),
        (vec![format!("\"{bare}")], false),
        (vec![format!("\"{}\u{e9}\"", &bare[1..])], false),
    ];
    for (values, valid) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("ETag", value.as_str())).collect();
        let envelope = device.seal(b"plaintext", &rand::random()).unwrap();
        let answer = upload(&cloud, &device, &headers, &envelope).await;
        assert_eq!(answer.status, 200, "{values:?}");
        assert_eq!(answer.header("etag"), valid.then_some(quoted.as_str()), "{values:?}");
        let (bytes, metadata) = cloud.stored_backup(device.uuid()).await.unwrap();
        assert_eq!(bytes, envelope, "{values:?}");
        assert_eq!(metadata.get("etag"), valid.then_some(&bare), "{values:?}");
        let restored = cloud.restore(&device).await;
        assert_eq!(restored.header("etag"), valid.then_some(quoted.as_str()), "{values:?}");
        assert_eq!(restored.body, envelope, "{values:?}");
    }
}

/// S3 is sent the SHA-256 of the envelope, which it checks against what it receives.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_sends_s3_its_checksum() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let (dynamodb, s3) = cloud.endpoints();
    let tap = Tap::in_front_of(s3).await;
    let tapped = cloud.through(dynamodb, tap.url()).await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(tapped.upload(&device, &envelope).await.status, 200);
    let sent = String::from_utf8_lossy(&tap.sent()).to_ascii_lowercase();
    let checksum = STANDARD.encode(Sha256::digest(&envelope)).to_ascii_lowercase();
    assert!(sent.contains(&format!("x-amz-checksum-sha256: {checksum}\r\n")), "{sent}");
}

/// A device that is deleted while its envelope is on the way is told so, its item does not come back, and the version that
/// was written goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_revoked_during_an_upload_stays_deleted() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    let meanwhile = async {
        faults.arrived(Call::PutObject, 1).await;
        cloud.delete_device_item(device.uuid()).await;
        faults.release();
    };
    let (answer, ()) = tokio::join!(slow.upload(&device, &envelope), meanwhile);
    assert_failure("deleted meanwhile", &answer, 401, "unauthorized");
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
    assert_eq!(cloud.device_item(device.uuid()).await, None);
}

/// Dates are the server's, for any time of the device's clock within the window.
#[tokio::test(flavor = "multi_thread")]
async fn the_date_of_a_backup_is_the_server_s() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let signed = cloud.sign(&device);
    cloud.advance(10);
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.signed(&signed, "POST", "backup", &[], Some(&envelope)).await.status, 200);
    assert_eq!(last_backup_date(&cloud, &device).await, Some(cloud.now().to_string()));
}
