//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-backups-restore-post");

#[tokio::test(flavor = "multi_thread")]
async fn restores_a_version_and_says_which_and_who_asked() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let [first, second] = [b"{1}", b"{2}"].map(|text| device.seal(text, &[7; 12]).unwrap());
    for envelope in [&first, &second] {
        assert_eq!(cloud.upload(&device, envelope).await.status, 200);
    }
    let old = cloud.object_versions(device.uuid()).await.remove(1);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().with("/pathParameters/uuid", device.uuid().to_string());
    let answer = function.invoke(&event.with("/pathParameters/version", old.as_str())).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(cloud.stored_backup(device.uuid()).await.unwrap().0, first);
    let new = cloud.object_versions(device.uuid()).await.remove(0);
    let logs = function.logs();
    let line = logs.iter().find(|line| line["outcome"] == "backup_version_restored").unwrap();
    let who = "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a";
    assert_eq!(line["audit"], format!("{who} has restored version {old} as version {new}"));
    assert_eq!((&line["level"], &line["span"]["device"]), (&"WARN".into(), &device.uuid().to_string().into()));
}

/// A version is written, and taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_for_a_device_that_is_deleted_meanwhile_says_who_asked() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    assert_eq!(cloud.upload(&device, &device.seal(b"{}", &[7; 12]).unwrap()).await.status, 200);
    let old = cloud.object_versions(device.uuid()).await.remove(0);
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::PutObject, Fault::Hold(Box::new(Fault::Pass)));
    let function = RuntimeApi::start(BINARY, &slow).await;
    let event = function.event().with("/pathParameters/uuid", device.uuid().to_string());
    let event = event.with("/pathParameters/version", old.as_str());
    let meanwhile = async {
        faults.arrived(Call::PutObject, 1).await;
        cloud.delete_device_item(device.uuid()).await;
        faults.release();
    };
    tokio::join!(function.refused(&event, 404, "not_registered"), meanwhile);
    let logs = function.logs();
    let line = logs.iter().find(|line| line["outcome"] == "not_registered").unwrap();
    assert_eq!((&line["level"], &line["status"]), (&"WARN".into(), &404.into()));
    assert_eq!(line["audit"], format!("c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a restores version {old}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_device_that_nobody_knows() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event(), 404, "not_registered").await;
}

firefly_testkit::binary_tests!(BINARY, 404);
