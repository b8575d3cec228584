//! Calls meet the faults that are planned for their kind.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use emulator_kit::faults::{Fault, Faults};
use emulator_kit::{Limits, Listener};
use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An emulator that answers each request with its method, and faults of `GET` and `PUT` in front of it, with their URL.
async fn emulator() -> (Faults<Method>, String) {
    let listener = Listener::loopback(Limits::default()).await.unwrap();
    let upstream = listener.url();
    let answer =
        |_peer, request: Request<Body>| async move { Response::new(Body::from(request.method().as_str().to_owned())) };
    tokio::spawn(listener.serve("the emulator", answer, std::future::pending()));
    let kind = |request: &Request<Bytes>| Some(request.method().clone()).filter(|method| *method != Method::POST);
    let faults = Faults::new(kind);
    let url = faults.in_front_of(&upstream).await.unwrap();
    (faults, url)
}

/// Status and body of the answer to a request, or an empty text when there is none.
async fn send(url: &str, method: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let request = format!("{method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // A connection that is reset has said what it has said.
    let _ = stream.read_to_end(&mut said).await;
    let said = String::from_utf8(said).unwrap();
    let parts = said.split_once("\r\n\r\n").map(|(head, body)| format!("{} {body}", &head[9..12]));
    parts.unwrap_or_default()
}

#[tokio::test]
async fn the_next_calls_of_a_kind_meet_their_faults_in_order_and_those_after_them_pass() {
    let (faults, url) = emulator().await;
    faults.next(Method::GET, [Fault::bytes(418, "first"), Fault::DropCall, Fault::CutAnswer(1)]);
    let answers = [send(&url, "GET").await, send(&url, "PUT").await, send(&url, "GET").await, send(&url, "GET").await];
    assert_eq!(answers, ["418 first", "200 PUT", "", "200 G"]);
    assert_eq!(send(&url, "GET").await, "200 GET");
    assert_eq!((faults.count(Method::GET), faults.count(Method::PUT)), (4, 1));
}

#[tokio::test]
async fn every_call_of_a_kind_meets_its_fault_until_it_is_mended() {
    let (faults, url) = emulator().await;
    faults.every(Method::GET, Fault::DropAnswer);
    for _ in 0..3 {
        assert_eq!([send(&url, "GET").await, send(&url, "PUT").await], ["", "200 PUT"]);
    }
    faults.mend();
    assert_eq!(send(&url, "GET").await, "200 GET");
}

#[tokio::test]
async fn a_held_call_goes_on_when_it_is_released_and_then_meets_its_fault() {
    let (faults, url) = emulator().await;
    faults.every(Method::GET, Fault::Hold(Box::new(Fault::bytes(418, "released"))));
    let release = async {
        faults.arrived(Method::GET, 1).await;
        assert_eq!(send(&url, "PUT").await, "200 PUT");
        faults.release();
    };
    assert_eq!(tokio::join!(send(&url, "GET"), release).0, "418 released");
}

#[tokio::test]
async fn a_call_without_a_kind_passes_uncounted() {
    let (faults, url) = emulator().await;
    faults.every(Method::POST, Fault::DropCall);
    assert_eq!((send(&url, "POST").await.as_str(), faults.count(Method::POST)), ("200 POST", 0));
}
