//! Only a caller with this run's credentials may speak to the engines, and a browser never may.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use firefly_testkit::TestCloud;
use firefly_testkit::stored::{DEVICES, item, text};
use firefly_testkit::wire::{RawAnswer, exchange};

/// A request to one engine that does something there.
#[derive(Clone, Copy)]
struct Request {
    engine: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// The status of the answer to a caller.
    status: u16,
    /// The status and a part of the answer to a caller without credentials.
    stranger: (u16, &'static str),
}

/// One of each engine: a device's row is swapped, a session begun, a backup replaced.
const REQUESTS: [Request; 3] = [
    Request {
        engine: "dynamodb",
        method: "POST",
        path: "/",
        headers: &[("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.PutItem")],
        body: r#"{"TableName":"firefly-devices","Item":{"uuid":{"S":"swapped"}}}"#,
        status: 200,
        stranger: (400, "UnrecognizedClientException"),
    },
    Request {
        engine: "appconfig",
        method: "POST",
        path: "/configurationsessions",
        headers: &[("content-type", "application/json")],
        body: r#"{"ApplicationIdentifier":"a","EnvironmentIdentifier":"local","ConfigurationProfileIdentifier":"logging"}"#,
        status: 201,
        stranger: (403, "The security token included in the request is invalid."),
    },
    Request {
        engine: "s3",
        method: "PUT",
        path: "/BUCKET/swapped",
        headers: &[],
        body: "another backup",
        status: 200,
        stranger: (403, "InvalidAccessKeyId"),
    },
];

/// The three engines of a cloud, and the credentials of their developer.
struct Engines {
    cloud: TestCloud,
    environment: BTreeMap<String, String>,
}

/// A request on its way: a change after its signature is made here.
struct Outgoing {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
    address: String,
}

impl Outgoing {
    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
    }

    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).unwrap().1
    }

    async fn send(&self) -> RawAnswer {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        exchange(&self.address, &firefly_testkit::wire::request_bytes(&self.line, &headers, Some(self.body.as_bytes())))
            .await
    }
}

impl Engines {
    async fn start() -> Self {
        let cloud = TestCloud::start().await;
        let environment = cloud.environment_as("firefly-local");
        Self { cloud, environment }
    }

    fn endpoint(&self, engine: &str) -> &str {
        let (dynamodb, s3) = self.cloud.endpoints();
        match engine {
            "dynamodb" => dynamodb,
            "s3" => s3,
            _ => self.cloud.appconfigdata_endpoint(),
        }
    }

    /// The request as the developer signs it, with this `Host`.
    fn signed(&self, request: Request, host: &str) -> Outgoing {
        self.signed_as(request, host, |name| self.environment[name].clone())
    }

