//! Pages of ListObjects and ListObjectsV2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    MaxKeys, Object, ObjectStorageClass,
};
use s3s::{S3Result, s3_error};

use crate::object_store::Version;

/// S3's own limit of entries in one answer, and its default.
const MAX_KEYS: MaxKeys = 1000;

/// Makes the page of ListObjectsV2 that `input` asks for, out of all objects with its prefix, sorted by key.
///
/// A continuation token is the last key or common prefix of the page before, in Base64.
///
/// # Errors
/// `InvalidArgument` for a bad continuation token, page length or encoding.
pub(crate) fn objects(input: ListObjectsV2Input, objects: &[Version]) -> S3Result<ListObjectsV2Output> {
    let text = Text::new(input.encoding_type.as_ref())?;
    let (max_keys, limit) = page_length(input.max_keys)?;
    let token = input.continuation_token.as_deref().map(decode_token).transpose()?;
    let prefix = input.prefix.as_deref().unwrap_or_default();

    let start_after = input.start_after.as_deref();
    let page = page(objects, (prefix, input.delimiter.as_deref()), (start_after, token.as_deref()), limit, &text);
    let next_token = page.next.map(|last| BASE64.encode(last));
    let (contents, common_prefixes) = (page.contents, page.common_prefixes);
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(text.write(prefix)),
        delimiter: input.delimiter.as_deref().map(|delimiter| text.write(delimiter)),
        start_after: input.start_after.as_deref().map(|key| text.write(key)),
        encoding_type: input.encoding_type,
        max_keys: Some(max_keys),
        key_count: MaxKeys::try_from(contents.len() + common_prefixes.len()).ok(),
        is_truncated: Some(next_token.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: next_token,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        ..ListObjectsV2Output::default()
    })
}

/// Makes the page of ListObjects (version 1) that `input` asks for, out of all objects with its prefix, sorted by key.
///
/// `NextMarker` stands in it where there is a delimiter, as S3 has it; else clients go on behind the last key.
///
/// # Errors
/// `InvalidArgument` for a bad page length or encoding.
pub(crate) fn objects_v1(input: ListObjectsInput, objects: &[Version]) -> S3Result<ListObjectsOutput> {
    let text = Text::new(input.encoding_type.as_ref())?;
    let (max_keys, limit) = page_length(input.max_keys)?;
    let (prefix, delimiter) = (input.prefix.as_deref().unwrap_or_default(), input.delimiter.as_deref());
    let marker = input.marker.as_deref().filter(|marker| !marker.is_empty());
    // A marker that is a common prefix is the last entry of a page: all keys with it are behind that page.
    let is_entry = marker.is_some_and(|marker| common_prefix(marker, prefix, delimiter) == Some(marker));
    let behind = if is_entry { (None, marker) } else { (marker, None) };
    let page = page(objects, (prefix, delimiter), behind, limit, &text);
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(text.write(prefix)),
        marker: Some(text.write(marker.unwrap_or_default())),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.filter(|_| delimiter.is_some()).map(|last| text.write(&last)),
        delimiter: delimiter.map(|delimiter| text.write(delimiter)),
        encoding_type: input.encoding_type,
        max_keys: Some(max_keys),
        contents: Some(page.contents),
        common_prefixes: Some(page.common_prefixes),
        ..ListObjectsOutput::default()
    })
}

/// A page of keys and common prefixes.
struct Page {
    contents: Vec<Object>,
    common_prefixes: Vec<CommonPrefix>,
    /// The last entry, if there are others behind it.
    next: Option<String>,
}

/// Makes a page of at most `limit` entries, of the keys behind the first text, and of entries behind the second one.
fn page(
    objects: &[Version],
    (prefix, delimiter): (&str, Option<&str>),
    (start_after, token): (Option<&str>, Option<&str>),
    limit: usize,
    text: &Text,
) -> Page {
    let mut page = Page { contents: Vec::new(), common_prefixes: Vec::new(), next: None };
    let mut last = token;
    for object in objects.iter().filter(|object| Some(object.key.as_str()) > start_after) {
        let common_prefix = common_prefix(&object.key, prefix, delimiter);
        let entry = common_prefix.unwrap_or(&object.key);
        if last.is_some_and(|last| entry <= last) {
            continue;
        }
        if page.contents.len() + page.common_prefixes.len() == limit {
            page.next = last.map(str::to_owned);
            break;
        }
        match common_prefix {
            Some(common) => page.common_prefixes.push(CommonPrefix { prefix: Some(text.write(common)) }),
            None => page.contents.push(describe_object(object, text)),
        }
        last = Some(entry);
    }
    page
}

fn describe_object(object: &Version, text: &Text) -> Object {
    let content = object.content.as_ref();
    Object {
        key: Some(text.write(&object.key)),
        last_modified: Some(object.last_modified.into()),
        e_tag: content.map(|content| ETag::Strong(content.etag.clone())),
        size: content.and_then(|content| i64::try_from(content.size).ok()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    }
}

/// The key up to and with the first delimiter behind the prefix, if there is one.
pub(crate) fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let position = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + position + delimiter.len())
}

/// The page length to report, and how many entries the page has at most.
pub(crate) fn page_length(max_keys: Option<MaxKeys>) -> S3Result<(MaxKeys, usize)> {
    let max_keys = max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    match usize::try_from(max_keys) {
        Ok(limit) => Ok((max_keys, limit)),
        Err(_) => Err(s3_error!(InvalidArgument, "max-keys must not be negative.")),
    }
}

fn decode_token(token: &str) -> S3Result<String> {
    let decoded = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

/// Writes keys into the answer, as they are or percent-encoded: XML cannot carry every character.
pub(crate) struct Text {
    percent_encoded: bool,
}

impl Text {
    pub(crate) fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { percent_encoded: false }),
            Some(EncodingType::URL) => Ok(Self { percent_encoded: true }),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    pub(crate) fn write(&self, text: &str) -> String {
        if !self.percent_encoded {
            return text.to_owned();
        }
        let encode = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(encode).collect()
    }
}
