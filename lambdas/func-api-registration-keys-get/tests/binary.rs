//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-registration-keys-get");

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_the_callers_own_keys_is_200() {
    let cloud = TestCloud::at_real_time().await;
    let key = cloud.mint().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let answer = function.invoke(&function.event().claim("sub", "installer")).await.unwrap();
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert_eq!(json(&answer)["registration_keys"][0]["key"], key.as_str());
    let answer = function.invoke(&function.event().claim("sub", "somebody else")).await.unwrap();
    assert_eq!(json(&answer)["registration_keys"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_subject_is_401() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event().claim("sub", ""), 401, "unauthorized").await;
}

firefly_testkit::binary_tests!(BINARY, 200);
