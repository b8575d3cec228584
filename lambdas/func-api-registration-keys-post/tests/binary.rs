//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-registration-keys-post");

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_caller_is_201() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let answer = function.invoke(&function.event().claim("sub", "installer")).await.unwrap();
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")));
    let item = cloud.key_item(&answer.member("key").unwrap()).await.unwrap();
    assert_eq!(item["generated_by_sub"].as_s().unwrap(), "installer");
    assert_eq!(item["ttl"].as_n().unwrap(), &json(&answer)["expires_at"].to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_subject_is_401() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event().claim("sub", ""), 401, "unauthorized").await;
}

firefly_testkit::binary_tests!(BINARY, 201);
