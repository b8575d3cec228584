//! One HTTP/1.1 exchange per connection, byte for byte as the firmware makes it.
//!
//! The request is written here rather than by an HTTP library: those add an `Accept` header and lower-case the names
//! of headers, which no controller does. A device closes its connection after each answer, so nothing is reused.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use http::Uri;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::response::{self, Response};

/// `User-Agent` of the firmware's HTTP client.
const USER_AGENT: &str = "ESP32 HTTP Client/1.0";

/// Where the cloud is: scheme, host, port and the path under which its routes are.
#[derive(Clone)]
pub(crate) struct Origin {
    host: String,
    port: u16,
    /// Empty, or a path with a leading and no trailing slash.
    base_path: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Origin {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let uri: Uri = url.parse().map_err(|_| UrlError::Malformed)?;
        let authority = uri.authority().ok_or(UrlError::Scheme)?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(UrlError::Scheme),
        };
        if uri.query().is_some() || url.contains('#') || authority.as_str().contains('@') {
            return Err(UrlError::Surplus);
        }
        let host = uri.host().unwrap_or_default();
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, digits)) if !digits.ends_with(']') => digits.parse().map_err(|_| UrlError::Malformed)?,
            _ if encrypted => 443,
            _ => 80,
        };
        if host.is_empty() || port == 0 {
            return Err(UrlError::Malformed);
        }
        Ok(Self {
            tls: encrypted.then(|| tls(unbracketed(host))).transpose()?,
            host: host.to_owned(),
            port,
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Sends one request and reads its answer.
    pub(crate) async fn exchange(&self, request: &Request<'_>, timeout: Duration) -> Result<Response, TransportError> {
        let bytes = self.encode(request)?;
        tokio::time::timeout(timeout, self.attempt(request.method, &bytes))
            .await
            .map_err(|_| TransportError::Timeout { seconds: timeout.as_secs() })?
    }

    async fn attempt(&self, method: &str, bytes: &[u8]) -> Result<Response, TransportError> {
        let connect_error = |source| TransportError::Connect { to: self.to_string(), source };
        let tcp = TcpStream::connect((unbracketed(&self.host), self.port)).await.map_err(connect_error)?;
        tcp.set_nodelay(true).map_err(connect_error)?;
        match &self.tls {
            None => converse(tcp, method, bytes).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), tcp).await.map_err(connect_error)?;
                converse(stream, method, bytes).await
            }
        }
    }

    /// The request as bytes. `User-Agent` and `Host` come first unless the caller names them; `Content-Length` is
    /// added exactly when there is a body, an empty one included.
    fn encode(&self, request: &Request<'_>) -> Result<Vec<u8>, TransportError> {
        let host = format!("{}:{}", self.host, self.port);
        let length = request.body.map(|body| body.len().to_string());
        let mut headers: Vec<(&[u8], &[u8])> = Vec::new();
        for (name, value) in [("User-Agent", USER_AGENT), ("Host", &host)] {
            if !request.names(name) {
                headers.push((name.as_bytes(), value.as_bytes()));
            }
        }
        headers.extend_from_slice(&request.headers);
        if let Some(length) = length.as_deref().filter(|_| !request.names("Content-Length")) {
            headers.push((b"Content-Length", length.as_bytes()));
        }

        let target = format!("{}{}", self.base_path, request.path);
        let breaks_line = |bytes: &[u8]| bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        let breaks_request_line = |text: &str| text.bytes().any(|byte| byte <= b' ');
        if breaks_request_line(request.method)
            || breaks_request_line(&target)
            || headers.iter().any(|(name, value)| breaks_line(name) || breaks_line(value))
        {
            return Err(TransportError::Unsendable);
        }
        let mut bytes = format!("{} {target} HTTP/1.1\r\n", request.method).into_bytes();
        for (name, value) in headers {
            for part in [name, b": ", value, b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(request.body.unwrap_or_default());
        Ok(bytes)
    }
}

/// `scheme://host:port/base-path`.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let Self { host, port, base_path, .. } = self;
        write!(formatter, "{scheme}://{host}:{port}{base_path}")
    }
}

/// What goes into one request. Names and values of headers are sent as they are.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The path and query, with a leading slash.
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) body: Option<&'a [u8]>,
}

impl Request<'_> {
    fn names(&self, header: &str) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header.as_bytes()))
    }
}

/// An IPv6 address without the brackets it has in a URL.
fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn tls(host: &str) -> Result<(TlsConnector, ServerName<'static>), UrlError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| UrlError::Malformed)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(UrlError::Certificates)?
        .with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// Writes and reads at the same time: a server may answer, and close, before it has read a body it refuses.
async fn converse<S: AsyncRead + AsyncWrite>(
    stream: S,
    method: &str,
    bytes: &[u8],
) -> Result<Response, TransportError> {
    let (reader, mut writer) = tokio::io::split(stream);
    let send = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    let (sent, received) = tokio::join!(send, response::read(reader, method));
    match (sent, received) {
        (_, Ok(response)) => Ok(response),
        (Err(source), Err(_)) => Err(TransportError::Broken { source }),
        (Ok(()), Err(error)) => Err(error),
    }
}

/// Why a URL does not name a cloud.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The text is not a URL, or its host or port is not one.
    #[error("not a URL; expected something like http://127.0.0.1:8080")]
    Malformed,
    /// The scheme is neither `http` nor `https`.
    #[error("the URL must start with http:// or https://")]
    Scheme,
    /// The URL has a user name, a query or a fragment.
    #[error("the URL must have no user name, query or fragment")]
    Surplus,
    /// The system's trusted certificates could not be loaded.
    #[error("cannot load the certificates that https needs: {0}")]
    Certificates(rustls::Error),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection, TLS included, could be made.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The URL tried.
        to: String,
        /// What the operating system, the resolver or TLS said.
        source: io::Error,
    },
    /// The whole exchange took longer than the firmware waits.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// How long the device waited.
        seconds: u64,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete: {source}")]
    Broken {
        /// What the operating system said.
        source: io::Error,
    },
    /// The answer is not HTTP/1.1, or longer than any answer of the cloud.
    #[error("the answer is not HTTP/1.1: {reason}")]
    NotHttp {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A 204 or 304 announces a body: the firmware waits for that body until it times out.
    #[error("a {status} answer announced a body of {length} bytes, on which a controller hangs")]
    AnnouncedBody {
        /// The answer's status.
        status: u16,
        /// Its `Content-Length`.
        length: u64,
    },
    /// The request has a line break or NUL in a header, or a blank in its method or path.
    #[error("a header, the method or the path holds a character that cannot be sent")]
    Unsendable,
}
