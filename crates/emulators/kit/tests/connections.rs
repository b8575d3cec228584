//! Few connections at a time serve any number of clients that keep theirs open.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{Deadlines, Limits, Listener};
use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longer than any client of these tests waits.
const GENEROUS: Duration = Duration::from_secs(60);
/// After this a connection that waits for its peer loses its place to another.
const PATIENCE: Duration = Duration::from_millis(300);
/// Never reached in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// The address of a server with these limits that answers every request with 204.
async fn server(connections: usize, kept_alive: usize) -> String {
    let deadlines = Deadlines { head: NEVER, body: NEVER, idle: NEVER };
    let limits = Limits { deadlines, connections, patience: PATIENCE, kept_alive };
    let listener = Listener::loopback(limits).await.unwrap();
    let address = listener.address().to_string();
    let answer = |_peer, _request| async { Response::builder().status(204).body(Body::empty()).unwrap() };
    tokio::spawn(listener.serve("the server", answer, std::future::pending()));
    address
}

/// A server with room for this many connections, which answers every request after `answer` may go on.
async fn held(connections: usize) -> (String, Arc<Semaphore>) {
    let deadlines = Deadlines { head: NEVER, body: NEVER, idle: NEVER };
    let limits = Limits { deadlines, connections, patience: PATIENCE, kept_alive: connections };
    let listener = Listener::loopback(limits).await.unwrap();
    let address = listener.address().to_string();
    let released = Arc::new(Semaphore::new(0));
    let answers = Arc::clone(&released);
    let answer = move |_peer, _request| {
        let answers = Arc::clone(&answers);
        async move {
            answers.acquire().await.unwrap().forget();
            Response::builder().status(204).body(Body::empty()).unwrap()
        }
    };
    tokio::spawn(listener.serve("the server", answer, std::future::pending()));
    (address, released)
}

/// Sends a request and reads the answer's head; the client keeps its connection open.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(GENEROUS, stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn clients_that_keep_their_connection_leave_room_for_others() {
    let address = server(4, 2).await;
    let clients = (0..40).map(async |_| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = ask(&mut stream).await;
        (stream, head)
    });
    let answered = join_all(clients).await;
    let closed = answered.iter().filter(|(_, head)| head.contains("\r\nconnection: close\r\n")).count();
    assert!((36..=38).contains(&closed), "{closed} of 40 closed");
    assert!(answered.iter().all(|(_, head)| head.starts_with("http/1.1 204 ")));
}

#[tokio::test]
async fn a_connection_is_kept_while_there_is_room() {
    let address = server(4, 2).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    for _ in 0..3 {
        assert!(!ask(&mut stream).await.contains("connection: close"));
    }
}

#[tokio::test]
async fn a_new_connection_gets_the_place_of_one_that_waits_for_its_peer() {
    let half_a_body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
    for stalled in ["", "GET / HT", half_a_body] {
        let address = server(4, 4).await;
        let mut stalling = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(stalled.as_bytes()).await.unwrap();
            stalling.push(stream);
        }
        let mut stream = TcpStream::connect(&address).await.unwrap();
        assert!(ask(&mut stream).await.starts_with("http/1.1 204 "), "{stalled:?}");
    }
}

#[tokio::test]
async fn a_connection_that_is_answered_keeps_its_place() {
    let (address, released) = held(2).await;
    let asked = (0..5).map(async |_| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = ask(&mut stream).await;
        // Its place is free for the next.
        drop(stream);
        head
    });
    let release = async {
        // The time after which a connection that waits for its peer loses its place has passed when one has lost it.
        let other = server(1, 1).await;
        let mut idle = TcpStream::connect(&other).await.unwrap();
        let mut next = TcpStream::connect(&other).await.unwrap();
        assert!(ask(&mut next).await.starts_with("http/1.1 204 "));
        assert_eq!(timeout(GENEROUS, idle.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
        released.add_permits(5);
    };
    let (answered, ()) = tokio::join!(join_all(asked), release);
    assert!(answered.iter().all(|head| head.starts_with("http/1.1 204 ")), "{answered:?}");
}
