//! Requests and answers byte for byte.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::TestCloud;

/// An answer as it came: nothing is left out and nothing is undone.
#[derive(Debug)]
pub struct RawAnswer {
    /// The status line and the headers in lower case, without the empty line after them.
    pub head: String,
    /// Everything after the empty line.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
    }

    /// The values of the headers of this lower-case name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| *field == name).map(|(_, value)| value).collect()
    }
}

/// A request's bytes: the request line and the headers as they are given, `Content-Length` where there is a body, and
/// `Connection: close`.
pub fn request_bytes(line: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = format!("{line}\r\nConnection: close\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    if let Some(body) = body {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body.unwrap_or_default());
    bytes
}

impl TestCloud {
    /// Sends bytes to the gateway and returns all that it answers until it closes the connection.
    pub async fn raw(&self, request: &[u8]) -> RawAnswer {
        exchange(self.url().trim_start_matches("http://"), request).await
    }
}

/// Sends bytes to a server (`HOST:PORT`) and returns all that it answers until it closes the connection.
pub async fn exchange(address: &str, request: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request).await.expect("the server reads");
    let mut answer = Vec::new();
    // A server that refuses a request before its end resets the connection after its answer.
    let read = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("the answer has no head: {read:?}"));
    let body = answer.split_off(end + 4);
    answer.truncate(end);
    RawAnswer { head: String::from_utf8(answer).expect("the head is text").to_ascii_lowercase(), body }
}

/// A listener in front of an engine that keeps what is sent to it.
pub struct Tap {
    url: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Listens on a free port and passes everything on to `endpoint`.
    pub async fn in_front_of(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("the port"));
        let target = endpoint.trim_start_matches("http://").to_owned();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&sent);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let engine = TcpStream::connect(&target).await.expect("the engine listens");
                tokio::spawn(pass_on(stream, engine, Arc::clone(&record)));
            }
        });
        Self { url, sent }
    }

    /// The URL to use in place of the engine's.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that was sent so far.
    pub fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass_on(client: TcpStream, engine: TcpStream, sent: Arc<Mutex<Vec<u8>>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = engine.into_split();
    let requests = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let bytes = buffer.get(..length).unwrap_or_default();
            sent.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            if to_engine.write_all(bytes).await.is_err() {
                break;
            }
        }
    };
    // Either side may close first.
    let _ = tokio::join!(requests, tokio::io::copy(&mut from_engine, &mut to_client));
}
