//! `DELETE /devices/{uuid}`: the device, its backups and, once it may go, its replay record.

use std::iter::{once, repeat_n};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_device::etag;
use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::faults::{Call, Fault, Faults, Outage, assert_outage};
use firefly_testkit::runtime_api::Event;
use firefly_testkit::stored::{DEVICES, item, number, text};
use firefly_testkit::{Invoked, TestCloud, new_device};
use futures::future::join_all;
use serde_json::json;

use super::{listed, operator, upload};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_device_is_unknown_and_leaves_nothing_but_its_live_nonces() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    for content in [b"first", b"other"] {
        upload(&cloud, &device, content).await;
        upload(&cloud, &other, content).await;
    }
    assert_eq!(cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await.status, 200);
    let kept = (cloud.device_item(other.uuid()).await, cloud.object_versions(other.uuid()).await);
    let record = cloud.replay_record(device.uuid()).await;

    let answer = operator(&cloud, &device, "DELETE", "").await;
    assert_eq!((answer.status, json(&answer)), (200, json!({ "message": "Device deleted" })));
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    // Delete markers, too.
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
    assert_failure("the device", &cloud.restore(&device).await, 401, "unauthorized");
    assert!(record.is_some() && cloud.replay_record(device.uuid()).await == record);

    // A repetition once the nonces may be forgotten removes the record.
    cloud.advance(59);
    assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
    assert_eq!(cloud.replay_record(device.uuid()).await, record);
    cloud.advance(1);
    for _ in 0..2 {
        assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
        assert_eq!(cloud.replay_record(device.uuid()).await, None);
    }
    assert_eq!((cloud.device_item(other.uuid()).await, cloud.object_versions(other.uuid()).await), kept);
}

/// A key that is captured before a device is deleted opens nothing after it is registered again with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_before_is_replayed_after_the_device_is_registered_again() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"before", &[7; 12]).unwrap();
    let captured = cloud.sign(&device);
    assert_eq!(cloud.signed(&captured, "POST", "backup", &[], Some(&envelope)).await.status, 200);
    assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    let replayed = cloud.signed(&captured, "POST", "backup", &[], Some(&envelope)).await;
    assert_failure("a request of before", &replayed, 401, "replayed");
    assert_failure("nothing of before", &cloud.restore(&device).await, 404, "no_backup");
    upload(&cloud, &device, b"after").await;
}

/// The UUID is released: another key may take it, and the key of before is a stranger's.
#[tokio::test(flavor = "multi_thread")]
async fn a_released_uuid_can_be_registered_with_another_key() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    upload(&cloud, &device, b"before").await;
    let successor = new_device().with_uuid(device.uuid());
    let key = cloud.mint().await;
    assert_eq!(cloud.register(&successor, key.as_str()).await.status, 409);
    assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
    assert_eq!(cloud.register(&successor, key.as_str()).await.status, 204);
    assert_failure("the key of before", &cloud.restore(&device).await, 401, "unauthorized");
    assert_failure("nothing of before", &cloud.restore(&successor).await, 404, "no_backup");
}

/// An upload that is admitted before the device is deleted, and stored after its versions are, leaves nothing: whether the
/// UUID is free or somebody else's by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_flight_leaves_nothing_behind() {
    let cloud = TestCloud::start().await;
    for registered_again in [false, true] {
        let device = cloud.registered_device().await;
        let (slow, faults) = Faults::over(&cloud).await;
        faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
        let envelope = device.seal(b"in flight", &[7; 12]).unwrap();
        let meanwhile = async {
            faults.arrived(Call::PutObject, 1).await;
            assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
            if registered_again {
                cloud.advance(1);
                let key = cloud.mint().await;
                assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
            }
            let row = cloud.device_item(device.uuid()).await;
            faults.release();
            row
        };
        let (answer, row) = tokio::join!(slow.upload(&device, &envelope), meanwhile);
        assert_failure("in flight", &answer, 401, "unauthorized");
        assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
        assert_eq!(cloud.device_item(device.uuid()).await, row, "the new row has no date");
    }
}

