//! No request that a client can send is answered 500.

use firefly_testkit::wire::request_bytes;
use firefly_testkit::{TestCloud, new_device, special_case};

use super::{DEVICE, Route, every_route};

/// Headers that no function reads, or that are odd where one does.
const HEADERS: [(&str, &[u8]); 25] = [
    ("X-Forwarded-Proto", b"https,https"),
    ("X-Forwarded-Proto", b"\xff"),
    ("X-Forwarded-For", b"not an address"),
    ("X-Forwarded-Host", b"["),
    ("X-Forwarded-Port", b"99999"),
    ("Forwarded", b"for=\"[::1\";host=\""),
    ("Content-Type", b"\xff\xfe"),
    ("Content-Type", b"application/json; charset=\"utf-8"),
    ("Content-Type", b""),
    ("Content-Encoding", b"gzip"),
    ("Accept", b"\xc3\x28"),
    ("Accept-Encoding", b"br;q=nonsense"),
    ("Cookie", b"=;;; a=b;"),
    ("Cookie", b"a=\xff"),
    ("User-Agent", b""),
    ("User-Agent", b"\xf0\x9f\x94\xa5"),
    ("If-Match", b"*"),
    ("If-None-Match", b"\xff"),
    ("ETag", b"\xff"),
    ("Range", b"bytes=-1"),
    ("Expect", b"nonsense"),
    ("X-Amzn-Trace-Id", b"Root=\xff"),
    ("X-Amz-Date", b"20330518T033320Z"),
    ("X-HTTP-Method-Override", b"DELETE"),
    ("Date", b"tomorrow"),
];
const QUERIES: [&str; 21] = [
    "?",
    "?&&",
    "?=",
    "?a",
    "?a=b=c",
    "?a=%",
    "?a=%zz",
    "?a=%00",
    "?a=%ff%fe",
    "?%ff=%ff",
    "?a=b&a=c",
    "?a[]=1",
    "?a=+",
    "?uuid=x",
    "?a=\u{e9}",
    "?a=\u{1f525}",
    "?a=%F0%9F%94%A5",
    "?a={}|^`'",
    "?a=%0d%0aX-Evil:%201",
    "??",
    "?a#b",
];

/// A request line and headers that carry a good token, good signature headers of an unknown device and a good key, so
/// that the odd part reaches the functions.
fn request(cloud: &TestCloud, Route { method, path, .. }: &Route, query: &str, odd: &[(&str, &[u8])]) -> Vec<u8> {
    let device = new_device();
    let path = path.replace(DEVICE, &device.uuid().to_string());
    let mut bytes = format!("{method} {path}{query} HTTP/1.1\r\nConnection: close\r\n").into_bytes();
    let signed = cloud.sign(&device);
    let bearer = format!("Bearer {}", cloud.token("anna", &["super_users"]));
    let mut headers: Vec<(&str, &[u8])> = signed.pairs().map(|(name, value)| (name, value.as_bytes())).into();
    headers.extend([("Authorization", bearer.as_bytes()), ("X-Registration-Key", b"ABC123"), ("Content-Length", b"2")]);
    for (name, value) in odd {
        headers.retain(|header| !header.0.eq_ignore_ascii_case(name));
        headers.push((name, value));
    }
    if !odd.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        headers.push(("Host", b"localhost"));
    }
    for (name, value) in headers {
        bytes.extend(name.as_bytes());
        bytes.extend(b": ");
        bytes.extend(value);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"\r\n{}");
    bytes
}

/// The answers that an unknown device, an unknown key and a super user get to a body `{}`. Another function may give any
/// answer that it says.
const USUAL: &[(&str, u16)] = &[
    ("func-api-health-get", 200),
    ("func-api-registration-keys-post", 201),
    ("func-api-registration-keys-get", 200),
    ("func-api-devices-register-post", 400),
    ("func-api-devices-registration-get", 404),
    ("func-api-devices-backup-post", 401),
    ("func-api-devices-backup-get", 401),
    ("func-api-devices-backup-delete", 401),
    ("func-api-devices-get", 200),
];

/// The status without anything odd.
async fn usual(cloud: &TestCloud, route: &Route) -> u16 {
    let (status, function) = (cloud.raw(&request(cloud, route, "", &[])).await.status(), route.function);
    assert!(function.statuses.contains(&status), "{route:?}: {status}");
    assert_eq!(special_case(USUAL, function.name).unwrap_or(status), status, "{route:?}");
    status
}

