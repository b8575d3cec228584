//! Calls that are never answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::BackedUp;
use emulator_kit::proxy::Proxy;
use firefly_device::Response;
use firefly_functions::{ALL, Listed};
use firefly_testkit::faults::{Call, Fault, Faults, assert_outage};
use firefly_testkit::runtime_api::Event;
use firefly_testkit::{Invoked, TestCloud, new_device};

/// The time that is left of an invocation: less than the SDK's own limits.
const LESS_THAN_THE_SDK: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_200_while_the_write_of_its_date_hangs() {
    let engines = TestCloud::start().await;
    for_each_held(&engines, [Call::UpdateDevice], async |cloud, device| {
        let envelope = device.identity.seal(b"third", &[3; 12]).unwrap();
        assert_eq!(cloud.upload(&device.identity, &envelope).await.status, 200);
        assert_eq!(engines.stored_backup(device.identity.uuid()).await.unwrap().0, envelope);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_never_answered_are_given_up_within_the_deadline() {
    let engines = TestCloud::start().await;
    for_each_held(&engines, [Call::GetDeviceWithRecord, Call::WriteReplayRecord], async |cloud, device| {
        assert_outage("held", &device.send(cloud, ("POST", "backup")).await, 503);
        device.assert_untouched("held").await;
    })
    .await;
}

/// A function that calls neither is as well as ever.
#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_before_its_timeout_while_dynamodb_and_s3_are_silent() {
    let engines = TestCloud::start().await;
    let device = BackedUp::new(&engines).await;
    let called = futures::future::join_all(ALL.iter().map(|function| answers_in_silence(&device, function))).await;
    assert!(called.contains(&true));
    device.assert_untouched("never answered").await;
}

/// Asserts that a function's genuine event is answered while no call to AWS is, and returns `true` if it makes one.
async fn answers_in_silence(device: &BackedUp<'_>, function: &Listed) -> bool {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let silent = move |_proxy, _request| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    };
    let silent = Proxy::listen(device.engines.endpoints().0, silent).await.unwrap();
    let endpoints = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"].map(|name| (name, silent.as_str()));
    let invoked = Invoked::with(device.engines, function.name, &endpoints);
    let event = invoked.genuine_event(device.engines, &device.identity).await;
    let answer = invoked.answer_within(device.engines.now(), LESS_THAN_THE_SDK, &event).await;
    let is_called = calls.load(Ordering::SeqCst) > 0;
    if is_called {
        assert_unavailable(function.name, &answer);
    } else {
        assert!((200..300).contains(&answer.status), "{}: {}", function.name, answer.status);
    }
    is_called
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_last_call_is_never_answered_answers_before_its_timeout() {
    let engines = TestCloud::start().await;
    let device = BackedUp::new(&engines).await;
    let (newcomer, key) = (new_device(), engines.mint().await);
    let of = |name: &str| Event::recorded(&format!("func-api-{name}"));
    let signed = |name: &str| of(name).signed(&engines.sign(&device.identity));
    let upload = signed("devices-backup-post").body(&device.identity.seal(b"after", &[9; 12]).unwrap());
    let registration = of("devices-register-post").registration(&newcomer, key.as_str());
    let held = || Fault::Hold(Box::new(Fault::DropCall));
    // An answer that begins and does not go on.
    let stalled = Fault::StallAnswer(10);
    let requests = [
        ("devices-backup-get", Call::GetObject, stalled, signed("devices-backup-get")),
        ("registration-keys-post", Call::PutKey, held(), of("registration-keys-post")),
        ("registration-keys-get", Call::GetLiveKeys, held(), of("registration-keys-get")),
        ("registration-keys-delete", Call::DeleteKey, held(), of("registration-keys-delete")),
        ("devices-register-post", Call::WriteAndSpend, held(), registration),
        ("devices-registration-get", Call::GetDeviceWithRecord, held(), signed("devices-registration-get")),
        ("devices-backup-post", Call::PutObject, held(), upload),
        ("devices-backup-get", Call::GetObject, held(), signed("devices-backup-get")),
        ("devices-backup-delete", Call::DeleteObject, held(), signed("devices-backup-delete")),
        ("devices-get", Call::QueryDevices, held(), of("devices-get")),
    ];
    let asserted = requests.map(|(name, call, fault, event)| {
        let engines = &engines;
        async move { assert_answered_in_time(engines, &format!("func-api-{name}"), call, fault, event).await }
    });
    futures::future::join_all(asserted).await;
    device.assert_untouched("never answered").await;
    assert!(engines.device_item(newcomer.uuid()).await.is_none());
}

/// Asserts that the event is answered before Lambda would end the function, though every such call meets the fault.
async fn assert_answered_in_time(engines: &TestCloud, name: &str, call: Call, fault: Fault, event: Event) {
    let faults = Faults::default();
    faults.every(call, fault);
    let (dynamodb, s3) = engines.endpoints();
    let (dynamodb, s3) = (faults.in_front_of(dynamodb).await, faults.in_front_of(s3).await);
    let endpoints = [("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.as_str()), ("AWS_ENDPOINT_URL_S3", s3.as_str())];
    let function = Invoked::with(engines, name, &endpoints);
    assert_unavailable(name, &function.answer_within(engines.now(), LESS_THAN_THE_SDK, &event).await);
}

fn assert_unavailable(case: &str, answer: &Response) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{case}");
    assert_eq!(answer.member("code").as_deref(), Some("unavailable"), "{case}");
}

/// Runs `check` for each of these calls at the same time, in a cloud in which that call is never answered.
async fn for_each_held<const N: usize>(
    engines: &TestCloud,
    calls: [Call; N],
    check: impl AsyncFn(&TestCloud, &BackedUp<'_>),
) {
    let run = async |call| {
        let (cloud, faults) = Faults::over(engines).await;
        let device = BackedUp::new(engines).await;
        faults.every(call, Fault::Hold(Box::new(Fault::DropCall)));
        check(&cloud, &device).await;
        assert!(faults.count(call) > 0, "{call:?}");
    };
    futures::future::join_all(calls.map(run)).await;
}
