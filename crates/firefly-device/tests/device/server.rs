//! An HTTP server that records requests as bytes and answers with bytes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request as it was received: the head with its line breaks, and the body.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// Returns the value of a header that is spelled exactly like this.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the method and the path.
    pub(crate) fn route(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap(), words.next().unwrap())
    }
}

/// A server that listens on loopback until the process ends. It reads one request per connection.
pub(crate) struct Server {
    pub(crate) authority: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (answer, record) = (Arc::new(answer), Arc::clone(&received));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, answer, record) = (stream.unwrap(), Arc::clone(&answer), Arc::clone(&record));
                thread::spawn(move || {
                    let request = read(&mut stream);
                    record.lock().unwrap().push(request.clone());
                    let _ = stream.write_all(&answer(&request));
                    let _ = stream.shutdown(Shutdown::Write);
                });
            }
        });
        Self { authority, received }
    }

    /// Starts a server that gives every request the same answer.
    pub(crate) fn answering(answer: Vec<u8>) -> Self {
        Self::start(move |_| answer.clone())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Returns the only request that was received.
    pub(crate) fn only(&self) -> Received {
        let [request] = self.received().try_into().unwrap();
        request
    }
}

fn read(stream: &mut TcpStream) -> Received {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    let mut request = Received { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    if let Some(length) = request.header("Content-Length") {
        request.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut request.body).unwrap();
    }
    request
}

/// Returns an answer with these headers and body, and a `Content-Length` unless the status forbids a body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !matches!(status, 204 | 304) {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// Returns an error as the cloud sends it.
pub(crate) fn error(status: u16, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "message": message }).to_string();
    answer(status, &[("content-type", "application/json")], body.as_bytes())
}
