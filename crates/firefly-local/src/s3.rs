//! The embedded S3: S3's own protocol, signatures and refusals in front of an [`ObjectStore`].
//!
//! Done: GetObject, HeadObject, PutObject, DeleteObject, ListObjectsV2, ListObjectVersions, CreateBucket, HeadBucket
//! and ListBuckets, in path style, signed with AWS Signature Version 4. Everything else is answered `NotImplemented`.

mod checksum;
mod listing;
mod operations;

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use hyper::body::Body as _;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3Result, s3_error};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use self::operations::Operations;
use crate::object_store::ObjectStore;
use emulator_kit::{self as kit, BodyError, Callers, Deadlines, Listener, Refusal};

/// The largest object, in bytes. S3 takes up to 5 GiB in one request; a backup is about half a MiB.
pub const MAX_OBJECT_LENGTH: u64 = 64 * 1024 * 1024;

/// The largest request body, in bytes: the largest object in the chunks of `aws-chunked`, each with its signature.
const MAX_REQUEST_LENGTH: u64 = MAX_OBJECT_LENGTH + 2 * 1024 * 1024;

/// The largest XML request body, in bytes; the only one read is that of CreateBucket.
const MAX_XML_LENGTH: usize = 64 * 1024;

/// How many KiB of request and response bodies are in memory at once; requests beyond that wait.
const MEMORY_KIB: usize = 512 * 1024;

/// The part of [`Callers`] that the signatures' library asks.
struct Secrets(Callers);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key_id: &str) -> S3Result<SecretKey> {
        match self.0.get(access_key_id) {
            Some(caller) => Ok(caller.secret_access_key.as_str().into()),
            None => Err(unknown_caller()),
        }
    }
}

/// Serves the store to `callers` until `until` resolves and the requests under way are answered.
pub async fn serve(
    listener: Listener,
    store: Arc<ObjectStore>,
    callers: Callers,
    until: impl Future<Output = ()> + Send,
) {
    let memory = Arc::new(Semaphore::new(MEMORY_KIB));
    let (in_use, mut released) = mpsc::channel(1);
    let mut service = S3ServiceBuilder::new(Operations::new(store, in_use, callers.clone(), Arc::clone(&memory)));
    service.set_auth(Secrets(callers.clone()));
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config()))));
    let protocol = Protocol { service: service.build(), memory, callers, deadlines: listener.limits().deadlines };
    let answer = move |_peer, request| protocol.clone().answer(request);
    listener.serve("the embedded S3", answer, until).await;
    // Calls outlive their connection by a moment; the store can be opened again once they let go of it.
    released.recv().await;
}

fn config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML_LENGTH;
    // Form uploads are not offered: nothing of them is to be read.
    config.post_object_max_file_size = 0;
    config.form_max_fields_size = 0;
    config
}

/// S3's protocol in front of the operations.
#[derive(Clone)]
struct Protocol {
    service: S3Service,
    memory: Arc<Semaphore>,
    callers: Callers,
    deadlines: Deadlines,
}

impl Protocol {
    /// Answers one HTTP request. A caller's request is read whole before it is judged further, so that no client is
    /// refused in the middle of sending. A stranger learns nothing, and the body of a stranger's request is not read.
    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let refusal = match self.callers.admit(&head) {
            Err(Refusal::Foreign) => return kit::foreign(),
            Err(Refusal::Credentials) => unknown_caller(),
            Ok(_) => match self.read(body).await {
                Ok((body, _held)) => {
                    let request = http::Request::from_parts(head, s3s::Body::from(body));
                    let answered = self.service.call(request).await;
                    return answered.map_or_else(|_| unavailable(), |response| response.map(HttpBody::new));
                }
                Err(refusal) => refusal,
            },
        };
        refusal.to_http_response().map_or_else(|_| unavailable(), |response| response.map(HttpBody::new))
    }

    /// The body, and its share of the memory.
    async fn read(&self, body: HttpBody) -> S3Result<(Bytes, SemaphorePermit<'_>)> {
        let length = body.size_hint().exact();
        let length = length
            .ok_or_else(|| s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))?;
        if length > MAX_REQUEST_LENGTH {
            return Err(too_large());
        }
        let held = self.memory.acquire_many(kib(length)).await.map_err(S3Error::internal_error)?;
        let read = kit::read(body, length.try_into().unwrap_or(usize::MAX), self.deadlines.body).await;
        read.map(|body| (body, held)).map_err(|error| match error {
            BodyError::TooLong => too_large(),
            BodyError::Late => s3_error!(
                RequestTimeout,
                "Your socket connection to the server was not read from or written to within the timeout period."
            ),
            BodyError::Broken => s3_error!(IncompleteBody, "The request body ended before its Content-Length."),
        })
    }
}

fn unknown_caller() -> S3Error {
    s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
}

fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size of {MAX_OBJECT_LENGTH} bytes.")
}

fn unavailable() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// A body's share of [`MEMORY_KIB`].
fn kib(length: u64) -> u32 {
    u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX)
}
