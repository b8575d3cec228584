//! The compiled function between invocations: Lambda freezes the process, and connections are dropped meanwhile.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::time::Duration;

use firefly_testkit::faults::{Call, Fault, FaultResponse, Faults};
use firefly_testkit::runtime_api::{Event, RuntimeApi};
use firefly_testkit::{BlackHole, TestCloud};
use tokio::sync::Mutex;

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-registration-get");

/// Longer than a frozen connection or a refresh may take where the process runs.
const FROZEN: Duration = Duration::from_millis(2_500);

/// Held by each test: a request's patience with AppConfig is 300 ms of real time, for which functions must not compete.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Asserts that a boot check is answered, and returns whether the requests so far are logged.
async fn informs(function: &RuntimeApi, event: Event) -> bool {
    assert_eq!(function.invoke(&event).await.unwrap().status, 200);
    function.logs().iter().any(|line| line["level"] == "INFO" && line["status"] == 200)
}

/// The profile with the level INFO, as AppConfig's data API answers it.
fn info() -> Fault {
    let headers =
        vec![("Next-Poll-Configuration-Token", "next".to_owned()), ("Next-Poll-Interval-In-Seconds", "45".to_owned())];
    Fault::Answer(FaultResponse { status: 200, headers, body: r#"{"logging":"INFO"}"#.into() })
}

/// The function, and the black hole before an AppConfig that has the level INFO.
async fn with_level_behind_a_black_hole(cloud: &TestCloud) -> (RuntimeApi, BlackHole) {
    let faults = Faults::default();
    faults.every(Call::LatestConfiguration, info());
    let appconfig = BlackHole::in_front_of(&faults.in_front_of(cloud.appconfigdata_endpoint()).await).await;
    let variables = [("AWS_ENDPOINT_URL_APPCONFIGDATA", appconfig.url()), ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", "")];
    (RuntimeApi::start_with(BINARY, cloud, &variables).await, appconfig)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_of_the_extension_applies_to_the_second_request_over_a_freeze() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.hold_configuration();
    assert!(!informs(&function, function.signed_event(&device)).await);
    function.freeze(FROZEN, || function.release_configuration()).await;
    assert!(informs(&function, function.signed_event(&device)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_of_the_data_api_applies_to_the_second_request_over_a_freeze() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let faults = Faults::default();
    let appconfig = faults.in_front_of(cloud.appconfigdata_endpoint()).await;
    for call in [Call::StartSession, Call::LatestConfiguration] {
        let variables = [("AWS_ENDPOINT_URL_APPCONFIGDATA", &*appconfig), ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", "")];
        let function = RuntimeApi::start_with(BINARY, &cloud, &variables).await;
        faults.every(Call::LatestConfiguration, info());
        let then = if call == Call::StartSession { Fault::Pass } else { info() };
        // An old connection that is silent is given up, and the call is made again.
        faults.next(call, [Fault::Hold(Box::new(then.clone())), Fault::Hold(Box::new(then))]);
        assert!(!informs(&function, function.signed_event(&device)).await, "{call:?}");
        function.freeze(FROZEN, || faults.release()).await;
        assert!(informs(&function, function.signed_event(&device)).await, "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_appconfig_that_is_dropped_in_a_freeze_does_not_cost_the_level() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let (function, appconfig) = with_level_behind_a_black_hole(&cloud).await;
    // The connection that was opened at the start.
    function.freeze(FROZEN, || appconfig.swallow()).await;
    assert!(!informs(&function, function.signed_event(&device)).await);
    function.freeze(FROZEN, || ()).await;
    assert!(informs(&function, function.signed_event(&device)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_to_appconfig_does_not_cost_the_level_of_the_next_request() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let (function, appconfig) = with_level_behind_a_black_hole(&cloud).await;
    function.freeze(FROZEN, || appconfig.swallow()).await;
    informs(&function, function.signed_event(&device)).await;
    assert!(informs(&function, function.signed_event(&device)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_before_the_first_event() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let dynamodb = BlackHole::in_front_of(cloud.endpoints().0).await;
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())];
    let function = RuntimeApi::start_with(BINARY, &cloud, &variables).await;
    assert_eq!(dynamodb.connections(), 1);
    informs(&function, function.signed_event(&device)).await;
    assert_eq!(dynamodb.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_dropped_in_a_freeze_is_replaced() {
    let _alone = ALONE.lock().await;
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let dynamodb = BlackHole::in_front_of(cloud.endpoints().0).await;
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())];
    let function = RuntimeApi::start_with(BINARY, &cloud, &variables).await;
    informs(&function, function.signed_event(&device)).await;
    function.freeze(FROZEN, || dynamodb.swallow()).await;
    // The SDK's own limit of an attempt is 2 s; half a second is kept for the answer.
    function.set_time_left(Duration::from_millis(2_450));
    informs(&function, function.signed_event(&device)).await;
    assert_eq!(dynamodb.connections(), 2);
}
