//! The gateway over HTTP, in front of functions that each do one thing.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emulator_apigateway::{Api, Authorizer, Cors, Invocation, Invoke, KeySet, LambdaFunction, LambdaRoute, serve};
use emulator_kit::{Limits, Listener};
use http::Method;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// The time of the API's clock: 2027-01-15T08:00:00Z.
const NOW: u64 = 1_800_000_000;

/// A function that answers with its event.
fn echo() -> Invoke {
    Arc::new(|invocation| {
        Box::pin(async move { Ok(json!({ "statusCode": 200, "body": invocation.event }).to_string()) })
    })
}

/// A function that answers with this text.
fn replies(reply: String) -> Invoke {
    Arc::new(move |_invocation| {
        let reply = reply.clone();
        Box::pin(async move { Ok(reply) })
    })
}

fn route(key: &str, invoke: Invoke) -> LambdaRoute {
    let (method, path) = key.split_once(' ').unwrap();
    let function =
        LambdaFunction { name: "the-function".to_owned(), memory_mb: 128, timeout: Duration::from_millis(300), invoke };
    LambdaRoute { method: method.parse().unwrap(), path: path.to_owned(), needs_token: false, function }
}

/// An authorizer that accepts no token: nobody has the private key.
fn authorizer() -> Authorizer {
    let n = "A".repeat(342);
    let keys = json!({ "keys": [{ "kty": "RSA", "kid": "key", "n": n, "e": "AQAB" }] });
    Authorizer::for_key_set("issuer", "audience", KeySet::parse("the test's keys", &keys).unwrap())
}

fn api(routes: Vec<LambdaRoute>) -> Api {
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let cors = Cors {
        allow_origins: text(&["https://page.example"]),
        allow_methods: text(&["GET", "POST"]),
        allow_headers: text(&["authorization"]),
        expose_headers: text(&["etag"]),
        max_age_seconds: 600,
        allow_credentials: true,
    };
    let clock = Arc::new(|| NOW);
    Api { routes, authorizer: authorizer(), cors, clock, concurrency: 2, throttle: None, executions: None }
}

/// Serves an API and returns its URL.
async fn start(api: Api) -> String {
    start_with(api, Limits::default()).await
}

