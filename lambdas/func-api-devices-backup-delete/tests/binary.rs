//! The compiled function on a Lambda Runtime API.

use firefly_testkit::runtime_api::RuntimeApi;
use firefly_testkit::{TestCloud, new_device};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-backup-delete");

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_backup_is_200() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    assert_eq!(cloud.upload(&device, &device.seal(b"{}", &[7; 12]).unwrap()).await.status, 200);
    let function = RuntimeApi::start(BINARY, &cloud).await;
    assert_eq!(function.invoke(&function.signed_event(&device)).await.unwrap().status, 200);
    assert_eq!(cloud.stored_backup(device.uuid()).await, None);
    assert!(!cloud.device_item(device.uuid()).await.unwrap().contains_key("last_backup_date"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_device_is_401() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.signed_event(&new_device()), 401, "unauthorized").await;
}

firefly_testkit::binary_tests!(BINARY, 200);
