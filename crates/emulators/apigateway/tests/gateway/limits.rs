//! The gateway's limits: requests that it refuses, and those that it lets wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emulator_apigateway::{Api, Invoke, LambdaFunction, LambdaRoute, Throttle};
use emulator_kit::{Deadlines, Limits};
use futures::future::join_all;
use http::Method;
use reqwest::Response;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{api, client, echo, get, replies, route, start, start_with};

/// More than any wait of these tests.
const GENEROUS: Duration = Duration::from_secs(60);
/// Never reached in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// A route whose function answers, when it is released, with the number of invocations that ran together.
fn held() -> (LambdaRoute, Arc<AtomicUsize>, Arc<Semaphore>) {
    let running = Arc::new(AtomicUsize::new(0));
    let released = Arc::new(Semaphore::new(0));
    let (now_running, waiting) = (Arc::clone(&running), Arc::clone(&released));
    let invoke: Invoke = Arc::new(move |_invocation| {
        let (running, released) = (Arc::clone(&now_running), Arc::clone(&waiting));
        Box::pin(async move {
            let together = running.fetch_add(1, Ordering::SeqCst) + 1;
            released.acquire().await?.forget();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(json!({ "statusCode": 200, "body": together.to_string() }).to_string())
        })
    });
    let function = LambdaFunction { timeout: Duration::from_secs(60), ..route("GET /", invoke).function };
    (LambdaRoute { function, ..route("GET /", echo()) }, running, released)
}

/// The names of an answer's headers, sorted.
fn header_names(response: &Response) -> Vec<&str> {
    let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_request_beyond_the_throttle_is_429() {
    let called = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&called);
    let invoke: Invoke = Arc::new(move |_invocation| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(r#"{"statusCode":204}"#.to_owned()) })
    });
    let guarded = LambdaRoute { needs_token: true, ..route("POST /guarded", invoke.clone()) };
    // A token comes back after more than a quarter of an hour.
    let throttle = Some(Throttle { rate: 0.001, burst: 3 });
    let url = start(Api { throttle, ..api(vec![route("POST /", invoke), guarded]) }).await;
    let post = async |path: &str| {
        let request = client().post(format!("{url}{path}")).header("origin", "https://page.example");
        request.body(vec![b'x'; 600_000]).send().await.unwrap()
    };
    // A request without a route, or that is a preflight, takes no token.
    assert_eq!(post("/nothing").await.status(), 404);
    for status in [204, 204] {
        assert_eq!(post("/").await.status(), status);
    }
    // A token that the authorizer refuses has taken one of the bucket.
    assert_eq!(post("/guarded").await.status(), 401);
    for path in ["/", "/guarded"] {
        let refused = post(path).await;
        assert_eq!(refused.status(), 429, "{path}");
        assert_eq!(refused.headers()["content-type"], "application/json");
        assert_eq!(refused.headers()["access-control-allow-origin"], "https://page.example");
        let expected =
            ["access-control-allow-credentials", "access-control-allow-origin", "access-control-expose-headers"];
        let expected = [&expected[..], &["apigw-requestid", "content-length", "content-type", "date"]].concat();
        assert_eq!(header_names(&refused), expected);
        assert_eq!(refused.text().await.unwrap(), r#"{"message":"Too Many Requests"}"#);
    }
    assert_eq!(called.load(Ordering::SeqCst), 2);
    let preflight = client().request(Method::OPTIONS, &url).header("origin", "https://page.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(preflight.status(), 204);
}

#[tokio::test]
async fn a_throttle_lets_requests_through_again_at_its_rate() {
    let throttle = Some(Throttle { rate: 20.0, burst: 1 });
    let url = start(Api { throttle, ..api(vec![route("GET /", echo())]) }).await;
    let mut refused = 0;
    for served in 0..4 {
        while get(&url).await.status() != 200 {
            refused += 1;
            assert!(refused < 100_000, "only {served} of 4 were served");
        }
    }
}

#[tokio::test]
async fn a_request_beyond_the_executions_is_503() {
    let (route, running, released) = held();
    let url = start(Api { executions: Some(3), ..api(vec![route]) }).await;
    let mut under_way = JoinSet::new();
    for _ in 0..5 {
        let url = url.clone();
        under_way.spawn(async move { get(&url).await });
    }
    // Two run and a third waits for one of them; until one is released no other is answered.
    for _ in 0..2 {
        let refused = under_way.join_next().await.unwrap().unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["content-type"], "application/json");
        assert_eq!(header_names(&refused), ["apigw-requestid", "content-length", "content-type", "date"]);
        assert_eq!(refused.text().await.unwrap(), r#"{"message":"Service Unavailable"}"#);
    }
    assert!(running.load(Ordering::SeqCst) <= 2);
    released.add_permits(4);
    let served = under_way.join_all().await;
    assert!(served.len() == 3 && served.iter().all(|response| response.status() == 200), "{served:?}");
    assert_eq!(get(&url).await.status(), 200);
}

#[tokio::test]
async fn requests_beyond_the_concurrency_wait() {
    let (route, running, released) = held();
    let url = start(api(vec![route])).await;
    let answers = join_all((0..6).map(async |_| get(&url).await.text().await.unwrap().parse::<usize>().unwrap()));
    let release = async {
        while running.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        released.add_permits(6);
    };
    let (together, ()) = tokio::join!(answers, release);
    assert_eq!(together.iter().max(), Some(&2), "{together:?}");
}

/// Opens connections that send the beginning of a body of this length, and nothing more.
async fn stalled(url: &str, count: usize, length: usize) -> Vec<TcpStream> {
    let connect = async |_| {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; length / 2]).await.unwrap();
        stream
    };
    join_all((0..count).map(connect)).await
}

