//! A device's uploads of one UTC day are counted, and those beyond the quota refused.

use firefly_core::replay::UPLOADS_PER_DAY;
use firefly_device::{Identity, Response, etag};
use firefly_testkit::answer::assert_failure;
use firefly_testkit::stored::{DEVICES, number};
use firefly_testkit::{START, TestCloud};
use futures::future::join_all;

use super::upload;

/// The seconds from [`START`] to the end of its UTC day.
const REST_OF_THE_DAY: u64 = 73_600;

/// Sets the count of the device's uploads of the UTC day that the clock shows; it has sent a request before.
async fn set_uploads(cloud: &TestCloud, device: &Identity, count: u64) {
    let mut record = cloud.replay_record(device.uuid()).await.unwrap();
    record.insert("uploads_day".to_owned(), number(cloud.now().get() / 86_400));
    record.insert("uploads".to_owned(), number(count));
    cloud.put_item(DEVICES, record).await;
}

async fn uploads(cloud: &TestCloud, device: &Identity) -> Option<String> {
    let record = cloud.replay_record(device.uuid()).await?;
    record.get("uploads").map(|count| count.as_n().unwrap().clone())
}

async fn status(cloud: &TestCloud, device: &Identity, method: &str, what: &str) -> u16 {
    cloud.signed(&cloud.sign(device), method, what, &[], None).await.status
}

fn assert_refused(answer: &Response, wait: u64) {
    let message = assert_failure("beyond the quota", answer, 429, "too_many_uploads");
    assert_eq!(message, "Too many uploads on this day (UTC), try again on the next");
    assert_eq!(answer.header("retry-after"), Some(wait.to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_beyond_the_quota_are_429_until_the_utc_day_is_over_and_nothing_else_is() {
    let cloud = TestCloud::start().await;
    let (device, other) = (cloud.registered_device().await, cloud.registered_device().await);
    let twin = cloud.twin().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    set_uploads(&cloud, &device, UPLOADS_PER_DAY - 1).await;
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    let before = (cloud.object_versions(device.uuid()).await, cloud.replay_record(device.uuid()).await);
    // A request that is refused so is not spent, and nothing is written.
    let signed = cloud.sign(&device);
    for instance in [&cloud, &twin] {
        assert_refused(&instance.signed(&signed, "POST", "backup", &[], Some(&envelope)).await, REST_OF_THE_DAY);
    }
    assert_eq!(before, (cloud.object_versions(device.uuid()).await, cloud.replay_record(device.uuid()).await));
    // Boot check, restore and delete go on, and another device's uploads.
    for (method, what, expected) in
        [("GET", "registration", 200), ("GET", "backup", 200), ("DELETE", "backup", 200), ("GET", "backup", 404)]
    {
        assert_eq!(status(&cloud, &device, method, what).await, expected, "{method} {what}");
    }
    assert_eq!(cloud.upload(&other, &envelope).await.status, 200);

    for (second, wait) in [(100, REST_OF_THE_DAY - 100), (REST_OF_THE_DAY - 1, 1)] {
        cloud.set_now(START + second);
        assert_refused(&cloud.upload(&device, &envelope).await, wait);
        assert_eq!(status(&cloud, &device, "GET", "registration").await, 200);
        assert_refused(&cloud.upload(&device, &envelope).await, wait);
    }
    cloud.set_now(START + REST_OF_THE_DAY);
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    assert_eq!(uploads(&cloud, &device).await.as_deref(), Some("1"));
}

/// Every upload that is admitted counts, whatever its answer; one that is not admitted and any other request do not.
#[tokio::test(flavor = "multi_thread")]
async fn every_admitted_upload_counts_whatever_its_answer() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    let tag = etag(b"configuration").quoted();
    let both = [("ETag", tag.as_str()), ("If-None-Match", tag.as_str())];
    for (count, headers, body, expected) in [
        ("1", &[][..], &b""[..], 400),
        ("2", &[], b"no envelope", 400),
        ("3", &[], &[0; 524_289], 413),
        ("4", &both, &envelope, 200),
        ("5", &both, &envelope, 304),
    ] {
        assert_eq!(upload(&cloud, &device, headers, body).await.status, expected);
        assert_eq!(uploads(&cloud, &device).await.as_deref(), Some(count));
    }
    let signed = cloud.sign(&device);
    assert_eq!(cloud.signed(&signed, "POST", "backup", &[], Some(&envelope)).await.status, 200);
    for _ in 0..3 {
        assert_eq!(cloud.signed(&signed, "POST", "backup", &[], Some(&envelope)).await.status, 401);
    }
    for (method, what) in [("GET", "registration"), ("GET", "backup"), ("DELETE", "backup")] {
        assert_eq!(status(&cloud, &device, method, what).await, 200);
    }
    // The record turns over, and the count stays.
    cloud.advance(61);
    assert_eq!(status(&cloud, &device, "GET", "registration").await, 200);
    assert_eq!(uploads(&cloud, &device).await.as_deref(), Some("6"));
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    assert_eq!(uploads(&cloud, &device).await.as_deref(), Some("7"));
}

/// Over two instances at once, exactly as many are admitted as the quota has left.
#[tokio::test(flavor = "multi_thread")]
async fn of_30_uploads_at_once_exactly_those_within_the_quota_are_admitted() {
    let cloud = TestCloud::start().await;
    let twin = cloud.twin().await;
    let device = cloud.registered_device().await;
    for second in [0, 61] {
        cloud.set_now(START + second);
        assert_eq!(status(&cloud, &device, "GET", "registration").await, 200);
        set_uploads(&cloud, &device, UPLOADS_PER_DAY - 10).await;
        let send = |number: usize| {
            let instance = if number.is_multiple_of(2) { &cloud } else { &twin };
            upload(instance, &device, &[], b"no envelope")
        };
        let answers = join_all((0..30).map(send)).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 10);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 20);
        assert_eq!(uploads(&cloud, &device).await, Some(UPLOADS_PER_DAY.to_string()));
    }
}

/// A record of before uploads were counted has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_a_count_begins_one() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    assert_eq!(status(&cloud, &device, "GET", "registration").await, 200);
    assert_eq!(uploads(&cloud, &device).await, None);
    assert_eq!(upload(&cloud, &device, &[], b"no envelope").await.status, 400);
    assert_eq!(uploads(&cloud, &device).await.as_deref(), Some("1"));
}
