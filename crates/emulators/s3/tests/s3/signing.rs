//! The headers that a signature covers, and the life of presigned URLs.

use tempfile::TempDir;

use crate::server::{BUCKET, Emulator, RawBody, body_of, files_in, get, http_client, put};

async fn send(method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = http_client().request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn assert_not_signed((status, answer): &(u16, String), names: &str) {
    let expected = format!(
        "<Code>AccessDenied</Code><Message>There were headers present in the request which were not signed</Message>\
         <HeadersNotSigned>{names}</HeadersNotSigned>"
    );
    assert!(*status == 403 && answer.contains(&expected), "{names}: {status} {answer}");
}

#[tokio::test]
async fn a_header_that_has_to_be_signed_and_is_not_is_403() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let path = format!("/{BUCKET}/key");
    let headers = [("content-md5", "nhqW2CfgCGJlu3Ky8mGMcQ=="), ("x-amz-meta-a", "1"), ("x-amz-&", "2")];
    for (unsigned, names) in [
        (&["host"][..], "host"),
        (&["x-amz-date"], "x-amz-date"),
        (&["content-md5"], "content-md5"),
        (&["x-amz-meta-a"], "x-amz-meta-a"),
        (&["x-amz-&"], "x-amz-&amp;"),
    ] {
        let answer = server.send_unsigned("PUT", &path, &headers, unsigned, RawBody::Signed(b"x")).await;
        assert_not_signed(&answer, names);
    }
    let answer = server.send_unsigned("GET", &path, &[], &["host", "x-amz-date"], RawBody::Signed(b"")).await;
    assert!(answer.0 == 403 && answer.1.contains("<HeadersNotSigned>"), "{answer:?}");
    assert!(files_in(&dir.path().join("buckets")).is_empty());
}

#[tokio::test]
async fn other_headers_may_be_unsigned() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let headers = [("content-type", "text/a"), ("cache-control", "no-store"), ("x-amzn-trace-id", "Root=1")];
    let unsigned = ["content-type", "cache-control", "x-amzn-trace-id", "x-amz-content-sha256"];
    let path = format!("/{BUCKET}/key");
    let answer = server.send_unsigned("PUT", &path, &headers, &unsigned, RawBody::Signed(b"x")).await;
    assert_eq!(answer, (200, String::new()));
    let found = get(&server.client("all"), "key").await;
    assert_eq!(found.content_type(), Some("text/a"));
    assert_eq!(body_of(found).await, b"x");
}

#[tokio::test]
async fn a_presigned_url_takes_no_headers_but_those_it_names() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let path = format!("/{BUCKET}/key");
    let bare = server.presigned("PUT", &path, &[], 60);
    assert_not_signed(&send("PUT", &bare, &[("x-amz-meta-a", "1")]).await, "x-amz-meta-a");
    // Nor does it help to name the header beside the URL, whose parameters may have encoded names.
    let forged = "AWS4-HMAC-SHA256 Credential=all/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-meta-a, \
                  Signature=0";
    for url in [&bare, &bare.replace("X-Amz-Signature=", "X%2DAmz-Signature=")] {
        let (status, answer) = send("PUT", url, &[("x-amz-meta-a", "1"), ("authorization", forged)]).await;
        assert!(status == 400 && answer.contains("<Code>InvalidArgument</Code>"), "{status} {answer}");
        assert!(answer.contains("Only one auth mechanism allowed"), "{answer}");
    }
    assert!(files_in(&dir.path().join("buckets")).is_empty());

    assert_eq!(send("PUT", &bare, &[("content-type", "text/a")]).await, (200, String::new()));
    let named = server.presigned("PUT", &path, &[("x-amz-meta-a", "1")], 60);
    assert_eq!(send("PUT", &named, &[("x-amz-meta-a", "1")]).await, (200, String::new()));
    assert_eq!(get(&server.client("all"), "key").await.metadata().unwrap()["a"], "1");
    let changed = send("PUT", &named, &[("x-amz-meta-a", "2")]).await;
    assert!(changed.0 == 403 && changed.1.contains("<Code>SignatureDoesNotMatch</Code>"), "{changed:?}");
}

#[tokio::test]
async fn a_presigned_url_holds_for_at_most_a_week() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    put(&server.client("all"), "key", "x").send().await.unwrap();
    let path = format!("/{BUCKET}/key");
    assert_eq!(send("GET", &server.presigned("GET", &path, &[], 604_800), &[]).await, (200, "x".to_owned()));
    let week = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                604800 seconds";
    let too_long = server.presigned("GET", &path, &[], 604_801);
    let edited = |expires: &str| too_long.replace("X-Amz-Expires=604801", &format!("X-Amz-Expires={expires}"));
    for (url, message) in [
        (too_long.clone(), week),
        (too_long.replace("X-Amz-Expires", "X%2DAmz-Expires"), week),
        (edited("4294967296"), week),
        (edited("-1"), "X-Amz-Expires must be non-negative"),
        (edited(""), "X-Amz-Expires should be a number"),
        (edited("1h"), "X-Amz-Expires should be a number"),
    ] {
        let (status, answer) = send("GET", &url, &[]).await;
        let expected = format!("<Code>AuthorizationQueryParametersError</Code><Message>{message}</Message>");
        assert!(status == 400 && answer.contains(&expected), "{message}: {status} {answer}");
    }
}
