//! A controller's five operations on the cloud. Each response is judged as the firmware judges it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use firefly_core::envelope;
use firefly_core::etag::ETag;
use firefly_core::registration::{KEY_HEADER, RegistrationKey};

use crate::connection::{Origin, Request, UrlError};
use crate::identity::{Identity, SignedHeaders};
use crate::registration::registration_body;
use crate::response::Response;
use crate::transport_error::TransportError;

/// The time that the firmware waits for the response to an upload or a restore.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(30);
/// The time that the firmware waits for the response to a delete.
const DELETE_TIMEOUT: Duration = Duration::from_secs(15);
/// The time that the firmware waits for any other response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A controller's HTTP client. It opens a connection per request, retries nothing and follows no redirect.
#[derive(Clone)]
pub struct Client {
    origin: Arc<Origin>,
}

impl Client {
    /// Makes a client of the cloud at this URL, which may have a path in front of the routes.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when the URL is not `http://` or `https://`, has no host, or has a user name,
    /// a query or a fragment.
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self { origin: Arc::new(Origin::parse(url)?) })
    }

    /// Sends any request, with headers as they are given.
    ///
    /// `User-Agent`, `Host` and, for a body (an empty one included), `Content-Length` are added unless `headers` names
    /// them. No other header is added. `path` starts with a slash and may have a query.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response within 30 s, or a header cannot be sent.
    pub async fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        method: &str,
        path: &str,
        headers: &[(N, V)],
        body: Option<&[u8]>,
    ) -> Result<Response, TransportError> {
        self.send(method, path, headers, body, BACKUP_TIMEOUT).await
    }

    async fn send<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        method: &str,
        path: &str,
        headers: &[(N, V)],
        body: Option<&[u8]>,
        timeout: Duration,
    ) -> Result<Response, TransportError> {
        let headers = headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let request = Request { method, path, headers, body };
        self.origin.exchange(&request, timeout).await
    }

    /// Sends `POST /devices/register` with a one-time key. Only a 204 is a success.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response.
    pub async fn register(
        &self,
        identity: &Identity,
        key: &RegistrationKey,
    ) -> Result<Judged<Registration>, TransportError> {
        let headers = [(KEY_HEADER, key.as_str()), ("Content-Type", "application/json")];
        let body = registration_body(identity);
        let response = self.send("POST", "/devices/register", &headers, Some(&body), TIMEOUT).await?;
        Ok(Judged::new(response, |response| match response.status {
            204 => Registration::Registered,
            _ => Registration::Refused,
        }))
    }

    /// Sends `GET /devices/{uuid}/registration`, the firmware's check at boot.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response.
    pub async fn status(&self, signed: &SignedHeaders) -> Result<Judged<Standing>, TransportError> {
        let path = format!("/devices/{}/registration", signed.device());
        let response = self.send("GET", &path, &signed.pairs(), None, TIMEOUT).await?;
        Ok(Judged::new(response, |response| match response.status {
            200 => Standing::Registered,
            404 => Standing::NotRegistered,
            _ => Standing::Refused,
        }))
    }

    /// Sends `POST /devices/{uuid}/backup` with an envelope and, if it is given, its `ETag`.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response. The envelope may then be stored all the same.
    pub async fn upload(
        &self,
        signed: &SignedHeaders,
        envelope: &[u8],
        etag: Option<ETag>,
    ) -> Result<Judged<Upload>, TransportError> {
        let mut headers = signed.pairs().to_vec();
        headers.push(("Content-Type", "application/octet-stream"));
        let etag = etag.map(|etag| etag.quoted());
        headers.extend(etag.as_deref().map(|etag| ("ETag", etag)));
        let response = self.send("POST", &backup_path(signed), &headers, Some(envelope), BACKUP_TIMEOUT).await?;
        Ok(Judged::new(response, |response| match response.status {
            200 | 204 | 304 => Upload::Stored,
            _ => Upload::Refused,
        }))
    }

    /// Sends `GET /devices/{uuid}/backup`. The envelope is not opened: see [`Identity::open`].
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response.
    pub async fn restore(&self, signed: &SignedHeaders) -> Result<Judged<Restore>, TransportError> {
        let response = self.send("GET", &backup_path(signed), &signed.pairs(), None, BACKUP_TIMEOUT).await?;
        Ok(Judged::new(response, |response| match response.status {
            200 => unusable(response).map_or_else(|| Restore::Restored(response.body.clone()), Restore::Unusable),
            404 => Restore::NoBackup,
            _ => Restore::Refused,
        }))
    }

    /// Sends `DELETE /devices/{uuid}/backup`.
    ///
    /// # Errors
    ///
    /// [`TransportError`] when there is no response.
    pub async fn delete(&self, signed: &SignedHeaders) -> Result<Judged<Deletion>, TransportError> {
        let response = self.send("DELETE", &backup_path(signed), &signed.pairs(), None, DELETE_TIMEOUT).await?;
        Ok(Judged::new(response, |response| match response.status {
            200 | 204 => Deletion::Deleted,
            404 => Deletion::NotFound,
            _ => Deletion::Refused,
        }))
    }
}

/// Shows the URL.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Client({})", self.origin)
    }
}

/// Writes the URL with its port.
impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(formatter)
    }
}

fn backup_path(signed: &SignedHeaders) -> String {
    format!("/devices/{}/backup", signed.device())
}

/// Returns the reason why the firmware does not take the body of a 200 as an envelope.
fn unusable(response: &Response) -> Option<&'static str> {
    let coded = |name| response.header(name).is_some();
    if coded("transfer-encoding") || coded("content-encoding") {
        return Some("it is encoded, which a controller cannot undo");
    }
    if response.header("content-length").is_none() {
        return Some("it has no Content-Length");
    }
    match response.body.len() {
        0 => Some("it is empty"),
        length if length > envelope::MAX_LENGTH => Some("it is longer than any envelope"),
        _ => None,
    }
}

/// A response of the cloud, and its meaning to a controller.
#[derive(Clone, Debug)]
pub struct Judged<T> {
    /// The meaning.
    pub outcome: T,
    /// The response: status, headers, body.
    pub response: Response,
}

impl<T> Judged<T> {
    fn new(response: Response, judge: impl FnOnce(&Response) -> T) -> Self {
        Self { outcome: judge(&response), response }
    }
}

/// The result of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// 204: this device is registered with this key.
    Registered,
    /// Anything else.
    Refused,
}

/// The result of the check at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// 200: the cloud knows this device.
    Registered,
    /// 404: the cloud does not know this device, which is not an error.
    NotRegistered,
    /// Anything else.
    Refused,
}

/// The result of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// 200, 204 or 304: the cloud holds this backup.
    Stored,
    /// Anything else.
    Refused,
}

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// 200 with a body that the firmware takes: the envelope, unopened.
    Restored(Bytes),
    /// 404: nothing is stored, which is not an error.
    NoBackup,
    /// 200 with a body that the firmware refuses, and the reason.
    Unusable(&'static str),
    /// Anything else.
    Refused,
}

/// The result of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// 200 or 204: nothing is stored.
    Deleted,
    /// 404: nothing was found.
    NotFound,
    /// Anything else.
    Refused,
}
