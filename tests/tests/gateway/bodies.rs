//! Request bodies: their largest sizes, and the routes on which they count.

use firefly_testkit::TestCloud;
use firefly_testkit::answer::{assert_failure, assert_message};

const LIMIT: usize = 10 * 1_024 * 1_024;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_10_mb_is_413_for_every_caller() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let bearer = format!("Bearer {}", cloud.token("anna", &[]));
    let too_large = vec![b'x'; LIMIT + 1];
    let backup = format!("/devices/{}/backup", device.uuid());
    for (method, path, headers) in [
        ("POST", "/devices/register", vec![]),
        ("POST", backup.as_str(), vec![]),
        ("GET", "/health", vec![]),
        ("POST", "/registration-keys", vec![("Authorization", bearer.as_str())]),
    ] {
        let answer = cloud.request(method, path, &headers, Some(&too_large)).await;
        assert_eq!(assert_message(path, &answer, 413), "Request Entity Too Large", "{path}");
    }
}

/// Lambda takes events of 6,291,556 bytes; a body that is not text is in them in Base64.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_makes_an_event_too_large_for_lambda_is_413() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let body = vec![b'x'; 4_720_000];
    let key = [("X-Registration-Key", "ABC123")];
    let answer = cloud.upload(&device, &body).await;
    assert_eq!(assert_message("an upload", &answer, 413), "Request Entity Too Large");
    let answer = cloud.request("POST", "/devices/register", &key, Some(&body)).await;
    assert_eq!(assert_message("a registration", &answer, 413), "Request Entity Too Large");
    // Up to there the functions judge.
    let answer = cloud.upload(&device, &body[..4_700_000]).await;
    assert_failure("an upload", &answer, 413, "envelope_too_large");
    let answer = cloud.request("POST", "/devices/register", &key, Some(&body[..4_700_000])).await;
    assert_failure("a registration", &answer, 413, "body_too_large");
}

/// A body on a route that does not expect one does not change the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_body_is_ignored() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
    let bearer = format!("Bearer {}", cloud.token("anna", &["super_users"]));
    let not_utf_8 = b"\xff\xfe{\0";
    for body in [b"".as_slice(), b"{}", b"text", not_utf_8] {
        for content_type in ["application/json", "text/plain", "application/octet-stream"] {
            let common = ("Content-Type", content_type);
            for (method, what, status) in [("GET", "registration", 200), ("GET", "backup", 200)] {
                let signed = cloud.sign(&device);
                let answer = cloud.signed(&signed, method, what, &[common], Some(body)).await;
                assert_eq!(answer.status, status, "{method} {what} {content_type}");
            }
            for (method, path, status) in
                [("GET", "/health", 200), ("GET", "/devices", 200), ("POST", "/registration-keys", 201)]
            {
                let answer = cloud.request(method, path, &[common, ("Authorization", &bearer)], Some(body)).await;
                assert_eq!(answer.status, status, "{method} {path} {content_type}");
            }
        }
    }
}
