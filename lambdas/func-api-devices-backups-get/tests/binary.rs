//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-backups-get");

#[tokio::test(flavor = "multi_thread")]
async fn lists_the_versions_of_a_backup() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    assert_eq!(cloud.upload(&device, &device.seal(b"{}", &[7; 12]).unwrap()).await.status, 200);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().with("/pathParameters/uuid", device.uuid().to_string());
    let answer = function.invoke(&event).await.unwrap();
    let versions = cloud.object_versions(device.uuid()).await;
    assert_eq!((answer.status, &json(&answer)["backups"][0]["version"]), (200, &versions[0].as_str().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_device_that_nobody_knows() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event(), 404, "not_registered").await;
}

firefly_testkit::binary_tests!(BINARY, 404);
