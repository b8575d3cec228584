//! GetObject and HeadObject.

use std::ops::Range;

use bytes::Bytes;
use s3s::dto::{
    self, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PartNumber, PartsCount,
    StreamingBlob,
};
use s3s::{S3Request, S3Result, s3_error};
use tokio::sync::OwnedSemaphorePermit;

use crate::checksum;
use crate::conditions::Conditions;
use crate::multipart::part_number;
use crate::object_store::{Content, Version};
use crate::operations::Operations;
use crate::refusal::{no_such_part_of_object, read_of_delete_marker};

/// The content type S3 gives to an object that was stored without one.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

impl Operations {
    /// Reads an object, a range or a part of it.
    pub(crate) async fn get(&self, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let input = &request.input;
        let found = self.find(&request, (&input.bucket, &input.key, input.version_id.as_deref())).await?;
        let Version { id, last_modified, content, .. } = found.version.clone();
        let content = content.ok_or_else(|| read_of_delete_marker(&id))?;
        let conditions = Conditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check(&content, last_modified)?;
        let section = Section::of(&content, input.range, input.part_number)?;

        let held = self.memory.reserve(content.size).await?;
        let bytes = self.on_store(move |_| found.read()).await?;
        let whole = Bytes::from_owner(HeldBytes { bytes, _held: held });
        let bound = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
        let body = whole.slice(bound(section.bytes.start)..bound(section.bytes.end));
        Ok(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(body.len()).ok(),
            checksum_sha256: section.checksum(&content, input.checksum_mode.is_some()),
            content_range: section.content_range,
            parts_count: section.parts_count,
            body: Some(StreamingBlob::from(s3s::Body::from(body))),
            content_type: Some(content_type(&content)),
            e_tag: Some(ETag::Strong(content.etag)),
            last_modified: Some(last_modified.into()),
            metadata: Some(content.metadata.into_iter().collect()),
            version_id: Some(id),
            ..GetObjectOutput::default()
        })
    }

    /// Like [`Operations::get`], but without the bytes.
    pub(crate) async fn head(&self, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let input = &request.input;
        let found = self.find(&request, (&input.bucket, &input.key, input.version_id.as_deref())).await?;
        let Version { id, last_modified, content, .. } = found.version;
        let content = content.ok_or_else(|| read_of_delete_marker(&id))?;
        let conditions = Conditions {
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
            if_modified_since: input.if_modified_since.as_ref(),
            if_unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check(&content, last_modified)?;
        let section = Section::of(&content, input.range, input.part_number)?;
        Ok(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(section.bytes.end - section.bytes.start).ok(),
            checksum_sha256: section.checksum(&content, input.checksum_mode.is_some()),
            content_range: section.content_range,
            parts_count: section.parts_count,
            content_type: Some(content_type(&content)),
            e_tag: Some(ETag::Strong(content.etag)),
            last_modified: Some(last_modified.into()),
            metadata: Some(content.metadata.into_iter().collect()),
            version_id: Some(id),
            ..HeadObjectOutput::default()
        })
    }
}

/// The section of an object that a read asks for.
struct Section {
    bytes: Range<u64>,
    /// `None` where all of the object is asked for, and where the section is empty.
    content_range: Option<String>,
    /// `None` unless a part of an object of parts is asked for.
    parts_count: Option<PartsCount>,
}

impl Section {
    /// Finds the section. An object that was stored in one request is its own part 1.
    ///
    /// # Errors
    /// `InvalidRange`, `InvalidPartNumber`; `InvalidArgument` for a number that no part has; `InvalidRequest` where both are
    /// asked for.
    fn of(content: &Content, range: Option<dto::Range>, part: Option<PartNumber>) -> S3Result<Self> {
        let (bytes, parts_count) = match (range, part) {
            (None, None) => return Ok(Self { bytes: 0..content.size, content_range: None, parts_count: None }),
            (Some(range), None) => (range.check(content.size)?, None),
            (None, Some(number)) => (part_of(content, number)?, PartsCount::try_from(content.parts.len()).ok()),
            (Some(_), Some(_)) => {
                let error =
                    s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter");
                return Err(error);
            }
        };
        let last = bytes.end.saturating_sub(1);
        let content_range = format!("bytes {}-{last}/{}", bytes.start, content.size);
        Ok(Self {
            content_range: (!bytes.is_empty()).then_some(content_range),
            bytes,
            parts_count: parts_count.filter(|count| *count > 0),
        })
    }

    /// The checksum of the whole object, if all of it is asked for, and its checksum as well.
    fn checksum(&self, content: &Content, is_asked: bool) -> Option<String> {
        (is_asked && self.content_range.is_none() && self.parts_count.is_none())
            .then(|| checksum::sha256_base64(content))
    }
}

/// The bytes of a part. Parts are counted from 1.
fn part_of(content: &Content, number: PartNumber) -> S3Result<Range<u64>> {
    let index = usize::from(part_number(number)? - 1);
    let whole = [content.size];
    let parts = if content.parts.is_empty() { &whole[..] } else { &content.parts };
    let length = parts.get(index).ok_or_else(no_such_part_of_object)?;
    let start: u64 = parts.iter().take(index).sum();
    Ok(start..start + length)
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

fn content_type(content: &Content) -> String {
    content.content_type.clone().unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())
}
