//! The operations of S3 on the store.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use emulator_kit::{Grants, Principals};
use futures::TryStreamExt as _;
use http::HeaderMap;
use s3s::auth::Credentials;
use s3s::dto::{
    Bucket, CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::memory::{MAX_OBJECT_LENGTH, Memory};
use crate::object_store::{Content, Found, NewObject, ObjectStore, ObjectStoreError, Precondition, Version};
use crate::refusal::{access_denied, precondition_failed, read_of_delete_marker, refusal, too_large};
use crate::{checksum, listing};

/// Most threads that wait for the file system at once.
const CONCURRENT_FILE_OPERATIONS: usize = 64;

/// S3's limit of an object's user metadata, in bytes of its names and values.
const MAX_METADATA_LENGTH: usize = 2048;

/// The content type S3 gives to an object that was stored without one.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Answers the operations.
pub(crate) struct Operations {
    store: Arc<ObjectStore>,
    /// Dropped after the store.
    in_use: mpsc::Sender<Infallible>,
    principals: Principals,
    memory: Memory,
    files: Semaphore,
}

impl Operations {
    /// Makes the operations on a store. `in_use` is dropped when they no longer hold the store.
    pub(crate) fn new(
        store: Arc<ObjectStore>,
        in_use: mpsc::Sender<Infallible>,
        principals: Principals,
        memory: Memory,
    ) -> Self {
        Self { store, in_use, principals, memory, files: Semaphore::new(CONCURRENT_FILE_OPERATIONS) }
    }

    /// The grants of the principal who signed the request; they include `action`.
    fn authorize(&self, credentials: Option<&Credentials>, action: &str) -> S3Result<&Grants> {
        let principal = credentials.and_then(|credentials| self.principals.get(&credentials.access_key));
        match principal {
            Some(principal) if principal.grants.allow(action) => Ok(&principal.grants),
            _ => Err(access_denied()),
        }
    }

    /// Runs `work` on a thread that may block.
    async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ObjectStore) -> Result<T, ObjectStoreError> + Send + 'static,
    ) -> S3Result<T> {
        let (store, in_use) = (Arc::clone(&self.store), self.in_use.clone());
        let _permit = self.files.acquire().await.map_err(S3Error::internal_error)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&store);
            drop(store);
            drop(in_use);
            result
        })
        .await;
        done.map_err(S3Error::internal_error)?.map_err(refusal)
    }

    /// Finds an object for GetObject and HeadObject. An absent one is forbidden unless `s3:ListBucket` is granted.
    async fn find<T>(
        &self,
        request: &S3Request<T>,
        (bucket, key, version_id): (&str, &str, Option<&str>),
    ) -> S3Result<Found> {
        let action = if version_id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
        let grants = self.authorize(request.credentials.as_ref(), action)?;
        let (bucket, key, version_id) = (bucket.to_owned(), key.to_owned(), version_id.map(str::to_owned));
        let found = self.on_store(move |store| match version_id {
            Some(id) => store.find_version(&bucket, &key, &id),
            None => store.find(&bucket, &key),
        });
        match found.await {
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey && !grants.allow("s3:ListBucket") => {
                Err(access_denied())
            }
            other => other,
        }
    }
}

#[async_trait::async_trait]
impl S3 for Operations {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let PutObjectInput { bucket, key, body, content_length, content_type, metadata, .. } = request.input;
        let condition = precondition(request.input.if_match, request.input.if_none_match)?;
        let metadata = metadata.unwrap_or_default();
        if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_LENGTH {
            return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size"));
        }

        let body = receive(body, &request.headers).await?;
        if body.len() as u64 > MAX_OBJECT_LENGTH {
            return Err(too_large());
        }
        // The Content-Length of an aws-chunked body has by now been replaced by its decoded length.
        if content_length.is_some_and(|declared| u64::try_from(declared) != Ok(body.len() as u64)) {
            return Err(s3_error!(IncompleteBody, "The body does not have the declared length."));
        }
        let trailers = request.trailing_headers.and_then(|trailers| trailers.take()).unwrap_or_default();
        checksum::verify(&request.headers, &trailers, &body)?;