/// A PUT whose answer is lost is sent again. The device is another's by the time at which S3 does either, and one version at
/// least stays: the last alone is taken back, or none where no answer came.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_a_lost_answer_is_no_backup_of_the_next_registration() {
    let cloud = TestCloud::start().await;
    for (lost, status, code) in [(1, 401, "unauthorized"), (9, 503, "unavailable")] {
        let device = cloud.registered_device().await;
        let (slow, faults) = Faults::over(&cloud).await;
        let first = Fault::Hold(Box::new(Fault::DropAnswer));
        faults.next(Call::PutObject, once(first).chain(repeat_n(Fault::DropAnswer, lost - 1)));
        let envelope = device.seal(b"in flight", &[7; 12]).unwrap();
        let tag = etag(b"in flight").quoted();
        let same = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
        let meanwhile = async {
            faults.arrived(Call::PutObject, 1).await;
            assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
            cloud.advance(1);
            let key = cloud.mint().await;
            assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
            faults.release();
        };
        let signed = slow.sign(&device);
        let upload = slow.signed(&signed, "POST", "backup", &same, Some(&envelope));
        assert_failure("in flight", &tokio::join!(upload, meanwhile).0, status, code);

        let left = cloud.object_versions(device.uuid()).await;
        assert!(!left.is_empty(), "{lost}: no answer was lost");
        assert_failure("of before", &cloud.restore(&device).await, 404, "no_backup");
        assert_eq!(listed(&operator(&cloud, &device, "GET", "/backups").await), (vec![], None));
        let restored = operator(&cloud, &device, "POST", &format!("/backups/{}/restore", left[0])).await;
        assert_failure("of before", &restored, 404, "no_such_version");
        // The same content is stored again, and is the backup from then on.
        for status in [200, 304] {
            assert_eq!(
                cloud.signed(&cloud.sign(&device), "POST", "backup", &same, Some(&envelope)).await.status,
                status
            );
        }
        assert_eq!(cloud.restore(&device).await.body, envelope);
        assert_eq!(listed(&operator(&cloud, &device, "GET", "/backups").await).0.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_taken_back_is_not_acknowledged() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
    faults.every(Call::DeleteVersion, Fault::xml_error(500, "InternalError"));
    let envelope = device.seal(b"in flight", &[7; 12]).unwrap();
    let meanwhile = async {
        faults.arrived(Call::PutObject, 1).await;
        cloud.delete_device_item(device.uuid()).await;
        faults.release();
    };
    assert_outage("not removed", &tokio::join!(slow.upload(&device, &envelope), meanwhile).0, 503);
    // Deleting the device removes it.
    assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
}

/// Whatever fails, the row goes first and the replay record last, and a repetition does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_fails_is_repeated_to_its_end() {
    let engines = TestCloud::start().await;
    let stages = [
        (Call::DeleteDevice, Outage::of_dynamodb()),
        (Call::ListVersions, Outage::of_s3()),
        (Call::DeleteVersion, Outage::of_s3()),
        (Call::GetReplayRecord, Outage::of_dynamodb()),
        (Call::DeleteReplayRecord, Outage::of_dynamodb()),
    ];
    for (stage, (call, outages)) in stages.into_iter().enumerate() {
        Outage::each(&engines, call, outages, async |broken| {
            let device = engines.registered_device().await;
            upload(&engines, &device, b"content").await;
            let key = text(format!("{}#replay", device.uuid()));
            let spent = item([("uuid", key), ("version", number(1)), ("turnover_at", number(0))]);
            let spent = spent.into_iter().chain(item([("nonces", AttributeValue::M([].into()))]));
            engines.put_item(DEVICES, spent.collect()).await;
            broken.assert_told(&operator(&broken.cloud, &device, "DELETE", "").await);
            let left = (
                engines.device_item(device.uuid()).await.is_some(),
                !engines.object_versions(device.uuid()).await.is_empty(),
                engines.replay_record(device.uuid()).await.is_some(),
            );
            let done = usize::from(broken.outage.done);
            // Reading leaves all as it was.
            let expected = match (stage, done) {
                (0, 0) => (true, true, true),
                (0, _) | (1, _) | (2, 0) => (false, true, true),
                (2, _) | (3, _) | (4, 0) => (false, false, true),
                _ => (false, false, false),
            };
            assert_eq!(left, expected, "{}", broken.case);
            broken.faults.mend();
            assert_eq!(operator(&broken.cloud, &device, "DELETE", "").await.status, 200, "{}", broken.case);
            assert_eq!(engines.device_item(device.uuid()).await, None, "{}", broken.case);
            assert_eq!(engines.object_versions(device.uuid()).await, [""; 0], "{}", broken.case);
            assert_eq!(engines.replay_record(device.uuid()).await, None, "{}", broken.case);
        })
        .await;
    }
}

