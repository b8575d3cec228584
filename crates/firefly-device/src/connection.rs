//! One HTTP/1.1 exchange per connection, byte for byte as the firmware makes it.
//!
//! The request is not written by an HTTP library: those add an `Accept` header and lower-case the names of headers,
//! which no controller does. A device closes its connection after each answer, so nothing is reused.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::response::{self, Response};
use crate::transport_error::TransportError;

/// The `User-Agent` of the firmware's HTTP client.
const USER_AGENT: &str = "ESP32 HTTP Client/1.0";

/// The address of the cloud: scheme, host, port and the path in front of its routes.
#[derive(Clone)]
pub(crate) struct Origin {
    host: String,
    port: u16,
    /// The path: empty, or with a leading slash and without a trailing one.
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

    /// Returns the bytes of the request.
    ///
    /// `User-Agent` and `Host` come first unless the caller names them; `Content-Length` is added exactly when there is
    /// a body, an empty one included.
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

/// Writes `scheme://host:port/base-path`.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let Self { host, port, base_path, .. } = self;
        write!(formatter, "{scheme}://{host}:{port}{base_path}")
    }
}

/// The parts of one request. Names and values of headers are sent as they are.
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

/// Returns the host; an IPv6 address loses the brackets that it has in a URL.
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

/// Writes and reads at the same time: a server may answer, and close, before it has read a body that it refuses.
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

/// The reason why a URL does not name a cloud.
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
