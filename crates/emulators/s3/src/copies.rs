//! CopyObject and UploadPartCopy: the source of a copy.

use std::collections::BTreeMap;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETag, MetadataDirective, Range,
    UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use tokio::sync::OwnedSemaphorePermit;

use crate::conditions::Conditions;
use crate::object_store::{Content, NewObject, Precondition, Version};
use crate::operations::Operations;
use crate::refusal::precondition_failed;
use crate::{multipart, received};

/// The object that is copied: its version and bytes, with their share of the memory.
struct Source {
    version: Version,
    content: Content,
    bytes: Vec<u8>,
    _held: OwnedSemaphorePermit,
}

impl Operations {
    /// Copies an object: its bytes, and its content type and metadata unless the request replaces them.
    pub(crate) async fn copy(&self, request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let input = &request.input;
        let replaces = input.metadata_directive.as_ref().map(MetadataDirective::as_str);
        let replaces = replaces == Some(MetadataDirective::REPLACE);
        let (from_bucket, from_key, from_version) = named(&input.copy_source)?;
        if (from_bucket, from_key) == (&*input.bucket, &*input.key) && from_version.is_none() && !replaces {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let conditions = Conditions {
            if_match: input.copy_source_if_match.as_ref(),
            if_none_match: input.copy_source_if_none_match.as_ref(),
            if_modified_since: input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        let Source { version, content, bytes, _held } = self.source(&request, &input.copy_source, &conditions).await?;
        let (content_type, metadata) = if replaces {
            let metadata = input.metadata.clone().unwrap_or_default();
            received::check_metadata(&metadata)?;
            (input.content_type.clone(), metadata.into_iter().collect::<BTreeMap<_, _>>())
        } else {
            (content.content_type, content.metadata)
        };
        let object = NewObject { body: bytes.into(), content_type, metadata };
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let copy = self.on_store(move |store| store.put(&bucket, &key, object, &Precondition::None)).await?;
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: copy.content.map(|content| ETag::Strong(content.etag)),
                last_modified: Some(copy.last_modified.into()),
                ..CopyObjectResult::default()
            }),
            copy_source_version_id: Some(version.id),
            version_id: Some(copy.id),
            ..CopyObjectOutput::default()
        })
    }

    /// Copies an object, or a range of it, into a part of an upload.
    pub(crate) async fn copy_part(&self, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let input = &request.input;
        let number = multipart::part_number(input.part_number)?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match.as_ref(),
            if_none_match: input.copy_source_if_none_match.as_ref(),
            if_modified_since: input.copy_source_if_modified_since.as_ref(),
            if_unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        let Source { version, mut bytes, _held, .. } = self.source(&request, &input.copy_source, &conditions).await?;
        if let Some(range) = &input.copy_source_range {
            bytes = bytes[range_of_source(range, bytes.len())?].to_vec();
        }
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let stored = self.on_store(move |store| {
            store.check_bucket(&bucket)?;
            let upload = store.uploads().find(&bucket, &key, &id)?;
            let now = store.now();
            Ok((store.uploads().put_part(&upload, number, &bytes, now)?, now))
        });
        let (etag, now) = stored.await?;
        Ok(UploadPartCopyOutput {
            copy_part_result: Some(CopyPartResult {
                e_tag: Some(ETag::Strong(etag)),
                last_modified: Some(now.into()),
                ..CopyPartResult::default()
            }),
            copy_source_version_id: Some(version.id),
            ..UploadPartCopyOutput::default()
        })
    }

    /// Reads the source of a copy, which the principal may read.
    async fn source<T>(
        &self,
        request: &S3Request<T>,
        source: &CopySource,
        conditions: &Conditions<'_>,
    ) -> S3Result<Source> {
        let found = self.find(request, named(source)?).await?;
        let version = found.version.clone();
        let content = version.content.clone().ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
        })?;
        // RFC 9110 has 304 for a read; a copy has not been made.
        conditions.check(&content, version.last_modified).map_err(|_| precondition_failed())?;
        let held = self.memory.reserve(content.size).await?;
        let bytes = self.on_store(move |_| found.read()).await?;
        Ok(Source { version, content, bytes, _held: held })
    }
}

/// The bytes of a source that a range names; it ends inside the source.
///
/// # Errors
/// `InvalidArgument`.
fn range_of_source(range: &str, length: usize) -> S3Result<std::ops::RangeInclusive<usize>> {
    let Ok(Range::Int { first, last: Some(last) }) = Range::parse(range) else {
        return Err(s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy"
        ));
    };
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) if last < length => Ok(first..=last),
        _ => Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {length}")),
    }
}

/// Bucket, key and version id of a source.
fn named(source: &CopySource) -> Result<(&str, &str, Option<&str>), S3Error> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => Ok((bucket, key, version_id.as_deref())),
        _ => Err(s3_error!(NotImplemented, "A copy's source is named by its bucket.")),
    }
}
