//! A listener that finds no file for a connection says so once, and goes on when there is one. The test changes the
//! process's limit, so that no other test may run in the process.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{Limits, Listener};
use rlimit::Resource;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::Level;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_connection_without_a_file_is_said_in_one_line_and_served_later() {
    let written = Log::default();
    let writer = written.clone();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(Level::WARN).with_writer(move || writer.clone()).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let limits = Limits { connections: 10, patience: Duration::from_secs(60), kept_alive: 10, ..Limits::default() };
    let listener = Listener::loopback(limits).await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(listener.address()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        clients.push(client);
    }
    let (soft, hard) = Resource::NOFILE.get().unwrap();
    Resource::NOFILE.set(3, hard).unwrap();
    let answer = |_peer, _request| async { Response::builder().status(204).body(Body::empty()).unwrap() };
    tokio::spawn(listener.serve("the server", answer, std::future::pending()));
    while written.text().is_empty() {
        tokio::task::yield_now().await;
    }
    Resource::NOFILE.set(soft, hard).unwrap();
    for mut client in clients {
        let mut answer = String::new();
        timeout(Duration::from_secs(60), client.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }
    let text = written.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("the server cannot accept connections") && text.contains("ulimit -n"), "{text}");
}
