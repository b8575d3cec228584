//! The compiled function on a Lambda Runtime API.

use std::time::Duration;

use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::RuntimeApi;
use firefly_testkit::{TestCloud, new_device};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-registration-get");

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_is_200_with_its_registration() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let answer = function.invoke(&function.signed_event(&device)).await.unwrap();
    assert_eq!((answer.status, &json(&answer)["uuid"]), (200, &device.uuid().to_string().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unregistered_device_is_404() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.signed_event(&new_device()), 404, "not_registered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_without_time_left_is_503() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.set_time_left(Duration::ZERO);
    let answer = function.invoke(&function.signed_event(&device)).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(json(&answer)["code"], "unavailable");
}

firefly_testkit::binary_tests!(BINARY, 200);