async fn start_with(api: Api, limits: Limits) -> String {
    let listener = Listener::loopback(limits).await.unwrap();
    let url = listener.url();
    tokio::spawn(serve(listener, api, std::future::pending()));
    url
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

async fn get(url: &str) -> Response {
    client().get(url).send().await.unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_reaches_its_function_as_an_event() {
    let url = start(api(vec![route("POST /things/{id}/parts/{part}", echo())])).await;
    let request = client().post(format!("{url}/things/a%20b/parts/2?q=1&q=2&empty=")).body("text");
    let request = request.header("content-type", "text/plain").header("cookie", "a=1; b=2").header("x-own", "own");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let id = response.headers()["apigw-requestid"].to_str().unwrap().to_owned();
    let event = json_of(response).await;
    for (pointer, expected) in [
        ("/version", json!("2.0")),
        ("/routeKey", json!("POST /things/{id}/parts/{part}")),
        ("/rawPath", json!("/things/a b/parts/2")),
        ("/rawQueryString", json!("q=1&q=2&empty=")),
        ("/queryStringParameters", json!({ "q": "1,2", "empty": "" })),
        ("/pathParameters", json!({ "id": "a b", "part": "2" })),
        ("/cookies", json!(["a=1", "b=2"])),
        ("/headers/x-own", json!("own")),
        ("/headers/x-forwarded-for", json!("127.0.0.1")),
        ("/body", json!("text")),
        ("/isBase64Encoded", json!(false)),
        ("/requestContext/http/method", json!("POST")),
        ("/requestContext/requestId", json!(id)),
        ("/requestContext/time", json!("15/Jan/2027:08:00:00 +0000")),
        ("/requestContext/timeEpoch", json!(NOW * 1_000)),
    ] {
        assert_eq!(event.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(event["headers"].get("cookie"), None);
    assert_eq!(event["requestContext"].get("authorizer"), None);
}

#[tokio::test]
async fn an_invocation_has_the_request_id_the_clock_and_the_timeout() {
    let invoke: Invoke = Arc::new(|invocation: Invocation| {
        let Invocation { request_id, now, time_left, .. } = invocation;
        let body = json!([request_id, now, u64::try_from(time_left.as_millis()).unwrap()]).to_string();
        Box::pin(async move { Ok(json!({ "statusCode": 200, "body": body }).to_string()) })
    });
    let response = get(&start(api(vec![route("GET /", invoke)])).await).await;
    let id = response.headers()["apigw-requestid"].to_str().unwrap().to_owned();
    assert_eq!(json_of(response).await, json!([id, NOW, 300]));
}

#[tokio::test]
async fn another_method_or_path_is_404() {
    let url = start(api(vec![route("GET /things/{id}", echo())])).await;
    for (method, path) in [
        ("POST", "/things/1"),
        ("HEAD", "/things/1"),
        ("get", "/things/1"),
        ("GET", "/"),
        ("GET", "/things"),
        ("GET", "/things/"),
        ("GET", "/things/1/"),
        ("GET", "//things/1"),
        ("GET", "/Things/1"),
        ("GET", "/%74hings/1"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = client().request(method.clone(), format!("{url}{path}")).send().await.unwrap();
        assert_eq!(response.status(), 404, "{method} {path}");
        let text = response.text().await.unwrap();
        assert!(method == Method::HEAD || text == r#"{"message":"Not Found"}"#, "{method} {path}: {text}");
    }
    assert_eq!(get(&format!("{url}/things/1%2F2")).await.status(), 200);
}

#[tokio::test]
async fn a_route_that_needs_a_token_is_401_without_one() {
    let called = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&called);
    let invoke: Invoke = Arc::new(move |_invocation| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(r#"{"statusCode":200}"#.to_owned()) })
    });
    let guarded = LambdaRoute { needs_token: true, ..route("GET /guarded", invoke) };
    let url = start(api(vec![guarded, route("GET /open", echo())])).await;
    for token in [None, Some("Bearer"), Some("Bearer garbage"), Some("garbage")] {
        let request = |path: &str| {
            let request = client().get(format!("{url}{path}"));
            token.into_iter().fold(request, |request, token| request.header("authorization", token))
        };
        let refused = request("/guarded").send().await.unwrap();
        assert_eq!(refused.status(), 401, "{token:?}");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        assert_eq!(refused.text().await.unwrap(), r#"{"message":"Unauthorized"}"#);
        assert_eq!(request("/open").send().await.unwrap().status(), 200, "{token:?}");
    }
    assert_eq!(called.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_allowed_origin_on_every_path() {
    let url = start(api(Vec::new())).await;
    for (origin, allowed) in [("https://page.example", true), ("https://other.example", false)] {
        let request = client().request(Method::OPTIONS, format!("{url}/any")).header("origin", origin);
        let response = request.header("access-control-request-method", "GET").send().await.unwrap();
        assert_eq!(response.status(), 204);
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        let if_allowed = |value| allowed.then_some(value);
        assert_eq!(header("access-control-allow-origin"), if_allowed(origin));
        assert_eq!(header("access-control-allow-methods"), if_allowed("GET,POST"));
        assert_eq!(header("access-control-allow-headers"), if_allowed("authorization"));
        assert_eq!(header("access-control-max-age"), if_allowed("600"));
        assert_eq!(header("access-control-allow-credentials"), if_allowed("true"));
    }
}

#[tokio::test]
async fn the_cors_headers_of_a_function_are_replaced() {
    let reply = json!({ "statusCode": 200, "headers": { "access-control-allow-origin": "the function's" } });
    let url = start(api(vec![route("GET /", replies(reply.to_string()))])).await;
    let with_origin = |origin: &'static str| client().get(&url).header("origin", origin).send();
    let allowed = with_origin("https://page.example").await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://page.example");
    assert_eq!(allowed.headers()["access-control-expose-headers"], "etag");
    let other = with_origin("https://other.example").await.unwrap();
    assert_eq!((other.status().as_u16(), other.headers().get("access-control-allow-origin")), (200, None));
    assert_eq!(get(&url).await.headers().get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_reply_becomes_the_answer() {
    let reply = json!({
        "statusCode": 201,
        "headers": { "etag": "\"1\"", "content-type": "application/octet-stream" },
        "cookies": ["a=1", "b=2"],
        "body": "AAH/",
        "isBase64Encoded": true,
    });
    let bare = json!({ "statusCode": 200, "body": "text" });
    let routes = vec![route("GET /whole", replies(reply.to_string())), route("GET /bare", replies(bare.to_string()))];
    let url = start(api(routes)).await;
    let whole = get(&format!("{url}/whole")).await;
    assert_eq!((whole.status().as_u16(), &whole.headers()["etag"]), (201, &"\"1\"".parse().unwrap()));
    let cookies: Vec<_> = whole.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(whole.bytes().await.unwrap(), b"\x00\x01\xff".as_slice());
    let bare = get(&format!("{url}/bare")).await;
    assert_eq!(bare.headers()["content-type"], "text/plain;charset=UTF-8");
}

#[tokio::test]
async fn every_failure_of_a_function_is_500() {
    let failing: Invoke = Arc::new(|_invocation| Box::pin(async { Err("it fails".into()) }));
    let panicking: Invoke = Arc::new(|_invocation| Box::pin(async { panic!("it panics") }));
    let hanging: Invoke = Arc::new(|_invocation| Box::pin(std::future::pending()));
    let malformed = [
        "",
        "{}",
        "[]",
        r#"{"statusCode":"200"}"#,
        r#"{"statusCode":99}"#,
        r#"{"statusCode":200,"body":1}"#,
        r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#,
        r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
        r#"{"statusCode":200,"headers":{"a":"\n"}}"#,
        r#"{"statusCode":200,"cookies":["\n"]}"#,
    ];
    let malformed = malformed.map(|reply| (reply, replies(reply.to_owned())));
    let functions = [("fails", failing), ("panics", panicking), ("hangs", hanging)].into_iter().chain(malformed);
    for (case, invoke) in functions {
        let url = start(api(vec![route("GET /", invoke), route("GET /after", echo())])).await;
        let response = get(&url).await;
        assert_eq!(response.status(), 500, "{case}");
        assert_eq!(response.text().await.unwrap(), r#"{"message":"Internal Server Error"}"#, "{case}");
        assert_eq!(get(&format!("{url}/after")).await.status(), 200, "{case}");
    }
}

#[tokio::test]
async fn a_reply_may_have_what_lambda_takes_and_no_more() {
    for (length, status) in [(6_291_556, 200), (6_291_557, 500)] {
        let (start_of, end_of) = (r#"{"statusCode":200,"body":""#, r#""}"#);
        let reply = format!("{start_of}{}{end_of}", "x".repeat(length - start_of.len() - end_of.len()));
        assert_eq!(reply.len(), length);
        let response = get(&start(api(vec![route("GET /", replies(reply))])).await).await;
        assert_eq!(response.status(), status, "{length} bytes");
        let body = response.text().await.unwrap();
        assert_eq!(body == r#"{"message":"Internal Server Error"}"#, status == 500);
    }
}

#[tokio::test]
async fn a_body_or_an_event_that_is_too_large_is_413() {
    let url = start(api(vec![route("POST /", replies(r#"{"statusCode":204}"#.to_owned()))])).await;
    let post = async |length: usize| {
        let request = client().post(&url).body(vec![b'x'; length]);
        request.header("content-type", "text/plain").send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(6_290_000).await, 204);
    assert_eq!(post(6_291_556).await, 413);
    assert_eq!(post(10 * 1_024 * 1_024).await, 413);
    assert_eq!(post(10 * 1_024 * 1_024 + 1).await, 413);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_end_its_function() {
    let finished = Arc::new(Semaphore::new(0));
    let done = Arc::clone(&finished);
    let started = Arc::new(Semaphore::new(0));
    let begun = Arc::clone(&started);
    let invoke: Invoke = Arc::new(move |_invocation| {
        let (done, begun) = (Arc::clone(&done), Arc::clone(&begun));
        Box::pin(async move {
            begun.add_permits(1);
            tokio::time::sleep(Duration::from_millis(100)).await;
            done.add_permits(1);
            Ok(r#"{"statusCode":200}"#.to_owned())
        })
    });
    let url = start(api(vec![route("GET /", invoke)])).await;
    let asked = tokio::spawn(async move { get(&url).await });
    started.acquire().await.unwrap().forget();
    asked.abort();
    tokio::time::timeout(Duration::from_secs(60), finished.acquire()).await.unwrap().unwrap().forget();
}