#[tokio::test]
async fn bodies_that_stall_lose_their_memory_to_others() {
    let patience = Duration::from_millis(300);
    let deadlines = Deadlines { head: NEVER, body: NEVER, idle: NEVER };
    let routes = vec![route("POST /", replies(r#"{"statusCode":204}"#.to_owned()))];
    let url = start_with(api(routes), Limits { deadlines, patience, ..Limits::default() }).await;
    let post = async |length: usize| {
        let request = client().post(&url).header("content-type", "text/plain").body(vec![b'x'; length]);
        timeout(GENEROUS, request.send()).await.unwrap().unwrap().status().as_u16()
    };
    // More than all memory, of long bodies and of short ones. The peer of a long one cannot send half of it at once.
    let long = tokio::spawn({
        let url = url.clone();
        async move { stalled(&url, 20, 9_900_000).await }
    });
    let short = stalled(&url, 80, 1_000_000).await;
    for length in [1_000, 1_000_000, 6_000_000, 0] {
        assert_eq!(post(length).await, 204, "{length} bytes");
    }
    let mut given_up = 0;
    for mut stream in short {
        let mut said = [0; 12];
        if timeout(patience, stream.read_exact(&mut said)).await.is_ok_and(|read| read.is_ok()) {
            assert_eq!(&said, b"HTTP/1.1 408");
            given_up += 1;
        }
    }
    assert!(given_up > 0);
    long.abort();
}

#[tokio::test]
async fn bodies_that_arrive_wait_for_memory_and_are_all_served() {
    let deadlines = Deadlines { head: NEVER, body: NEVER, idle: NEVER };
    let routes = vec![route("POST /", replies(r#"{"statusCode":204}"#.to_owned()))];
    let limits = Limits { deadlines, patience: NEVER, ..Limits::default() };
    let url = start_with(api(routes), limits).await;
    // More than the memory of long bodies, and than that of short ones.
    let lengths = [6_000_000; 13].into_iter().chain([900_000; 80]);
    let served = lengths.map(async |length: usize| {
        let request = client().post(&url).header("content-type", "text/plain").body(vec![b'x'; length]);
        timeout(GENEROUS, request.send()).await.unwrap().unwrap().status().as_u16()
    });
    assert!(join_all(served).await.iter().all(|status| *status == 204));
}

/// A character that is escaped takes six bytes of an event.
#[tokio::test]
async fn a_text_whose_escapes_make_the_event_too_large_is_413() {
    let url = start(api(vec![route("POST /", replies(r#"{"statusCode":204}"#.to_owned()))])).await;
    for (byte, fits, too_long) in
        [(b'\0', 1_040_000, 1_049_000), (b'"', 3_140_000, 3_146_000), (0xff, 4_710_000, 4_719_000)]
    {
        for (length, status) in [(fits, 204), (too_long, 413)] {
            let request = client().post(&url).header("content-type", "text/plain").body(vec![byte; length]);
            assert_eq!(request.send().await.unwrap().status(), status, "{length} times {byte}");
        }
    }
}
