//! Multipart uploads.

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, PartNumber, StorageClass,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Result, dto, s3_error};

use crate::conditions::precondition;
use crate::listing::Text;
use crate::memory::MAX_OBJECT_LENGTH;
use crate::object_store::{Part, Upload};
use crate::operations::Operations;
use crate::received;
use crate::refusal::{no_such_part, too_large};

/// S3's greatest part number.
const MAX_PART_NUMBER: u16 = 10_000;

/// S3's least length of a part that is not the last, in bytes.
const MIN_PART_LENGTH: u64 = 5 * 1024 * 1024;

/// S3's limit of entries in one answer, and its default.
const MAX_ENTRIES: i32 = 1000;

impl Operations {
    /// CreateMultipartUpload.
    pub(crate) async fn create_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<CreateMultipartUploadOutput> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let CreateMultipartUploadInput { bucket, key, content_type, metadata, .. } = request.input;
        let metadata = metadata.unwrap_or_default();
        received::check_metadata(&metadata)?;
        let (of_bucket, of_key) = (bucket.clone(), key.clone());
        let begun = self.on_store(move |store| {
            store.begin_upload(&Upload {
                id: String::new(),
                bucket: of_bucket,
                key: of_key,
                content_type,
                metadata: metadata.into_iter().collect(),
                initiated: store.now(),
            })
        });
        let id = begun.await?;
        Ok(CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        })
    }

    /// UploadPart.
    pub(crate) async fn put_part(&self, mut request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let (body, declared) = (request.input.body.take(), request.input.content_length);
        let body = received::body(&mut request, body, declared).await?;
        let UploadPartInput { bucket, key, upload_id, part_number: number, .. } = request.input;
        let number = part_number(number)?;
        let stored = self.on_store(move |store| {
            store.check_bucket(&bucket)?;
            let upload = store.uploads().find(&bucket, &key, &upload_id)?;
            store.uploads().put_part(&upload, number, &body, store.now())
        });
        Ok(UploadPartOutput { e_tag: Some(ETag::Strong(stored.await?)), ..UploadPartOutput::default() })
    }

    /// CompleteMultipartUpload.
    pub(crate) async fn complete_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<CompleteMultipartUploadOutput> {
        self.authorize(request.credentials.as_ref(), "s3:PutObject")?;
        let CompleteMultipartUploadInput { bucket, key, upload_id, if_match, if_none_match, multipart_upload, .. } =
            request.input;
        let condition = precondition(if_match, if_none_match)?;
        let (upload, arrived) = self.upload(&bucket, &key, upload_id).await?;
        let listed = multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (parts, length) = chosen(&listed, &arrived)?;
        let _held = self.memory.reserve(length).await?;
        let version = self.on_store(move |store| store.complete_upload(&upload, &parts, &condition)).await?;
        Ok(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: version.content.map(|content| ETag::Strong(content.etag)),
            version_id: Some(version.id),
            ..CompleteMultipartUploadOutput::default()
        })
    }

    /// AbortMultipartUpload.
    pub(crate) async fn abort_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<AbortMultipartUploadOutput> {
        self.authorize(request.credentials.as_ref(), "s3:AbortMultipartUpload")?;
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = request.input;
        let aborted = self.on_store(move |store| {
            store.check_bucket(&bucket)?;
            let upload = store.uploads().find(&bucket, &key, &upload_id)?;
            store.uploads().abort(&upload)
        });
        aborted.await?;
        Ok(AbortMultipartUploadOutput::default())
    }

    /// ListParts.
    pub(crate) async fn list_parts_of_upload(&self, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
        self.authorize(request.credentials.as_ref(), "s3:ListMultipartUploadParts")?;
        let ListPartsInput { bucket, key, upload_id, max_parts, part_number_marker, .. } = request.input;
        let (max_parts, limit) = page_length(max_parts)?;
        let (upload, arrived) = self.upload(&bucket, &key, upload_id).await?;
        let behind = |part: &Part| part_number_marker.is_none_or(|marker| i32::from(part.number) > marker);
        let mut parts: Vec<_> = arrived.into_iter().filter(behind).collect();
        let is_truncated = parts.len() > limit;
        parts.truncate(limit);
        Ok(ListPartsOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload.id),
            max_parts: Some(max_parts),
            part_number_marker,
            is_truncated: Some(is_truncated),
            next_part_number_marker: parts.last().map(|part| i32::from(part.number)),
            parts: Some(parts.into_iter().map(describe_part).collect()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..ListPartsOutput::default()
        })
    }

    /// ListMultipartUploads.
    pub(crate) async fn list_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<ListMultipartUploadsOutput> {
        self.authorize(request.credentials.as_ref(), "s3:ListBucketMultipartUploads")?;
        let input = request.input;
        if input.delimiter.is_some() {
            return Err(s3_error!(NotImplemented, "Uploads are listed without a delimiter."));
        }
        let text = Text::new(input.encoding_type.as_ref())?;
        let (max_uploads, limit) = page_length(input.max_uploads)?;
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let uploads = self.on_store(move |store| {
            store.check_bucket(&bucket)?;
            store.uploads().list(&bucket, &prefix)
        });
        let uploads = uploads.await?;
        let start = start_of_page(&uploads, input.key_marker.as_deref(), input.upload_id_marker.as_deref());
        let page: Vec<_> = uploads.iter().skip(start).take(limit).collect();
        let next = page.last().filter(|_| start + page.len() < uploads.len());
        Ok(ListMultipartUploadsOutput {
            is_truncated: Some(next.is_some()),
            next_key_marker: next.map(|upload| text.write(&upload.key)),
            next_upload_id_marker: next.map(|upload| upload.id.clone()),
            uploads: Some(page.iter().map(|upload| describe_upload(upload, &text)).collect()),
            bucket: Some(input.bucket),
            prefix: input.prefix.as_deref().map(|prefix| text.write(prefix)),
            key_marker: input.key_marker.as_deref().map(|marker| text.write(marker)),
            upload_id_marker: input.upload_id_marker,
            encoding_type: input.encoding_type,
            max_uploads: Some(max_uploads),
            ..ListMultipartUploadsOutput::default()
        })
    }

    /// An upload and the parts that have arrived.
    async fn upload(&self, bucket: &str, key: &str, id: String) -> S3Result<(Upload, Vec<Part>)> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let found = self.on_store(move |store| {
            store.check_bucket(&bucket)?;
            let upload = store.uploads().find(&bucket, &key, &id)?;
            let parts = store.uploads().parts(&upload)?;
            Ok((upload, parts))
        });
        found.await
    }
}

