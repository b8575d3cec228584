//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-backup-get");

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_backup_is_200_with_its_bytes() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    // The longest there is: its Base64 is 700 KB.
    let envelope = device.seal(&vec![0xa5; 524_288], &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let answer = function.invoke(&function.signed_event(&device)).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    assert!(answer.body == envelope);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_backup_is_404() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.signed_event(&device), 404, "no_backup").await;
}

firefly_testkit::binary_tests!(BINARY, 404);
