//! Calls that are never answered.

use std::time::Duration;

use firefly_runtime::{Environment, Function, Invocation, Metrics, Runner};
use firefly_tests::faults::{Call, Fault, Faults, assert_outage};
use firefly_tests::runtime_api::{Event, parse_payload, template};
use firefly_tests::{TestCloud, new_device};
use {
    func_api_devices_backup_delete as backup_delete, func_api_devices_backup_get as backup_get,
    func_api_devices_backup_post as backup_post, func_api_devices_get as devices_get,
    func_api_devices_register_post as register_post, func_api_devices_registration_get as registration_get,
    func_api_registration_keys_get as keys_get, func_api_registration_keys_post as keys_post,
};

use crate::BackedUp;

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_never_answered_do_not_hold_up_what_does_not_depend_on_them() {
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

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_before_its_timeout() {
    let engines = TestCloud::start().await;
    let device = BackedUp::new(&engines).await;
    let (newcomer, key) = (new_device(), engines.mint().await);
    let signed = |name: &str| Event::recorded(name).signed(&engines.sign(&device.identity));
    let upload = signed(backup_post::App::NAME).body(&device.identity.seal(b"after", &[9; 12]).unwrap());
    let registration = Event::recorded(register_post::App::NAME).registration(&newcomer, key.as_str());
    // An answer that begins and does not go on.
    let stalled = (Call::GetObject, Fault::StallAnswer(10));
    tokio::join!(
        assert_answered_in_time::<backup_get::App>(&engines, stalled, signed(backup_get::App::NAME)),
        assert_in_time::<keys_post::App>(&engines, Call::PutKey, Event::recorded(keys_post::App::NAME)),
        assert_in_time::<keys_get::App>(&engines, Call::ScanKeys, Event::recorded(keys_get::App::NAME)),
        assert_in_time::<register_post::App>(&engines, Call::WriteAndSpend, registration),
        assert_in_time::<registration_get::App>(
            &engines,
            Call::GetDeviceWithRecord,
            signed(registration_get::App::NAME)
        ),
        assert_in_time::<backup_post::App>(&engines, Call::PutObject, upload),
        assert_in_time::<backup_get::App>(&engines, Call::GetObject, signed(backup_get::App::NAME)),
        assert_in_time::<backup_delete::App>(&engines, Call::DeleteObject, signed(backup_delete::App::NAME)),
        assert_in_time::<devices_get::App>(&engines, Call::QueryDevices, Event::recorded(devices_get::App::NAME)),
    );
    device.assert_untouched("never answered").await;
    assert!(engines.device_item(newcomer.uuid()).await.is_none());
}

/// Asserts that the event is answered before Lambda would end the function, though the call is never answered.
async fn assert_in_time<F: Function>(engines: &TestCloud, call: Call, event: Event) {
    assert_answered_in_time::<F>(engines, (call, Fault::Hold(Box::new(Fault::DropCall))), event).await;
}

/// The same of a call with this fault.
async fn assert_answered_in_time<F: Function>(engines: &TestCloud, (call, fault): (Call, Fault), event: Event) {
    let faults = Faults::default();
    faults.every(call, fault);
    let (dynamodb, s3) = engines.endpoints();
    let mut environment = engines.environment_of(&template(F::NAME));
    environment.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), faults.in_front_of(dynamodb).await);
    environment.insert("AWS_ENDPOINT_URL_S3".to_owned(), faults.in_front_of(s3).await);
    let runner = Runner::<F>::new(&Environment::new(environment), Metrics::new(std::io::sink())).unwrap();
    // Less than the SDK's own limits.
    let time_left = Duration::from_secs(2);
    let invocation = Invocation { request_id: "test".to_owned(), time_left };
    let answer = runner.invoke(engines.now(), invocation, serde_json::from_str(&event.to_string()).unwrap());
    let answer = tokio::time::timeout(time_left, answer).await.unwrap_or_else(|_| panic!("{} is ended", F::NAME));
    let answer = parse_payload(&serde_json::to_string(&answer.unwrap()).unwrap());
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{}", F::NAME);
    assert_eq!(answer.member("code").as_deref(), Some("unavailable"), "{}", F::NAME);
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
