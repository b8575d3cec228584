//! The embedded S3: S3's own protocol, signatures and refusals in front of an [`ObjectStore`].
//!
//! Done: GetObject, HeadObject, PutObject, DeleteObject, ListObjectsV2, ListObjectVersions, CreateBucket, HeadBucket
//! and ListBuckets, in path style, signed with AWS Signature Version 4. Everything else is answered `NotImplemented`.

mod checksum;
mod listing;
mod operations;

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3Result, s3_error};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use self::operations::Operations;
use crate::object_store::ObjectStore;

/// The largest object, in bytes. S3 takes up to 5 GiB in one request; a backup is about half a MiB.
pub const MAX_OBJECT_LENGTH: u64 = 64 * 1024 * 1024;

/// The largest request body, in bytes: the largest object in the chunks of `aws-chunked`, each with its signature.
const MAX_REQUEST_LENGTH: u64 = MAX_OBJECT_LENGTH + 2 * 1024 * 1024;

/// The largest XML request body, in bytes; the only one read is that of CreateBucket.
const MAX_XML_LENGTH: usize = 64 * 1024;

/// How many KiB of request and response bodies are in memory at once; requests beyond that wait.
const MEMORY_KIB: usize = 512 * 1024;

/// Who may call, and what for: the local stand-in for a function's role and its policy.
#[derive(Clone)]
pub struct Principal {
    /// Names the principal in a request's signature.
    pub access_key_id: String,
    /// Proves it.
    pub secret_access_key: String,
    /// What the principal may do, in every bucket.
    pub grants: Grants,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { access_key_id, secret_access_key: _, grants } = self;
        f.debug_struct("Principal")
            .field("access_key_id", access_key_id)
            .field("grants", grants)
            .finish_non_exhaustive()
    }
}

/// A set of IAM actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// All of S3.
    Everything,
    /// These actions and no other: names such as `s3:GetObject`, without wildcards.
    Actions(BTreeSet<String>),
}

impl Grants {
    /// These actions and no other: names such as `s3:GetObject`, without wildcards.
    pub fn actions<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::Actions(actions.into_iter().map(Into::into).collect())
    }

    /// Whether the action is in the set; IAM does not look at the case.
    #[must_use]
    pub fn allow(&self, action: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Actions(actions) => actions.iter().any(|granted| granted.eq_ignore_ascii_case(action)),
        }
    }
}

/// The principals by access key id.
type Principals = Arc<HashMap<String, Principal>>;

struct Secrets(Principals);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key_id: &str) -> S3Result<SecretKey> {
        match self.0.get(access_key_id) {
            Some(principal) => Ok(principal.secret_access_key.as_str().into()),
            None => {
                Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
            }
        }
    }
}

/// Serves the store until `shutdown` resolves and the requests under way are answered.
///
/// # Errors
/// What the listener's socket reports.
pub async fn serve(
    listener: TcpListener,
    store: Arc<ObjectStore>,
    principals: Vec<Principal>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let principals: Principals =
        Arc::new(principals.into_iter().map(|principal| (principal.access_key_id.clone(), principal)).collect());
    let memory = Arc::new(Semaphore::new(MEMORY_KIB));
    let (in_use, mut released) = mpsc::channel(1);
    let mut service =
        S3ServiceBuilder::new(Operations::new(store, in_use, Arc::clone(&principals), Arc::clone(&memory)));
    service.set_auth(Secrets(principals));
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config()))));
    let service = service.build();
    let router = Router::new().fallback(move |request| answer(service.clone(), Arc::clone(&memory), request));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await?;
    // Connections and calls outlive the last answer by a moment; the store can be opened again once they let go of it.
    released.recv().await;
    Ok(())
}

fn config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML_LENGTH;
    // Form uploads are not offered: nothing of them is to be read.
    config.post_object_max_file_size = 0;
    config.form_max_fields_size = 0;
    config
}

/// Reads the whole request before it is judged, so that a client is never refused in the middle of sending.
async fn answer(service: S3Service, memory: Arc<Semaphore>, request: Request) -> Response {
    let refusal = match request.body().size_hint().exact() {
        None => s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."),
        Some(length) if length > MAX_REQUEST_LENGTH => too_large(),
        Some(length) => {
            let Ok(_held) = memory.acquire_many(kib(length)).await else {
                return unavailable();
            };
            let (parts, body) = request.into_parts();
            match Limited::new(body, length.try_into().unwrap_or(usize::MAX)).collect().await {
                Ok(body) => {
                    let request = http::Request::from_parts(parts, s3s::Body::from(body.to_bytes()));
                    return service
                        .call(request)
                        .await
                        .map_or_else(|_| unavailable(), |response| response.map(HttpBody::new));
                }
                Err(error) if error.is::<LengthLimitError>() => too_large(),
                Err(_) => s3_error!(IncompleteBody, "The request body ended before its Content-Length."),
            }
        }
    };
    refusal.to_http_response().map_or_else(|_| unavailable(), |response| response.map(HttpBody::new))
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
