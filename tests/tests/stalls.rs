//! Connections that stall cost the others nothing, and are given up at their deadlines.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::time::Duration;

use emulator_kit::Deadlines;
use firefly_testkit::TestCloud;
use firefly_testkit::faults::{Call, Fault, Faults};
use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// More than any deadline of these tests, less than any that they rule out.
const GENEROUS: Duration = Duration::from_secs(50);
/// Never reached in a test.
const NEVER: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(300);

/// Opens so many connections to the gateway that send this and nothing more.
async fn stalled(cloud: &TestCloud, count: usize, sent: &str) -> Vec<TcpStream> {
    let address = cloud.url().trim_start_matches("http://");
    let connect = async |_| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    };
    join_all((0..count).map(connect)).await
}

/// Waits until the gateway has closed each of them, and returns the bytes that it sent.
async fn said_at_the_end(streams: Vec<TcpStream>) -> Vec<String> {
    join_all(streams.into_iter().map(async |mut stream: TcpStream| {
        let mut said = Vec::new();
        // A connection with bytes that nobody read ends with a reset.
        let _ = timeout(GENEROUS, stream.read_to_end(&mut said)).await.unwrap();
        String::from_utf8(said).unwrap()
    }))
    .await
}

const HALF_A_BODY: &str = "POST /devices/register HTTP/1.1\r\nHost: x\r\nX-Registration-Key: A1B2C3\r\n\
                           Content-Length: 1000\r\n\r\n{\"uuid\":";

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_half_bodies_keep_nobody_waiting_and_are_given_up() {
    let deadlines = Deadlines { head: NEVER, body: Duration::from_secs(5), idle: NEVER };
    let cloud = TestCloud::with_deadlines(deadlines).await;
    let stalled = stalled(&cloud, 200, HALF_A_BODY).await;
    let began = Instant::now();
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
    let device = cloud.registered_device().await;
    assert_eq!(cloud.upload(&device, &device.seal(b"configuration", &[0; 12]).unwrap()).await.status, 200);
    assert!(began.elapsed() < deadlines.body, "the stalled connections were waited for");
    for said in said_at_the_end(stalled).await {
        assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{said}");
        assert!(said.ends_with(r#"{"message":"Request Timeout"}"#), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_given_up() {
    let cloud = TestCloud::with_deadlines(Deadlines { head: SHORT, body: NEVER, idle: NEVER }).await;
    let mut connections = Vec::new();
    for sent in ["G", "GET /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nHost: x\r\nX: "] {
        connections.extend(stalled(&cloud, 3, sent).await);
    }
    for said in said_at_the_end(connections).await {
        assert_eq!(said, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_after_an_answer_is_given_up() {
    let cloud = TestCloud::with_deadlines(Deadlines { head: SHORT, body: NEVER, idle: NEVER }).await;
    let mut connections = stalled(&cloud, 3, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for stream in &mut connections {
        // The answer's first byte: what comes next is another request.
        assert_eq!(timeout(GENEROUS, stream.read_u8()).await.unwrap().unwrap(), b'H');
        stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    }
    for said in said_at_the_end(connections).await {
        assert!(said.starts_with("TTP/1.1 200 OK\r\n") && said.matches("HTTP/1.1").count() == 0, "{said}");
    }
}

/// The half head has come together with the request before it.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_that_came_ahead_is_given_up() {
    let cloud = TestCloud::with_deadlines(Deadlines { head: SHORT, body: NEVER, idle: NEVER }).await;
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /devices/register HTTP/1.1\r\nHost: x\r\n";
    let mut connections = Vec::new();
    for (requests, statuses) in [
        (health.to_owned(), &["200"][..]),
        (format!("{health}{health}"), &["200", "200"]),
        (format!("{post}Content-Length: 4\r\n\r\n{{}}\r\n"), &["400"]),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"), &["400"]),
    ] {
        for half in ["G", "GET /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\nHost: x\r\nX: "] {
            let stream = stalled(&cloud, 1, &format!("{requests}{half}")).await.remove(0);
            connections.push((stream, statuses));
        }
    }
    let (streams, statuses): (Vec<_>, Vec<_>) = connections.into_iter().unzip();
    for (said, statuses) in said_at_the_end(streams).await.into_iter().zip(statuses) {
        let answers: Vec<_> = said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(answers, statuses, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_waits_after_a_whole_request_is_kept() {
    let cloud = TestCloud::with_deadlines(Deadlines { head: SHORT, body: NEVER, idle: NEVER }).await;
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST /devices/register HTTP/1.1\r\nHost: x\r\n";
    for request in [
        health.to_owned(),
        format!("{post}Content-Length: 2\r\n\r\n{{}}"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
    ] {
        let mut kept = stalled(&cloud, 1, &request).await.remove(0);
        assert_eq!(timeout(GENEROUS, kept.read_u8()).await.unwrap().unwrap(), b'H');
        // The deadline of a head passes meanwhile, twice.
        for _ in 0..2 {
            drop(said_at_the_end(stalled(&cloud, 1, "G").await).await);
        }
        kept.write_all(health.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let said = said_at_the_end(vec![kept]).await.remove(0);
        assert!(said.contains("HTTP/1.1 200 OK\r\n"), "{request}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_given_up() {
    let cloud = TestCloud::with_deadlines(Deadlines { head: NEVER, body: NEVER, idle: SHORT }).await;
    let mut connections = stalled(&cloud, 3, "").await;
    connections.extend(stalled(&cloud, 3, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await);
    let said = said_at_the_end(connections).await;
    assert!(said[..3].iter().all(String::is_empty), "{said:?}");
    assert!(said[3..].iter().all(|said| said.starts_with("HTTP/1.1 200 OK\r\n")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_read_is_given_up() {
    // Heads that have come ahead of their turn have the deadline of a head.
    let cloud = TestCloud::with_deadlines(Deadlines { head: SHORT, body: NEVER, idle: NEVER }).await;
    // Answers of many MB, asked for at once and not read: more than the buffers of both ends hold.
    let request = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    let mut stream = stalled(&cloud, 1, "").await.remove(0);
    let given_up = async {
        loop {
            if stream.write_all(request.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    timeout(GENEROUS, given_up).await.expect("the connection is given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_function_is_waited_for() {
    let deadlines = Deadlines { head: SHORT, body: SHORT, idle: SHORT };
    let cloud = TestCloud::with_deadlines(deadlines).await;
    // Held back by a fault, the function answers after the deadlines of the connection have passed.
    let (slow, faults) = Faults::over(&cloud).await;
    faults.every(Call::ScanDevices, Fault::Hold(Box::new(Fault::Pass)));
    let listed = async { slow.as_user("root", &["super_users"], "GET", "/devices").await };
    let release = async {
        faults.arrived(Call::ScanDevices, 1).await;
        let idle = stalled(&slow, 1, "").await;
        drop(said_at_the_end(idle).await);
        faults.release();
    };
    let (answer, ()) = tokio::join!(listed, release);
    assert_eq!(answer.status, 200);
}
