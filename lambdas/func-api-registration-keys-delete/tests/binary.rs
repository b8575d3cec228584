//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::runtime_api::RuntimeApi;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-registration-keys-delete");

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_caller_is_deleted_and_any_key_is_204() {
    let cloud = TestCloud::at_real_time().await;
    let key = cloud.mint().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.event().with("/pathParameters/key", key.as_str());
    // Another's key, the caller's own, and one that is gone: nobody is told which.
    for (sub, is_left) in [("somebody else", true), ("installer", false), ("installer", false)] {
        let answer = function.invoke(&event.clone().claim("sub", sub)).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (204, &b""[..]), "{sub}");
        assert_eq!(cloud.key_item(key.as_str()).await.is_some(), is_left, "{sub}");
    }
    let logs = function.logs();
    let audited = logs.iter().filter(|line| line["outcome"] == "key_revoked");
    let audited: Vec<_> = audited.map(|line| (line["level"].as_str(), line["audit"].as_str())).collect();
    let line = |sub| format!("{sub} revokes a registration key");
    let lines = ["somebody else", "installer", "installer"].map(line);
    assert_eq!(audited, lines.each_ref().map(|line| (Some("WARN"), Some(line.as_str()))));
    assert!(!logs.iter().any(|line| line.to_string().contains(key.as_str())), "the key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_key_is_400() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event().with("/pathParameters/key", "a1b2c3"), 400, "invalid_path").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_subject_is_401() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.event().claim("sub", ""), 401, "unauthorized").await;
}

firefly_testkit::binary_tests!(BINARY, 204);
