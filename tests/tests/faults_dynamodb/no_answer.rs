//! Calls that are never answered.

use std::time::Duration;

use crate::BackedUp;
use firefly_testkit::faults::{Call, Fault, Faults, assert_outage};
use firefly_testkit::runtime_api::Event;
use firefly_testkit::{Invoked, TestCloud, new_device};

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

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_before_its_timeout() {
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
        ("registration-keys-get", Call::ScanKeys, held(), of("registration-keys-get")),
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
    // Less than the SDK's own limits.
    let answer = function.answer_within(engines.now(), Duration::from_secs(2), &event).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{name}");
    assert_eq!(answer.member("code").as_deref(), Some("unavailable"), "{name}");
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
