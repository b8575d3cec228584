//! `POST /devices/{uuid}/backups/{version}/restore`: a version becomes the current backup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::{Identity, Response, etag};
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::faults::{Call, Fault, Faults, Outage};
use firefly_testkit::wire::Tap;
use firefly_testkit::{START, TestCloud, new_device};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{operator, upload};

async fn restore(cloud: &TestCloud, device: &Identity, version: &str) -> Response {
    operator(cloud, device, "POST", &format!("/backups/{version}/restore")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_version_is_the_backup_with_its_metadata_and_a_date() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let good = device.seal(b"good", &[7; 12]).unwrap();
    let tag = etag(b"good").quoted();
    let answer = cloud.signed(&cloud.sign(&device), "POST", "backup", &[("ETag", &tag)], Some(&good)).await;
    assert_eq!(answer.status, 200);
    let version = cloud.object_versions(device.uuid()).await.remove(0);
    let (_, bad) = upload(&cloud, &device, b"bad").await;

    cloud.advance(60);
    let (dynamodb, s3) = cloud.endpoints();
    let tap = Tap::in_front_of(s3).await;
    let tapped = cloud.through(dynamodb, tap.url()).await;
    let answer = restore(&tapped, &device, &version).await;
    let date = cloud.now().to_string();
    assert_eq!((answer.status, answer.header("etag")), (200, Some(tag.as_str())));
    assert_eq!(json(&answer), json!({ "message": "Backup stored", "last_backup_date": date }));
    let sent = String::from_utf8_lossy(&tap.sent()).to_ascii_lowercase();
    let checksum = STANDARD.encode(Sha256::digest(&good)).to_ascii_lowercase();
    assert!(sent.contains(&format!("x-amz-checksum-sha256: {checksum}\r\n")), "{sent}");

    let (stored, metadata) = cloud.stored_backup(device.uuid()).await.unwrap();
    assert_eq!((&stored, metadata["etag"].as_str()), (&good, tag.trim_matches('"')));
    assert_eq!(cloud.device_item(device.uuid()).await.unwrap()["last_backup_date"].as_s(), Ok(&date));
    let head = cloud.s3().head_object().bucket(cloud.bucket()).key(device.uuid().to_string()).send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/octet-stream"));
    // All that was there is still there.
    let versions = cloud.object_versions(device.uuid()).await;
    assert_eq!(versions[1..], [bad, version]);
    // The device gets it, and an upload of the same content is not needed.
    assert_eq!(cloud.restore(&device).await.body, good);
    let same = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
    assert_eq!(cloud.signed(&cloud.sign(&device), "POST", "backup", &same, Some(&good)).await.status, 304);
}

/// Other than devices' own uploads, objects of the earlier functions need not be envelopes, nor have an ETag.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_any_bytes_is_restored_as_it_is_after_a_delete() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    cloud.put_object(device.uuid(), b"FFCE, loosely", Some("no ETag")).await;
    let version = cloud.object_versions(device.uuid()).await.remove(0);
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    let answer = restore(&cloud, &device, &version).await;
    assert_eq!((answer.status, answer.header("etag")), (200, None));
    let (stored, metadata) = cloud.stored_backup(device.uuid()).await.unwrap();
    assert_eq!((&stored[..], metadata["etag"].as_str()), (&b"FFCE, loosely"[..], "no ETag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_a_deleted_and_an_older_version_are_404_and_change_nothing() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    let (_, foreign) = upload(&cloud, &other, b"another's").await;
    let (_, older) = upload(&cloud, &device, b"of an earlier registration").await;
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    let versions = cloud.s3().list_object_versions().bucket(cloud.bucket()).prefix(device.uuid().to_string());
    let marker = versions.send().await.unwrap().delete_markers()[0].version_id().unwrap().to_owned();
    cloud.delete_device_item(device.uuid()).await;
    cloud.set_now(START + 10);
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    let (current, own) = upload(&cloud, &device, b"current").await;
    let before = (cloud.object_versions(device.uuid()).await, cloud.device_item(device.uuid()).await);
    cloud.advance(5);

    let never = "0".repeat(32);
    for (case, version) in [
        ("another device's", foreign.as_str()),
        ("a delete marker", &marker),
        ("of an earlier registration", &older),
        ("never given", &never),
        ("no id at all", "nonsense"),
        ("unversioned", "null"),
        ("half an id", &own[..16]),
    ] {
        let answer = restore(&cloud, &device, version).await;
        let message = assert_failure(case, &answer, 404, "no_such_version");
        assert_eq!(message, "Device has no such version of its backup");
    }
    assert_failure("malformed", &restore(&cloud, &device, "a%20b").await, 400, "invalid_path");
    assert_failure("nobody's", &restore(&cloud, &new_device(), &own).await, 404, "not_registered");
    let after = (cloud.object_versions(device.uuid()).await, cloud.device_item(device.uuid()).await);
    assert_eq!(before, after);
    assert_eq!(cloud.restore(&device).await.body, current);
}

/// A device that is deleted while a version is on its way does not come back, nor does its backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_deleted_during_a_restore_stays_deleted() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let (_, version) = upload(&cloud, &device, b"content").await;
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
    let meanwhile = async {
        faults.arrived(Call::PutObject, 1).await;
        assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
        faults.release();
    };
    let (answer, ()) = tokio::join!(restore(&slow, &device, &version), meanwhile);
    assert_failure("deleted meanwhile", &answer, 404, "not_registered");
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_leaves_the_backup_of_before_or_the_restored_one() {
    let engines = TestCloud::start().await;
    let calls = [
        (Call::GetDevice, Outage::of_dynamodb()),
        (Call::ListVersions, Outage::of_s3()),
        (Call::GetVersion, Outage::of_s3()),
        (Call::PutObject, Outage::of_s3()),
    ];
    for (call, outages) in calls {
        Outage::each(&engines, call, outages, async |broken| {
            let device = engines.registered_device().await;
            let (good, version) = upload(&engines, &device, b"good").await;
            let (bad, _) = upload(&engines, &device, b"bad").await;
            broken.assert_told(&restore(&broken.cloud, &device, &version).await);
            let stored = engines.stored_backup(device.uuid()).await.unwrap().0;
            let written = call == Call::PutObject && broken.outage.done;
            assert_eq!(stored, if written { good } else { bad }, "{}", broken.case);
            broken.faults.mend();
            assert_eq!(restore(&broken.cloud, &device, &version).await.status, 200, "{}", broken.case);
        })
        .await;
    }
    // The date does not decide.
    let device = engines.registered_device().await;
    let (good, version) = upload(&engines, &device, b"good").await;
    let (broken, faults) = Faults::over(&engines).await;
    faults.every(Call::UpdateDevice, Fault::json_error(500, "InternalServerError"));
    assert_eq!(restore(&broken, &device, &version).await.status, 200);
    assert_eq!(engines.restore(&device).await.body, good);
}

/// The checksum that an object is stored with is compared with the bytes that arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_arrives_damaged_is_not_stored() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let (_, version) = upload(&engines, &device, b"good").await;
    let (bad, _) = upload(&engines, &device, b"bad").await;
    let (broken, faults) = Faults::over(&engines).await;
    faults.every(Call::GetVersion, Fault::CutAnswer(10));
    assert_eq!(restore(&broken, &device, &version).await.status, 503);
    let checksum = STANDARD.encode(Sha256::digest(b"other bytes"));
    let headers = vec![("x-amz-checksum-sha256", checksum), ("x-amz-checksum-type", "FULL_OBJECT".to_owned())];
    let answer = firefly_testkit::faults::FaultResponse { status: 200, headers, body: "some bytes".into() };
    faults.every(Call::GetVersion, Fault::Answer(answer));
    assert_eq!(restore(&broken, &device, &version).await.status, 503);
    assert_eq!(engines.stored_backup(device.uuid()).await.unwrap().0, bad);
}
