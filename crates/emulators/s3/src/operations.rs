//! The operations of S3 on the store.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use emulator_kit::{Grants, Principals};
use s3s::auth::Credentials;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, ETag, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput, ListObjectVersionsOutput,
    ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
    ObjectIdentifier, PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use tokio::sync::{Semaphore, mpsc};

use crate::conditions::precondition;
use crate::memory::Memory;
use crate::object_store::{Found, NewObject, ObjectStore, ObjectStoreError};
use crate::refusal::{access_denied, refusal};
use crate::{listing, received, version_listing};

/// Most threads that wait for the file system at once.
const CONCURRENT_FILE_OPERATIONS: usize = 64;

/// Answers the operations.
pub(crate) struct Operations {
    store: Arc<ObjectStore>,
    /// Dropped after the store.
    in_use: mpsc::Sender<Infallible>,
    principals: Principals,
    pub(crate) memory: Memory,
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
    pub(crate) fn authorize(&self, credentials: Option<&Credentials>, action: &str) -> S3Result<&Grants> {
        let principal = credentials.and_then(|credentials| self.principals.get(&credentials.access_key));
        match principal {
            Some(principal) if principal.grants.allow(action) => Ok(&principal.grants),
            _ => Err(access_denied()),
        }
    }

    /// Runs `work` on a thread that may block.
    pub(crate) async fn on_store<T: Send + 'static>(
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

    /// Finds an object that is to be read. An absent one is forbidden unless `s3:ListBucket` is granted.
    pub(crate) async fn find<T>(
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
        let mut request = request;
        let input = &mut request.input;
        let condition = precondition(input.if_match.take(), input.if_none_match.take())?;
        let metadata = input.metadata.take().unwrap_or_default();
        received::check_metadata(&metadata)?;
        let (body, declared) = (input.body.take(), input.content_length);
        let body = received::body(&mut request, body, declared).await?;
        let PutObjectInput { bucket, key, content_type, .. } = request.input;
        let object = NewObject { body, content_type, metadata: metadata.into_iter().collect() };
        let version = self.on_store(move |store| store.put(&bucket, &key, object, &condition)).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: version.content.map(|content| ETag::Strong(content.etag)),
            version_id: Some(version.id),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.get(request).await.map(S3Response::new)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.head(request).await.map(S3Response::new)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        if ["if-match", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"]
            .iter()
            .any(|name| request.headers.contains_key(*name))
        {
            return Err(s3_error!(NotImplemented, "Conditional deletes are not implemented."));
        }
        let DeleteObjectInput { bucket, key, version_id, .. } = &request.input;
        let (key, version_id) = (key.clone(), version_id.clone());
        let object = ObjectIdentifier { key, version_id, e_tag: None, last_modified_time: None, size: None };
        let deleted = self.delete_one(&request, bucket, &object).await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.as_ref().filter(|version| version.content.is_none()).map(|_| true),
            version_id: deleted.map(|version| version.id),
            request_charged: None,
        }))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:ListBucket")?;
        let (bucket, prefix) = (request.input.bucket.clone(), request.input.prefix.clone().unwrap_or_default());
        let objects = self.on_store(move |store| store.list(&bucket, &prefix)).await?;
        listing::objects_v1(request.input, &objects).map(S3Response::new)
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
        let marker = version_listing::marker(&request.input)?;
        let versions = self.on_store(move |store| {
            if let Some((key, id)) = &marker {
                store.check_version_id(&bucket, key, id)?;
            }
            store.list_versions(&bucket, &prefix)
        });
        version_listing::page(request.input, &versions.await?).map(S3Response::new)
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
        let buckets = self.on_store(ObjectStore::buckets).await?;
        let describe = |(name, made): (String, SystemTime)| Bucket {
            name: Some(name),
            creation_date: Some(made.into()),
            ..Bucket::default()
        };
        let buckets = Some(buckets.into_iter().map(describe).collect());
        Ok(S3Response::new(ListBucketsOutput { buckets, ..ListBucketsOutput::default() }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.authorize(request.credentials.as_ref(), "s3:GetBucketLocation")?;
        self.on_store(move |store| store.check_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.delete_many(request).await.map(S3Response::new)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.copy(request).await.map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.create_upload(request).await.map(S3Response::new)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.put_part(request).await.map(S3Response::new)
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.copy_part(request).await.map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete_upload(request).await.map(S3Response::new)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort_upload(request).await.map(S3Response::new)
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.list_parts_of_upload(request).await.map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.list_uploads(request).await.map(S3Response::new)
    }
}
