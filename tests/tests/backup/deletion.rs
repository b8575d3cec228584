//! A delete answers 200 and leaves neither the backup nor its date.

use firefly_device::{Identity, Response};
use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::faults::{Call, Fault, Faults};
use serde_json::json;

use super::last_backup_date;

async fn delete(cloud: &TestCloud, device: &Identity) -> Response {
    cloud.signed(&cloud.sign(device), "DELETE", "backup", &[], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_delete_is_200_and_removes_the_backup_and_its_date() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    let registered = cloud.device_item(device.uuid()).await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    for device in [&device, &other] {
        assert_eq!(cloud.upload(device, &envelope).await.status, 200);
        assert!(last_backup_date(&cloud, device).await.is_some());
    }
    for _ in 0..3 {
        let answer = delete(&cloud, &device).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(json(&answer), json!({ "message": "Backup deleted" }));
        assert_eq!(cloud.stored_backup(device.uuid()).await, None);
        // The device is as it was before its first backup.
        assert_eq!(cloud.device_item(device.uuid()).await, registered);
    }
    assert_eq!(cloud.stored_backup(other.uuid()).await.unwrap().0, envelope);
    assert!(last_backup_date(&cloud, &other).await.is_some());
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    assert_eq!(cloud.restore(&device).await.body, envelope);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_without_a_backup_is_200() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let registered = cloud.device_item(device.uuid()).await;
    assert_eq!(delete(&cloud, &device).await.status, 200);
    assert_eq!(cloud.device_item(device.uuid()).await, registered);
}

/// Clearing the date of a device deleted meanwhile does not bring the device back.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_revoked_during_a_delete_stays_deleted() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::DeleteObject, Fault::Hold(Box::new(Fault::Pass)));
    let meanwhile = async {
        faults.arrived(Call::DeleteObject, 1).await;
        cloud.delete_device_item(device.uuid()).await;
        faults.release();
    };
    let (answer, ()) = tokio::join!(delete(&slow, &device), meanwhile);
    assert_eq!(answer.status, 200);
    assert_eq!(cloud.stored_backup(device.uuid()).await, None);
    assert_eq!(cloud.device_item(device.uuid()).await, None);
}