    fn signed_as(&self, request: Request, host: &str, variable: impl Fn(&str) -> String) -> Outgoing {
        let path = request.path.replace("BUCKET", self.cloud.bucket());
        let token = Some(variable("AWS_SESSION_TOKEN"));
        let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
        let identity = Credentials::new(id, secret, token, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(request.engine)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url = format!("http://{host}{path}");
        let headers = request.headers.iter().copied();
        let body = SignableBody::Bytes(request.body.as_bytes());
        let signable = SignableRequest::new(request.method, &url, headers.clone(), body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut headers: Vec<_> = headers.map(owned).collect();
        headers.extend(instructions.headers().map(owned));
        headers.push(("Host".to_owned(), host.to_owned()));
        Outgoing {
            line: format!("{} {path} HTTP/1.1", request.method),
            headers,
            body: request.body.to_owned(),
            address: self.endpoint(request.engine).trim_start_matches("http://").to_owned(),
        }
    }

    fn host(&self, request: Request) -> String {
        self.endpoint(request.engine).trim_start_matches("http://").to_owned()
    }

    /// Returns `true` if all that [`REQUESTS`] would write is absent.
    async fn are_untouched(&self) -> bool {
        let swapped = self.cloud.item(DEVICES, "uuid", "swapped").await;
        let s3 = self.cloud.s3();
        let object = s3.head_object().bucket(self.cloud.bucket()).key("swapped").send().await;
        swapped.is_none() && object.is_err()
    }
}

/// Asserts that an answer says nothing: 403, no body, and no header with which a page could read it.
fn assert_silent(answer: &RawAnswer, case: &str) {
    assert_eq!((answer.status(), answer.body.as_slice()), (403, &b""[..]), "{case}");
    let headers: Vec<_> = answer.head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    for (name, _) in headers {
        assert!(["connection", "content-length", "date"].contains(&name), "{case}: {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_answered_by_every_loopback_name() {
    for request in REQUESTS {
        for host in ["127.0.0.1", "localhost", "LocalHost:1", "127.255.0.9:65535", "[::1]:8080", "[::1]"] {
            let engines = Engines::start().await;
            let answer = engines.signed(request, host).send().await;
            assert_eq!(answer.status(), request.status, "{} {host}: {answer:?}", request.engine);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_or_another_host_is_403_without_a_body() {
    let engines = Engines::start().await;
    for request in REQUESTS {
        let host = engines.host(request);
        // The headers that a page in a browser adds to a request, even to one that somebody had signed for it.
        for (name, value) in [
            ("Origin", "http://127.0.0.1:8000"),
            ("Origin", "null"),
            ("Origin", &format!("http://{host}")),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "none"),
        ] {
            let mut outgoing = engines.signed(request, &host);
            outgoing.set(name, value);
            assert_silent(&outgoing.send().await, &format!("{} {name}: {value}", request.engine));
        }
        // Host names that are made to resolve to the loopback interface, and texts that look like one of its names.
        for host in [
            "attacker.example",
            "attacker.example:80",
            "localhost.attacker.example",
            "127.0.0.1.nip.io",
            "127.0.0.1@attacker.example",
            "128.0.0.1",
            "0.0.0.0",
            "[::2]",
            "",
        ] {
            let mut outgoing = engines.signed(request, "127.0.0.1");
            outgoing.set("Host", host);
            assert_silent(&outgoing.send().await, &format!("{} Host: {host}", request.engine));
        }
        let mut outgoing = engines.signed(request, &host);
        outgoing.headers.push(("Host".to_owned(), host.clone()));
        assert_silent(&outgoing.send().await, "two hosts");
        let mut outgoing = engines.signed(request, &host);
        outgoing.remove("Host");
        assert_silent(&outgoing.send().await, "no host");
        let mut outgoing = engines.signed(request, &host);
        outgoing.line = outgoing.line.replace(" /", " http://attacker.example/");
        assert_silent(&outgoing.send().await, "a target that is a URL");
        for method in ["OPTIONS", "TRACE", "PROPFIND"] {
            let mut outgoing = engines.signed(Request { method, ..request }, &host);
            outgoing.set("Access-Control-Request-Method", request.method);
            assert_silent(&outgoing.send().await, &format!("{} {method}", request.engine));
        }
    }
    // DynamoDB has one method.
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let request = Request { method, ..REQUESTS[0] };
        assert_silent(&engines.signed(request, &engines.host(request)).send().await, method);
    }
    assert!(engines.are_untouched().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_and_learns_nothing() {
    let engines = Engines::start().await;
    engines.cloud.put_item(DEVICES, item([("uuid", text("a-device"))])).await;
    let other = TestCloud::start().await.environment_as("firefly-local");
    for request in REQUESTS {
        let host = engines.host(request);
        let own = |name: &str| engines.environment[name].clone();
        let with = |changed: &'static str, value: String| {
            engines.signed_as(request, &host, move |name| if name == changed { value.clone() } else { own(name) })
        };
        let token = own("AWS_SESSION_TOKEN");
        let mut cases = vec![
            ("the credentials of another run", engines.signed_as(request, &host, |name| other[name].clone())),
            ("the token of another run", with("AWS_SESSION_TOKEN", other["AWS_SESSION_TOKEN"].clone())),
            ("the token cut short", with("AWS_SESSION_TOKEN", token[..63].to_owned())),
            ("the token and more", with("AWS_SESSION_TOKEN", format!("{token}0"))),
            ("an unknown access key id", with("AWS_ACCESS_KEY_ID", "nobody".to_owned())),
        ];
        let mut no_token = engines.signed(request, &host);
        no_token.remove("x-amz-security-token");
        let mut no_authorization = engines.signed(request, &host);
        no_authorization.remove("authorization");
        let mut malformed = engines.signed(request, &host);
        malformed.set("authorization", "AWS4-HMAC-SHA256 Credential");
        cases.extend([("no token", no_token), ("no signature", no_authorization), ("a malformed one", malformed)]);
        let mut bodies = Vec::new();
        for (case, outgoing) in cases {
            let answer = outgoing.send().await;
            let body = String::from_utf8(answer.body.clone()).unwrap();
            let (status, part) = request.stranger;
            assert!(answer.status() == status && body.contains(part), "{} {case}: {answer:?}", request.engine);
            assert!(answer.header("access-control-allow-origin").is_empty());
            bodies.push(body);
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "the answers of {} tell strangers apart: {bodies:?}", request.engine);
    }
    assert!(engines.are_untouched().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_does_not_hold_is_refused() {
    let engines = Engines::start().await;
    for request in REQUESTS {
        let host = engines.host(request);
        let own = |name: &str| engines.environment[name].clone();
        let wrong_secret = engines.signed_as(request, &host, |name| match name {
            "AWS_SECRET_ACCESS_KEY" => "a guess".to_owned(),
            name => own(name),
        });
        let mut other_body = engines.signed(request, &host);
        other_body.body = other_body.body.replace('a', "b");
        let mut other_date = engines.signed(request, &host);
        other_date.set("x-amz-date", "20260101T000000Z");
        let mut other_signature = engines.signed(request, &host);
        let authorization = other_signature.header("authorization").to_owned();
        let (start, _) = authorization.rsplit_once('=').unwrap();
        other_signature.set("authorization", &format!("{start}={}", "0".repeat(64)));
        for outgoing in [wrong_secret, other_body, other_date, other_signature] {
            let answer = outgoing.send().await;
            assert!((400..500).contains(&answer.status()), "{}: {answer:?}", request.engine);
        }
    }
    assert!(engines.are_untouched().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_with_the_credentials_is_its_owners_alone() {
    // No mask of this process makes it so.
    let cloud = TestCloud::start().await;
    let token = cloud.environment_as("firefly-local")["AWS_SESSION_TOKEN"].clone();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-signing-key")).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let mine = paths.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&token)));
    let modes: Vec<_> = mine.map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_dynamodb_has_its_checksum_and_request_id() {
    let engines = Engines::start().await;
    let request = REQUESTS[0];
    let host = engines.host(request);
    let refused = Request { body: r#"{"TableName":"no-such-table","Item":{"uuid":{"S":"x"}}}"#, ..request };
    let malformed = Request { body: "{", ..request };
    let mistyped = Request { body: r#"{"TableName":{}}"#, ..request };
    let empty = Request { body: r#"{"TableName":"firefly-devices","Item":{"uuid":{}}}"#, ..request };
    let absent = Request { body: r#"{"TableName":"firefly-devices","Item":null}"#, ..request };
    let unknown = Request {
        headers: &[("content-type", "application/x-amz-json-1.0"), ("x-amz-target", "DynamoDB_20120810.Nothing")],
        ..request
    };
    for (request, kind) in [
        (request, ""),
        (refused, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"),
        (malformed, "com.amazon.coral.service#SerializationException"),
        (mistyped, "com.amazon.coral.service#SerializationException"),
        (empty, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (absent, "com.amazon.coral.validate#ValidationException"),
        (unknown, "com.amazon.coral.service#UnknownOperationException"),
    ] {
        let answer = engines.signed(request, &host).send().await;
        assert_eq!(answer.status(), if kind.is_empty() { 200 } else { 400 }, "{answer:?}");
        assert!(String::from_utf8_lossy(&answer.body).contains(kind), "{kind}: {answer:?}");
        assert_eq!(answer.header("x-amz-crc32"), [crc32(&answer.body).to_string()]);
        assert_eq!(answer.header("x-amzn-requestid")[0].len(), 52);
        assert_eq!(answer.header("content-type"), ["application/x-amz-json-1.0"]);
    }
}

/// CRC-32 (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