/// A part's number.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn part_number(number: PartNumber) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number));
    number.ok_or_else(|| {
        s3_error!(InvalidArgument, "Part number must be an integer between 1 and {MAX_PART_NUMBER}, inclusive")
    })
}

/// Number and ETag of the parts that make an object, and its length.
fn chosen(listed: &[CompletedPart], arrived: &[Part]) -> S3Result<(Vec<(u16, String)>, u64)> {
    if listed.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let numbers = listed.iter().map(|part| part.part_number.map_or_else(|| Err(no_such_part()), part_number));
    let numbers = numbers.collect::<S3Result<Vec<_>>>()?;
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let (mut parts, mut length) = (Vec::new(), 0_u64);
    for (index, (part, number)) in listed.iter().zip(numbers).enumerate() {
        let etag = part.e_tag.as_ref().map(ETag::value).unwrap_or_default();
        let found = arrived.iter().find(|part| part.number == number && part.etag == etag).ok_or_else(no_such_part)?;
        if found.size < MIN_PART_LENGTH && index + 1 < listed.len() {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed object size."
            ));
        }
        length += found.size;
        parts.push((number, found.etag.clone()));
    }
    if length > MAX_OBJECT_LENGTH { Err(too_large()) } else { Ok((parts, length)) }
}

/// The page length to report, and how many entries the page has at most.
fn page_length(asked: Option<i32>) -> S3Result<(i32, usize)> {
    let length = asked.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
    match usize::try_from(length) {
        Ok(limit) => Ok((length, limit)),
        Err(_) => Err(s3_error!(InvalidArgument, "The length of a page must not be negative.")),
    }
}

/// The index of the first upload behind the one that the markers name; without an upload id, behind all of the key.
fn start_of_page(uploads: &[Upload], key_marker: Option<&str>, id_marker: Option<&str>) -> usize {
    let Some(key) = key_marker else {
        return 0;
    };
    let named = id_marker.and_then(|id| uploads.iter().position(|upload| upload.key == key && upload.id == id));
    named.map_or_else(|| uploads.partition_point(|upload| upload.key.as_str() <= key), |index| index + 1)
}

fn describe_part(part: Part) -> dto::Part {
    dto::Part {
        part_number: Some(part.number.into()),
        e_tag: Some(ETag::Strong(part.etag)),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(part.last_modified.into()),
        ..dto::Part::default()
    }
}

fn describe_upload(upload: &Upload, text: &Text) -> MultipartUpload {
    MultipartUpload {
        key: Some(text.write(&upload.key)),
        upload_id: Some(upload.id.clone()),
        initiated: Some(upload.initiated.into()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..MultipartUpload::default()
    }
}
