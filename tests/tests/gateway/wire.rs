//! Answers byte for byte, as a controller's HTTP client reads them.

use firefly_device::{etag, registration_body};
use firefly_testkit::wire::{RawAnswer, request_bytes};
use firefly_testkit::{TestCloud, new_device};

/// The firmware waits 30 s for a body that a 204 or 304 announces.
fn assert_bodiless(answer: &RawAnswer, status: u16) {
    assert_eq!(answer.status(), status, "{}", answer.head);
    assert!(answer.body.is_empty(), "{:?}", answer.body);
    for name in ["content-length", "transfer-encoding", "content-type", "www-authenticate", "location"] {
        assert!(answer.header(name).is_empty(), "{}", answer.head);
    }
}

fn host(cloud: &TestCloud) -> &str {
    cloud.url().trim_start_matches("http://")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_204_and_a_304_have_no_body_and_no_length() {
    let cloud = TestCloud::start().await;
    let (device, key) = (new_device(), cloud.mint().await);
    let headers = [("Host", host(&cloud)), ("X-Registration-Key", key.as_str()), ("Content-Type", "application/json")];
    let request = request_bytes("POST /devices/register HTTP/1.1", &headers, Some(&registration_body(&device)));
    assert_bodiless(&cloud.raw(&request).await, 204);
    // Registered before.
    assert_bodiless(&cloud.raw(&request).await, 204);

    let tag = etag(b"configuration").quoted();
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    let line = format!("POST /devices/{}/backup HTTP/1.1", device.uuid());
    for status in [200, 304] {
        let signed = cloud.sign(&device);
        let mut headers = signed.pairs().to_vec();
        headers.extend([("Host", host(&cloud)), ("ETag", &tag), ("If-None-Match", &tag)]);
        let answer = cloud.raw(&request_bytes(&line, &headers, Some(&envelope))).await;
        assert_eq!(answer.header("etag"), [tag.as_str()], "{}", answer.head);
        if status == 304 {
            assert_bodiless(&answer, 304);
        } else {
            assert_eq!(answer.status(), 200);
        }
    }
}

/// Every other answer has exactly the `Content-Length` of its body, and no coding that the firmware cannot undo.
#[tokio::test(flavor = "multi_thread")]
async fn every_other_answer_has_its_length() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(&vec![b'A'; 524_288], &[7; 12]).unwrap();
    for (line, body, status) in [
        ("POST", Some(envelope.as_slice()), 200),
        ("GET", None, 200),
        ("DELETE", None, 200),
        ("GET", None, 404),
        ("POST", Some(b"no envelope".as_slice()), 400),
    ] {
        let signed = cloud.sign(&device);
        let mut headers = signed.pairs().to_vec();
        headers.extend([("Host", host(&cloud)), ("Accept-Encoding", "gzip, deflate, br"), ("TE", "trailers, chunked")]);
        let line = format!("{line} /devices/{}/backup HTTP/1.1", device.uuid());
        let answer = cloud.raw(&request_bytes(&line, &headers, body)).await;
        assert_eq!(answer.status(), status, "{line}");
        assert_eq!(answer.header("content-length"), [answer.body.len().to_string()], "{line}");
        for name in ["transfer-encoding", "content-encoding", "www-authenticate", "location"] {
            assert!(answer.header(name).is_empty(), "{line}: {}", answer.head);
        }
        if line.starts_with("GET") && status == 200 {
            assert!(answer.body == envelope, "{line}");
        }
    }
}

/// A chunked body, an HTTP/1.0 client and one that keeps its connection are served alike.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_chunked() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"configuration", &[7; 12]).unwrap();
    let signed = cloud.sign(&device);
    let mut headers = signed.pairs().to_vec();
    headers.extend([("Host", host(&cloud)), ("Transfer-Encoding", "chunked")]);
    let line = format!("POST /devices/{}/backup HTTP/1.1", device.uuid());
    let mut request = request_bytes(&line, &headers, None);
    for chunk in envelope.chunks(10) {
        request.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    assert_eq!(cloud.raw(&request).await.status(), 200);
    assert_eq!(cloud.stored_backup(device.uuid()).await.unwrap().0, envelope);
    let request = request_bytes("GET /health HTTP/1.0", &[], None);
    assert_eq!(cloud.raw(&request).await.status(), 200);
}
