//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::{Event, RuntimeApi};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-health-get");

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_is_200_and_logged() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    // The log level that the AppConfig extension tells applies at the latest to the second request.
    for _ in 0..2 {
        let answer = function.invoke(&function.event()).await.unwrap();
        assert_eq!((answer.status, &json(&answer)["status"]), (200, &"OK".into()));
    }
    let logs = function.logs();
    assert!(logs.iter().any(|line| line["outcome"] == "healthy" && line["status"] == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_event_is_200() {
    let cloud = TestCloud::at_real_time().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    for event in [function.event(), Event::of_file("tests/events/developer-guide.json")] {
        for (what, event) in event.strange() {
            assert_eq!(function.invoke(&event).await.unwrap().status, 200, "{what}");
        }
    }
}

firefly_testkit::binary_tests!(BINARY, 200);
