//! A proxy answers, forwards, cuts and drops as its closure says.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use emulator_kit::proxy::{End, Proxy, cut, dropped, dropped_after};
use emulator_kit::{Limits, Listener};
use http::Request;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer of these tests takes.
const GENEROUS: Duration = Duration::from_secs(60);
const REQUEST: &str =
    "POST /path?query HTTP/1.1\r\nHost: the-host\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";

/// An emulator that answers each request with its own `Host` and body, and counts the requests.
async fn emulator() -> (String, Arc<AtomicUsize>) {
    let listener = Listener::loopback(Limits::default()).await.unwrap();
    let url = listener.url();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = move |_peer, request: Request<Body>| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Body::from([host.as_bytes(), b" ", &body].concat()))
        }
    };
    tokio::spawn(listener.serve("the emulator", answer, std::future::pending()));
    (url, count)
}

/// Sends [`REQUEST`] to a URL.
async fn send(url: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    stream
}

/// All that comes in answer to [`REQUEST`] until the connection ends.
async fn said(url: &str) -> String {
    let mut stream = send(url).await;
    let mut said = Vec::new();
    // A connection that is reset has said what it has said.
    let _ = timeout(GENEROUS, stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_forwarded_request_arrives_as_it_came() {
    let (emulator, count) = emulator().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let url = Proxy::listen(&emulator, move |proxy, request| {
        noted.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        async move { proxy.forward(request).await }
    });
    let answer = said(&url.await.unwrap()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nthe-host body"), "{answer}");
    assert_eq!((count.load(Ordering::SeqCst), seen.lock().unwrap().join(", ")), (1, "POST /path?query".to_owned()));
}

#[tokio::test]
async fn an_answer_of_the_proxy_does_not_reach_the_emulator() {
    let (emulator, count) = emulator().await;
    let answer = |_proxy, request: Request<Bytes>| async move {
        assert_eq!(request.body(), "body");
        Ok(Response::builder().status(418).body(Body::from("the proxy's")).unwrap())
    };
    let answer = said(&Proxy::listen(&emulator, answer).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/1.1 418 ") && answer.ends_with("the proxy's"), "{answer}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_dropped_call_ends_the_connection_before_or_after_the_work() {
    let (emulator, count) = emulator().await;
    let before = Proxy::listen(&emulator, |_proxy, _request| async { dropped() }).await.unwrap();
    assert_eq!(said(&before).await, "");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let answer = |proxy: Proxy, request| async move { dropped_after(proxy.forward(request).await?).await };
    let after = Proxy::listen(&emulator, answer).await.unwrap();
    assert_eq!(said(&after).await, "");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cut_answer_ends_after_its_head_and_so_many_bytes() {
    let (emulator, _) = emulator().await;
    for (length, rest) in [(0, ""), (5, "the-h"), (100, "the-host body")] {
        let answer =
            move |proxy: Proxy, request| async move { cut(proxy.forward(request).await?, length, End::Reset).await };
        let said = said(&Proxy::listen(&emulator, answer).await.unwrap()).await;
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-length: 13"), "{said}");
        assert_eq!(body, rest);
    }
}

#[tokio::test]
async fn a_stalled_answer_stays_open() {
    let (emulator, _) = emulator().await;
    let answer = |proxy: Proxy, request| async move { cut(proxy.forward(request).await?, 5, End::Stall).await };
    let mut stream = send(&Proxy::listen(&emulator, answer).await.unwrap()).await;
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\nthe-h") {
        said.push(timeout(GENEROUS, stream.read_u8()).await.unwrap().unwrap());
    }
    let more = timeout(Duration::from_millis(200), stream.read_u8()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn an_upstream_without_a_host_is_refused() {
    for upstream in ["", "/path", "http://"] {
        let error = Proxy::listen(upstream, |_proxy, _request| async { dropped() }).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{upstream:?}");
    }
}

#[tokio::test]
async fn an_emulator_that_does_not_listen_ends_the_connection() {
    let closed = Listener::loopback(Limits::default()).await.unwrap().url();
    let answer = |proxy: Proxy, request| async move { proxy.forward(request).await };
    assert_eq!(said(&Proxy::listen(&closed, answer).await.unwrap()).await, "");
}