        let object = NewObject { body, content_type, metadata: metadata.into_iter().collect() };
        let version = self.on_store(move |store| store.put(&bucket, &key, object, &condition)).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: version.content.map(|content| ETag::Strong(content.etag)),
            version_id: Some(version.id),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &request.input;
        let found = self.find(&request, (&input.bucket, &input.key, input.version_id.as_deref())).await?;
        let Version { id, last_modified, content, .. } = found.version.clone();
        let content = content.ok_or_else(|| read_of_delete_marker(&id))?;
        check_conditions(&content, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let range = input.range.map(|range| range.check(content.size)).transpose()?;

        let held = self.memory.reserve(content.size).await?;
        let bytes = self.on_store(move |_| found.read()).await?;
        let mut body = Bytes::from_owner(HeldBytes { bytes, _held: held });
        let mut content_range = None;
        if let Some(range) = range {
            content_range = Some(format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), content.size));
            let bound = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
            body = body.slice(bound(range.start)..bound(range.end));
        }
        let whole = content_range.is_none() && input.checksum_mode.is_some();
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(body.len()).ok(),
            content_range,
            body: Some(StreamingBlob::from(s3s::Body::from(body))),
            content_type: Some(content_type(&content)),
            checksum_sha256: whole.then(|| checksum::sha256_base64(&content)),
            e_tag: Some(ETag::Strong(content.etag)),
            last_modified: Some(last_modified.into()),
            metadata: Some(content.metadata.into_iter().collect()),
            version_id: Some(id),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &request.input;
        let found = self.find(&request, (&input.bucket, &input.key, input.version_id.as_deref())).await?;
        let Version { id, last_modified, content, .. } = found.version;
        let content = content.ok_or_else(|| read_of_delete_marker(&id))?;
        check_conditions(&content, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(content.size).ok(),
            content_type: Some(content_type(&content)),
            checksum_sha256: input.checksum_mode.is_some().then(|| checksum::sha256_base64(&content)),
            e_tag: Some(ETag::Strong(content.etag)),
            last_modified: Some(last_modified.into()),
            metadata: Some(content.metadata.into_iter().collect()),
            version_id: Some(id),
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, version_id, .. } = request.input;
        let action = if version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        self.authorize(request.credentials.as_ref(), action)?;
        if ["if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"]
            .iter()
            .any(|name| request.headers.contains_key(*name))
        {
            return Err(s3_error!(NotImplemented, "Conditional deletes are not implemented."));
        }
        let deleted = self.on_store(move |store| match &version_id {
            // An absent version is deleted already.
            Some(id) => store.delete_version(&bucket, &key, id).map(Some).or_else(|error| match error {
                ObjectStoreError::NoSuchVersion => Ok(None),
                other => Err(other),
            }),
            None => store.delete(&bucket, &key).map(Some),
        });
        let deleted = deleted.await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.as_ref().filter(|version| version.content.is_none()).map(|_| true),
            version_id: deleted.map(|version| version.id),
            request_charged: None,
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.authorize(request.credentials.as_ref(), "s3:ListBucket")?;
        let (bucket, prefix) = (request.input.bucket.clone(), request.input.prefix.clone().unwrap_or_default());
        let objects = self.on_store(move |store| store.list(&bucket, &prefix)).await?;
        listing::objects(request.input, &objects).map(S3Response::new)
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:ListBucketVersions")?;
        let (bucket, prefix) = (request.input.bucket.clone(), request.input.prefix.clone().unwrap_or_default());
        let versions = self.on_store(move |store| store.list_versions(&bucket, &prefix)).await?;
        listing::versions(request.input, &versions).map(S3Response::new)
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:CreateBucket")?;
        let location = format!("/{}", request.input.bucket);
        self.on_store(move |store| store.create_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:ListBucket")?;
        self.on_store(move |store| store.check_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:ListAllMyBuckets")?;
        let names = self.on_store(ObjectStore::buckets).await?;
        let buckets = names.into_iter().map(|name| Bucket { name: Some(name), ..Bucket::default() }).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }))
    }
}

/// Bytes with their share of the memory, given back when the last of them has been sent.
struct HeldBytes {
    bytes: Vec<u8>,
    _held: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of a put. It is in memory already; the check of `x-amz-content-sha256` or of the chunks may fail.
async fn receive(body: Option<StreamingBlob>, headers: &HeaderMap) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let chunks: Vec<Bytes> = body.try_collect().await.map_err(|error| {
        let declared = headers.get("x-amz-content-sha256").map(|value| value.as_bytes());
        if declared.is_some_and(|value| value.starts_with(b"STREAMING-")) {
            s3_error!(InvalidRequest, "The aws-chunked body is malformed or wrongly signed: {error}")
        } else {
            let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
            let mut error = S3Error::with_message(
                code,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            );
            error.set_status_code(http::StatusCode::BAD_REQUEST);
            error
        }
    })?;
    match <[Bytes; 1]>::try_from(chunks) {
        Ok([whole]) => Ok(whole),
        Err(chunks) => Ok(chunks.concat().into()),
    }
}

fn precondition(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Precondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Precondition::Matches(etag.into_value())),
        _ => Err(s3_error!(NotImplemented, "A put is conditional on If-None-Match: * or on If-Match with one ETag.")),
    }
}

/// `If-Match` and `If-None-Match` of a read (RFC 9110, sections 13.1.1 and 13.1.2).
fn check_conditions(
    content: &Content,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let names = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == content.etag);
    if if_match.is_some_and(|condition| !names(condition)) {
        return Err(precondition_failed());
    }
    if if_none_match.is_some_and(names) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

fn content_type(content: &Content) -> String {
    content.content_type.clone().unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())
}
