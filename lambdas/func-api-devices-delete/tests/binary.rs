//! The compiled function on a Lambda Runtime API.

use std::time::Duration;

use firefly_testkit::TestCloud;
use firefly_testkit::faults::{Call, Fault, Faults};
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-delete");

#[tokio::test(flavor = "multi_thread")]
async fn deletes_a_device_with_its_backups_and_says_who_asked() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    assert_eq!(cloud.upload(&device, &device.seal(b"{}", &[7; 12]).unwrap()).await.status, 200);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().with("/pathParameters/uuid", device.uuid().to_string());
    assert_eq!(function.invoke(&event).await.unwrap().status, 200);
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert_eq!(cloud.object_versions(device.uuid()).await, [""; 0]);
    let logs = function.logs();
    let line = logs.iter().find(|line| line["outcome"] == "device_deleted").unwrap();
    assert_eq!((&line["level"], &line["span"]["device"]), (&"WARN".into(), &device.uuid().to_string().into()));
    assert_eq!(line["audit"], "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a has deleted the device");
}

/// The row is gone by the time at which the deletion fails, or its time is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_ends_in_503_says_who_asked() {
    let cloud = TestCloud::at_real_time().await;
    for fault in [Fault::xml_error(500, "InternalError"), Fault::Hold(Box::new(Fault::DropCall))] {
        let device = cloud.registered_device().await;
        let (broken, faults) = Faults::over(&cloud).await;
        faults.every(Call::ListVersions, fault);
        let function = RuntimeApi::start(BINARY, &broken).await;
        function.set_time_left(Duration::from_secs(5));
        let event = function.event().with("/pathParameters/uuid", device.uuid().to_string());
        assert_eq!(function.invoke(&event).await.unwrap().status, 503);
        assert_eq!(cloud.device_item(device.uuid()).await, None);
        let logs = function.logs();
        let line = logs.iter().find(|line| line["outcome"] == "unavailable").unwrap();
        assert_eq!((&line["level"], &line["status"]), (&"ERROR".into(), &503.into()));
        assert_eq!(line["span"]["device"], device.uuid().to_string());
        assert_eq!(line["audit"], "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a deletes the device");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_caller_outside_the_group() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().claim("cognito:groups", "[installers]");
    function.refused(&event, 403, "forbidden").await;
    assert!(function.logs().iter().all(|line| line.get("audit").is_none()), "nothing was changed");
}

firefly_testkit::binary_tests!(BINARY, 200);