/// A backup of more versions than the time is enough for is 503, and a repetition goes on where it was stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_time_is_short_is_503_and_goes_on() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    for number in 0..40_u8 {
        cloud.put_object(device.uuid(), &[number], None).await;
    }
    let (slow, faults) = Faults::over(&cloud).await;
    let pass = repeat_n(Fault::Pass, 20);
    faults.next(Call::DeleteVersion, pass.chain(repeat_n(Fault::Hold(Box::new(Fault::DropCall)), 20)));
    let function = Invoked::new(&slow, "func-api-devices-delete");
    let event = Event::recorded("func-api-devices-delete").with("/pathParameters/uuid", device.uuid().to_string());
    let answer = function.answer_within(cloud.now(), Duration::from_secs(5), &event).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(json(&answer)["code"], "unavailable");
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert_eq!(cloud.object_versions(device.uuid()).await.len(), 20);
    faults.mend();
    faults.release();
    assert_eq!(function.answer(cloud.now(), &event).await.status, 200);
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
}

/// S3 lists a thousand versions and delete markers at a time.
#[tokio::test(flavor = "multi_thread")]
async fn more_versions_than_a_page_has_are_deleted() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let beside = format!("{}-is-not-a-device", device.uuid());
    cloud.s3().put_object().bucket(cloud.bucket()).key(&beside).send().await.unwrap();
    for _ in 0..21 {
        join_all((0..50).map(|_| cloud.put_object(device.uuid(), b"one of a thousand", None))).await;
    }
    assert_eq!(operator(&cloud, &device, "DELETE", "").await.status, 200);
    let left = cloud.s3().list_object_versions().bucket(cloud.bucket()).prefix(device.uuid().to_string());
    let left = left.send().await.unwrap();
    assert_eq!(left.versions().iter().map(|version| version.key().unwrap()).collect::<Vec<_>>(), [beside]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uuid_that_is_malformed_is_400_and_one_that_nobody_has_is_200() {
    let cloud = TestCloud::start().await;
    let delete = async |path: &str| cloud.as_user("root", &["super_users"], "DELETE", path).await;
    for uuid in ["x", "%00", "2d411e72c8063038573bbb16a4a19bcf", "2d411e72-c806-3038-573b-bb16a4a19bcf%23replay"] {
        let answer = delete(&format!("/devices/{uuid}")).await;
        assert_eq!(assert_failure(uuid, &answer, 400, "invalid_path"), "Path parameter uuid is malformed");
        // The answer does not tell an outsider whether the path is a good one.
        let outsider = cloud.as_user("anna", &[], "DELETE", &format!("/devices/{uuid}")).await;
        assert_failure(uuid, &outsider, 403, "forbidden");
    }
    assert_eq!(operator(&cloud, &new_device(), "DELETE", "").await.status, 200);
    // The UUID counts in any case of its digits.
    let device = cloud.registered_device().await;
    assert_eq!(delete(&format!("/devices/{}", device.uuid().to_string().to_uppercase())).await.status, 200);
    assert_eq!(cloud.device_item(device.uuid()).await, None);
}