/// `lambda_http` would panic on most of these.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_host_or_query_is_400() {
    let cloud = TestCloud::start().await;
    for route in &every_route() {
        let expected = usual(&cloud, route).await;
        let bad: [&[u8]; 9] = [b"a:99999", b"[", b"a b", b"a:b", b"a\"", b"<a>", b"a/b", b"\xff", b"a:-1"];
        for host in bad {
            let answer = cloud.raw(&request(&cloud, route, "", &[("Host", host)])).await;
            assert_eq!(answer.status(), 400, "{route:?} with Host {}", String::from_utf8_lossy(host));
        }
        for host in [b"localhost".as_slice(), b"127.0.0.1:8080", b"[::1]:1", b"API.example.com:443"] {
            let answer = cloud.raw(&request(&cloud, route, "", &[("Host", host)])).await;
            assert_eq!(answer.status(), expected, "{route:?} with Host {}", String::from_utf8_lossy(host));
        }
        for query in ["?a=\"", "?a=<b>", "?a b", "?>", "?x=\u{7f}", "?a=\t"] {
            let answer = cloud.raw(&request(&cloud, route, query, &[])).await;
            assert_eq!(answer.status(), 400, "{route:?} with {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_headers_and_queries_change_no_answer() {
    let cloud = TestCloud::start().await;
    let long = vec![b'x'; 8_000];
    let long_query = format!("?a={}", "x".repeat(8_000));
    for route in &every_route() {
        let expected = usual(&cloud, route).await;
        for (name, value) in HEADERS.into_iter().chain([("X-Long", long.as_slice())]) {
            let answer = cloud.raw(&request(&cloud, route, "", &[(name, value)])).await;
            let case = format!("{route:?} with {name}: {}", String::from_utf8_lossy(value));
            assert_eq!(answer.status(), expected, "{case}");
        }
        for query in QUERIES.into_iter().chain([long_query.as_str()]) {
            let answer = cloud.raw(&request(&cloud, route, query, &[])).await;
            assert_eq!(answer.status(), expected, "{route:?} with {query}");
        }
    }
}

/// Here only the class of the status counts: some are the HTTP server's own answers.
#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_answered_and_never_with_500() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let long = "a".repeat(70_000);
    let huge_header = "a".repeat(500_000);
    let mut lines = Vec::new();
    for path in [
        "/%",
        "/%zz",
        "/%00",
        "/%ff",
        "/devices/%00/backup",
        "/devices/%ff%fe/registration",
        "/devices/%2e%2e/backup",
        "*",
        "/*",
        "/devices/\u{e9}/backup",
        "/devices/\u{1f525}/backup",
        "http://other.example/health",
        "/health;a=b",
        "/health#x",
        "/\\",
        &format!("/{long}"),
        &format!("/devices/{long}/backup"),
        &format!("/health?{long}"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            lines.push(format!("{method} {path} HTTP/1.1"));
        }
    }
    lines.extend(
        ["CONNECT localhost:443 HTTP/1.1", "GET /health HTTP/1.0", "OPTIONS * HTTP/1.1", "M\u{e9}TH /health HTTP/1.1"]
            .map(str::to_owned),
    );
    lines.push(format!("{} /health HTTP/1.1", "X".repeat(1_000)));
    for line in lines {
        let answer = cloud.raw(&request_bytes(&line, &[("Host", "localhost")], None)).await;
        assert!((200..500).contains(&answer.status()), "{} {}", &line[..line.len().min(80)], answer.status());
    }
    let signed = cloud.sign(&device);
    let line = format!("GET /devices/{}/registration HTTP/1.1", device.uuid());
    for (name, value) in [("X-Device-Nonce", huge_header.as_str()), ("X-Other", &huge_header)] {
        let mut headers = signed.pairs().to_vec();
        headers.extend([("Host", "localhost"), (name, value)]);
        let answer = cloud.raw(&request_bytes(&line, &headers, None)).await;
        assert!((400..500).contains(&answer.status()), "{name}: {}", answer.status());
    }
    // After all this the cloud is as well as ever.
    let answer = cloud.signed(&cloud.sign(&device), "GET", "registration", &[], None).await;
    assert_eq!(answer.status, 200);
}
