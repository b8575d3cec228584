//! Heads of requests: their largest size.

use firefly_testkit::TestCloud;
use firefly_testkit::wire::{RawAnswer, request_bytes};

/// API Gateway quotas for HTTP APIs: "Total combined size of request line and header values".
const LIMIT: usize = 10_240;

/// The bytes of request line and header values, `Connection: close` among them, to which `x` is added up to `length`.
fn filled(line: &str, values: &[&str], length: usize) -> String {
    "x".repeat(length - line.len() - "close".len() - values.iter().map(|value| value.len()).sum::<usize>())
}

fn assert_too_large(answer: &RawAnswer, case: &str) {
    assert_eq!(answer.status(), 431, "{case}");
    assert_eq!(answer.body, br#"{"message":"Request Header Fields Too Large"}"#, "{case}");
    assert_eq!(answer.header("content-type"), ["application/json"], "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_more_than_10240_bytes_is_431() {
    let cloud = TestCloud::start().await;
    let line = "GET /health HTTP/1.1";
    for (length, status) in [(LIMIT, 200), (LIMIT + 1, 431)] {
        // In one value, in many, and in the request line; names of headers do not count.
        let filler = filled(line, &["localhost"], length);
        let answer = cloud.raw(&request_bytes(line, &[("Host", "localhost"), ("X-Long", &filler)], None)).await;
        assert_eq!(answer.status(), status, "{length} bytes in one value");
        let name = "X-".repeat(500) + "Long";
        let (start, end) = filler.split_at(4_000);
        let answer = cloud.raw(&request_bytes(line, &[("Host", "localhost"), (&name, start), ("X", end)], None)).await;
        assert_eq!(answer.status(), status, "{length} bytes in two values");
        let line = format!("GET /health?{} HTTP/1.1", &filler[1..]);
        let answer = cloud.raw(&request_bytes(&line, &[("Host", "localhost")], None)).await;
        assert_eq!(answer.status(), status, "{length} bytes in the request line");
        if status == 431 {
            assert_too_large(&answer, "the request line");
        }
    }
}

/// The sender of a body gets to know as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431_for_every_caller() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let long = "x".repeat(LIMIT);
    let body = vec![b'x'; 524_288];
    for line in
        ["POST /devices/register", "GET /devices", "GET /nothing", &format!("POST /devices/{}/backup", device.uuid())]
    {
        let line = format!("{line} HTTP/1.1");
        let signed = cloud.sign(&device);
        let mut headers = signed.pairs().to_vec();
        headers.extend([("Host", "localhost"), ("X-Long", long.as_str())]);
        assert_too_large(&cloud.raw(&request_bytes(&line, &headers, Some(&body))).await, &line);
    }
    // Nothing was done, the nonce included.
    assert!(cloud.stored_backup(device.uuid()).await.is_none());
}
