//! The server: admits principals, reads request bodies and hands requests to S3's protocol.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use emulator_kit::{BodyError, Deadlines, Listener, Principals, Refusal};
use http::StatusCode;
use http::header::CONTENT_RANGE;
use http::request::Parts;
use hyper::body::Body as _;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpResponse, S3Result, s3_error};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::memory::{MAX_REQUEST_LENGTH, Memory};
use crate::object_store::ObjectStore;
use crate::operations::Operations;
use crate::refusal::{headers_not_signed, too_large, unknown_principal};
use crate::signing::{self, SigningError};

/// The largest XML request body, in bytes: that of DeleteObjects has up to 1,000 keys of 1,024 bytes.
const MAX_XML_LENGTH: usize = 2 * 1024 * 1024;

/// The secret access keys of [`Principals`], from which s3s verifies signatures.
struct Secrets(Principals);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key_id: &str) -> S3Result<SecretKey> {
        match self.0.get(access_key_id) {
            Some(principal) => Ok(principal.secret_access_key.as_str().into()),
            None => Err(unknown_principal()),
        }
    }
}

/// Serves the store to `principals` until `until` resolves and the requests under way are answered.
pub async fn serve(
    listener: Listener,
    store: Arc<ObjectStore>,
    principals: Principals,
    until: impl Future<Output = ()> + Send,
) {
    let memory = Memory::new();
    let (in_use, mut released) = mpsc::channel(1);
    let mut service = S3ServiceBuilder::new(Operations::new(store, in_use, principals.clone(), memory.clone()));
    service.set_auth(Secrets(principals.clone()));
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config()))));
    let protocol = Protocol { service: service.build(), memory, principals, deadlines: listener.limits().deadlines };
    let answer = move |_peer, request| protocol.clone().answer(request);
    listener.serve("the embedded S3", answer, until).await;
    // Calls outlive their connection by a moment; the store can be opened again once they let go of it.
    released.recv().await;
}

fn config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_XML_LENGTH;
    // Form uploads are not implemented: their bodies are not read.
    config.post_object_max_file_size = 0;
    config.form_max_fields_size = 0;
    config
}

/// S3's protocol in front of the operations.
#[derive(Clone)]
struct Protocol {
    service: S3Service,
    memory: Memory,
    principals: Principals,
    deadlines: Deadlines,
}

impl Protocol {
    /// Answers one HTTP request. A principal's request is read whole before it is judged further, so that a client is not
    /// refused in the middle of sending. A stranger learns nothing, and the body of a stranger's request is not read.
    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let answered = match self.principals.admit(&head) {
            Err(Refusal::Foreign) => return emulator_kit::foreign(),
            Err(Refusal::Credentials) => unknown_principal().to_http_response().ok(),
            Ok(_) => match self.read(body).await {
                Ok((body, _held)) => self.judge(head, body).await,
                Err(refusal) => refusal.to_http_response().ok(),
            },
        };
        answered.map_or_else(unavailable, |response| response.map(HttpBody::new))
    }

    /// Answers a principal's request whose signature is one that S3 computes.
    async fn judge(&self, head: Parts, body: Bytes) -> Option<HttpResponse> {
        match signing::check(&head) {
            Ok(()) => {
                let request = http::Request::from_parts(head, s3s::Body::from(body));
                let mut answer = self.service.call(request).await.ok()?;
                // s3s sees to this for GetObject, and not for HeadObject.
                if answer.headers().contains_key(CONTENT_RANGE) && answer.status() == StatusCode::OK {
                    *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                }
                Some(answer)
            }
            Err(SigningError::HeadersNotSigned(names)) => Some(headers_not_signed(&names)),
            Err(error @ SigningError::TwoMechanisms) => s3_error!(InvalidArgument, "{error}").to_http_response().ok(),
            Err(error) => s3_error!(AuthorizationQueryParametersError, "{error}").to_http_response().ok(),
        }
    }

    /// The body, and its share of the memory.
    async fn read(&self, body: HttpBody) -> S3Result<(Bytes, OwnedSemaphorePermit)> {
        let length = body.size_hint().exact();
        let length = length
            .ok_or_else(|| s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))?;
        if length > MAX_REQUEST_LENGTH {
            return Err(too_large());
        }
        let held = self.memory.reserve(length).await?;
        let read = emulator_kit::read(body, length.try_into().unwrap_or(usize::MAX), self.deadlines.body).await;
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

fn unavailable() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
