//! A request whose signature was verified spends its nonce, and is not good twice.

use firefly_core::signed_request::Nonce;
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::DEVICES;
use firefly_testkit::{START, TestCloud, new_device};

use super::{base64, nonces, send, sign};

const ROUTES: [(&str, &str); 4] =
    [("GET", "registration"), ("POST", "backup"), ("GET", "backup"), ("DELETE", "backup")];

/// A copy is refused on another route, on another instance, and with any body.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_good_once_on_any_route_of_any_instance() {
    let cloud = TestCloud::start().await;
    let twin = cloud.twin().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    for first in ROUTES {
        let signed = cloud.sign(&device);
        let body = |route: (&str, &str)| (route.0 == "POST").then_some(envelope.as_slice());
        let answer = cloud.signed(&signed, first.0, first.1, &[], body(first)).await;
        assert!(matches!(answer.status, 200 | 404), "{first:?}: {}", answer.status);
        let stored = cloud.stored_backup(device.uuid()).await;
        let item = cloud.device_item(device.uuid()).await;
        for second in ROUTES {
            for instance in [&cloud, &twin] {
                let case = format!("{first:?}, then {second:?}");
                let answer = instance.signed(&signed, second.0, second.1, &[], body(second)).await;
                assert_failure(&case, &answer, 401, "replayed");
                let answer = instance.signed(&signed, second.0, second.1, &[], Some(b"another body")).await;
                assert_failure(&case, &answer, 401, "replayed");
            }
        }
        // The copies have done nothing.
        assert_eq!(cloud.stored_backup(device.uuid()).await, stored, "{first:?}");
        assert_eq!(cloud.device_item(device.uuid()).await, item, "{first:?}");
    }
}

/// The nonce counts, not the whole request: the same one with another timestamp is another copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_with_another_timestamp_is_replayed() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    let nonce = Nonce::new([1; 32]);
    assert_eq!(send(&cloud, &sign(&device, &nonce, START)).await.status, 200);
    for seconds in [START - 10, START - 1, START, START + 1, START + 10] {
        assert_failure("again", &send(&cloud, &sign(&device, &nonce, seconds)).await, 401, "replayed");
    }
    // Nonces are each device's own.
    assert_eq!(send(&cloud, &sign(&other, &nonce, START)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_may_come_in_any_order() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    for (number, offset) in [10_i64, -10, 3, -7, 0, 10, -10, 9].into_iter().enumerate() {
        let nonce = Nonce::new([u8::try_from(number).unwrap(); 32]);
        let signed = sign(&device, &nonce, START.checked_add_signed(offset).unwrap());
        assert_eq!(send(&cloud, &signed).await.status, 200, "{offset}");
        assert_failure("again", &send(&cloud, &signed).await, 401, "replayed");
    }
}

/// A request that fails after its signature was verified is spent all the same: clients sign each request again.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_afterwards_is_spent() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    for (case, method, body, status) in [
        ("an empty body", "POST", Some(b"".as_slice()), 400),
        ("no envelope", "POST", Some(b"configuration".as_slice()), 400),
        ("too large", "POST", Some([0; 524_289].as_slice()), 413),
        ("nothing stored", "GET", None, 404),
    ] {
        let signed = cloud.sign(&device);
        assert_eq!(cloud.signed(&signed, method, "backup", &[], body).await.status, status, "{case}");
        let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
        let again = cloud.signed(&signed, "POST", "backup", &[], Some(&envelope)).await;
        assert_failure(case, &again, 401, "replayed");
    }
    assert_eq!(cloud.stored_backup(device.uuid()).await, None);
}

/// A record holds only nonces that the device has signed: strangers can neither fill a record nor make one.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_refused_before_admission_spends_no_nonce() {
    let cloud = TestCloud::start().await;
    let (device, stranger) = (cloud.registered_device().await, new_device());
    let impostor = new_device().with_uuid(device.uuid());
    let nonce = Nonce::new([1; 32]);
    for (case, signed, status) in [
        ("unknown", sign(&stranger, &nonce, START), 404),
        ("stale", sign(&device, &nonce, START - 11), 401),
        ("too early", sign(&device, &nonce, START + 11), 401),
        ("signed by somebody else", sign(&impostor, &nonce, START), 401),
    ] {
        assert_eq!(send(&cloud, &signed).await.status, status, "{case}");
    }
    let elsewhere = sign(&device, &nonce, START);
    let path = format!("/devices/{}/registration", stranger.uuid());
    assert_eq!(cloud.request("GET", &path, &elsewhere.pairs(), None).await.status, 403);
    assert_eq!(cloud.items(DEVICES, "uuid").await.into_keys().collect::<Vec<_>>(), [device.uuid().to_string()]);
    // The nonce is as good as new.
    assert_eq!(send(&cloud, &sign(&device, &nonce, START)).await.status, 200);
    assert_eq!(nonces(&cloud.replay_record(device.uuid()).await.unwrap()), base64([nonce]));
}
