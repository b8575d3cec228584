//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
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

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_caller_outside_the_group() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().claim("cognito:groups", "[installers]");
    function.refused(&event, 403, "forbidden").await;
}

firefly_testkit::binary_tests!(BINARY, 200);
