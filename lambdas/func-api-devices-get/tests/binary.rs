//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-get");

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_devices_of_a_product_is_200() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let answer = function.invoke(&function.event()).await.unwrap();
    assert_eq!((answer.status, &json(&answer)["devices"][0]["uuid"]), (200, &device.uuid().to_string().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_outside_the_group_is_403() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().claim("cognito:groups", "[installers super_users_of_old]");
    function.refused(&event, 403, "forbidden").await;
}

firefly_testkit::binary_tests!(BINARY, 200);
