//! HTTP/1.1 responses (RFC 9112), read from a connection.

use std::io;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

use crate::transport_error::TransportError;

/// The longest head of a response, in bytes.
const MAX_HEAD_LENGTH: u64 = 64 * 1024;
/// The longest body of a response, in bytes. The cloud's longest is a list of devices of 6 MB.
const MAX_BODY_LENGTH: u64 = 16 * 1024 * 1024;
/// The most header fields of a response.
const MAX_HEADERS: usize = 100;

/// A response of the cloud.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The name and value of each header as received. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, decoded if its encoding was chunked.
    pub body: Bytes,
}

impl Response {
    /// Returns the value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the string member `name` of a body that is a JSON object.
    pub fn member(&self, name: &str) -> Option<String> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(mut members)) => match members.remove(name) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the server's text about the outcome: the member `message` of the JSON body.
    pub fn message(&self) -> Option<String> {
        self.member("message")
    }
}

/// Reads the response to a request of this method and skips interim ones (1xx).
pub(crate) async fn read<R: AsyncRead + Unpin>(reader: R, method: &str) -> Result<Response, TransportError> {
    let mut reader = BufReader::new(reader);
    loop {
        let mut response = read_head(&mut reader).await?;
        if response.status >= 200 {
            response.body = read_body(&mut reader, &response, method).await?.into();
            return Ok(response);
        }
    }
}

async fn read_head<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Response, TransportError> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_HEAD_LENGTH);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head).await.map_err(broken)? == 0 {
            return Err(match limited.limit() {
                0 => not_http("its head is too long"),
                _ => broken(io::ErrorKind::UnexpectedEof.into()),
            });
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut fields);
    match (parsed.parse(&head), parsed.code) {
        (Ok(httparse::Status::Complete(_)), Some(status)) => Ok(Response {
            status,
            headers: parsed
                .headers
                .iter()
                .map(|field| {
                    let value = String::from_utf8_lossy(field.value).into_owned();
                    (field.name.to_owned(), value)
                })
                .collect(),
            body: Bytes::new(),
        }),
        _ => Err(not_http("its head cannot be parsed")),
    }
}

/// Reads the body, whose end is found as RFC 9112 §6.3 says.
async fn read_body<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    response: &Response,
    method: &str,
) -> Result<Vec<u8>, TransportError> {
    let length = match response.header("content-length").map(str::parse::<u64>) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(_)) => return Err(not_http("its Content-Length is not a number")),
    };
    if let (status @ (204 | 304), Some(length @ 1..)) = (response.status, length) {
        return Err(TransportError::AnnouncedBody { status, length });
    }
    if method == "HEAD" || matches!(response.status, 204 | 304) {
        return Ok(Vec::new());
    }
    match (response.header("transfer-encoding"), length) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => read_chunks(reader).await,
        (Some(_), _) => Err(not_http("its Transfer-Encoding is unknown")),
        (None, Some(length)) => {
            let mut body = Vec::new();
            append(reader, length, &mut body).await?;
            Ok(body)
        }
        (None, None) => {
            let mut body = Vec::new();
            let mut limited = reader.take(MAX_BODY_LENGTH);
            limited.read_to_end(&mut body).await.map_err(broken)?;
            Ok(body)
        }
    }
}

/// Reads the chunked coding (RFC 9112 §7.1). Extensions and trailers are skipped.
async fn read_chunks<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader).await?;
        let Ok(httparse::Status::Complete((_, length))) = httparse::parse_chunk_size(&line) else {
            return Err(not_http("the length of a chunk cannot be parsed"));
        };
        if length == 0 {
            while read_line(reader).await? != b"\r\n" {}
            return Ok(body);
        }
        append(reader, length, &mut body).await?;
        if read_line(reader).await? != b"\r\n" {
            return Err(not_http("a chunk is longer than it says"));
        }
    }
}

async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, TransportError> {
    let mut line = Vec::new();
    let mut limited = reader.take(MAX_HEAD_LENGTH);
    limited.read_until(b'\n', &mut line).await.map_err(broken)?;
    if line.ends_with(b"\n") { Ok(line) } else { Err(broken(io::ErrorKind::UnexpectedEof.into())) }
}

/// Appends exactly `length` bytes. Memory is taken as they arrive, not when they are announced.
async fn append<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    length: u64,
    body: &mut Vec<u8>,
) -> Result<(), TransportError> {
    let so_far = u64::try_from(body.len()).unwrap_or(u64::MAX);
    if so_far.saturating_add(length) > MAX_BODY_LENGTH {
        return Err(not_http("its body is too long"));
    }
    let read = reader.take(length).read_to_end(body).await.map_err(broken)?;
    if u64::try_from(read) == Ok(length) { Ok(()) } else { Err(broken(io::ErrorKind::UnexpectedEof.into())) }
}

fn broken(source: io::Error) -> TransportError {
    TransportError::Broken { source }
}

fn not_http(reason: &'static str) -> TransportError {
    TransportError::NotHttp { reason }
}
