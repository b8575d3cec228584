//! The compiled function on a Lambda Runtime API.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use firefly_testkit::recorder::Recorder;
use firefly_testkit::runtime_api::{RuntimeApi, TRACE_ID};

const BINARY: &str = env!("CARGO_BIN_EXE_func-api-devices-backup-post");

#[tokio::test(flavor = "multi_thread")]
async fn a_new_backup_is_200_and_the_same_again_304() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let envelope = device.seal(b"{\"name\":\"Haus am See\"}", &[7; 12]).unwrap();
    let etag = format!("\"{}\"", "0f".repeat(32));
    let event = function.signed_event(&device).header("ETag", &etag).body(&envelope);
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!((answer.status, answer.header("etag")), (200, Some(etag.as_str())));
    let (stored, metadata) = cloud.stored_backup(device.uuid()).await.unwrap();
    assert_eq!((stored, metadata["etag"].as_str()), (envelope.clone(), etag.trim_matches('"')));
    let date = cloud.device_item(device.uuid()).await.unwrap().remove("last_backup_date").unwrap();
    assert_eq!(date.as_s().unwrap(), json(&answer)["last_backup_date"].as_str().unwrap());

    let again = function.signed_event(&device).header("ETag", &etag).header("If-None-Match", &etag).body(&envelope);
    let answer = function.invoke(&again).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (304, &b""[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_to_aws_has_the_trace_of_its_invocation() {
    let engines = TestCloud::at_real_time().await;
    let device = engines.registered_device().await;
    let (cloud, recorder) = Recorder::over(&engines).await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    let event = function.signed_event(&device).body(&device.seal(b"{}", &[7; 12]).unwrap());
    assert_eq!(function.invoke(&event).await.unwrap().status, 200);
    assert_eq!(recorder.traces(), [Some(TRACE_ID.to_owned())].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_an_envelope_is_400_and_one_too_long_413() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let function = RuntimeApi::start(BINARY, &cloud).await;
    function.refused(&function.signed_event(&device).text_body("a configuration"), 400, "invalid_envelope").await;
    function.refused(&function.signed_event(&device).body(&[b'F'; 524_289]), 413, "envelope_too_large").await;
    assert_eq!(cloud.stored_backup(device.uuid()).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_copies_on_four_processes_is_200_and_the_others_401() {
    let cloud = TestCloud::at_real_time().await;
    let device = cloud.registered_device().await;
    let functions = RuntimeApi::start_processes(BINARY, &cloud, 4).await;
    let event = functions[0].signed_event(&device).body(&device.seal(b"{}", &[7; 12]).unwrap());
    let statuses = RuntimeApi::answer_all(&functions, vec![event; 50]).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 49, "{statuses:?}");
}

firefly_testkit::binary_tests!(BINARY, 200);
