//! Pages of ListObjectVersions.

use std::cmp::Ordering;

use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion,
    ObjectVersionStorageClass,
};
use s3s::{S3Result, s3_error};

use crate::listing::{Text, common_prefix, page_length};
use crate::object_store::Version;

/// The key and the version id behind which a page starts, if it starts at a version.
///
/// # Errors
/// `InvalidArgument` for a version id without a key, and for an empty one.
pub(crate) fn marker(input: &ListObjectVersionsInput) -> S3Result<Option<(String, String)>> {
    let key = input.key_marker.as_deref().filter(|key| !key.is_empty());
    match (key, input.version_id_marker.as_deref()) {
        (_, None) => Ok(None),
        (None, Some(_)) => {
            Err(s3_error!(InvalidArgument, "A version-id marker cannot be specified without a key marker."))
        }
        (Some(_), Some("")) => Err(s3_error!(InvalidArgument, "A version-id marker cannot be empty.")),
        (Some(key), Some(id)) => Ok(Some((key.to_owned(), id.to_owned()))),
    }
}

/// Makes the page of ListObjectVersions that `input` asks for, out of all versions with its prefix, sorted by key and the
/// newest of a key first.
///
/// A page starts behind the entry that its markers name. That may be a common prefix, which has no version id.
///
/// # Errors
/// `InvalidArgument` for a bad page length or encoding.
pub(crate) fn page(input: ListObjectVersionsInput, versions: &[Version]) -> S3Result<ListObjectVersionsOutput> {
    let text = Text::new(input.encoding_type.as_ref())?;
    let (max_keys, limit) = page_length(input.max_keys)?;
    let Entries { versions: entries, delete_markers, common_prefixes, next } = entries(&input, versions, limit, &text);
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: input.prefix.as_deref().map(|prefix| text.write(prefix)),
        delimiter: input.delimiter.as_deref().map(|delimiter| text.write(delimiter)),
        key_marker: Some(text.write(input.key_marker.as_deref().unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        encoding_type: input.encoding_type,
        max_keys: Some(max_keys),
        is_truncated: Some(next.is_some()),
        next_key_marker: next.as_ref().map(|(key, _)| text.write(key)),
        next_version_id_marker: next.and_then(|(_, id)| id).map(str::to_owned),
        versions: Some(entries),
        delete_markers: Some(delete_markers),
        common_prefixes: Some(common_prefixes),
        ..ListObjectVersionsOutput::default()
    })
}

/// The entries of a page.
#[derive(Default)]
struct Entries<'a> {
    versions: Vec<ObjectVersion>,
    delete_markers: Vec<DeleteMarkerEntry>,
    common_prefixes: Vec<CommonPrefix>,
    /// The last entry, if there are others behind it: a key with a version id, or a common prefix.
    next: Option<(&'a str, Option<&'a str>)>,
}

fn entries<'a>(input: &ListObjectVersionsInput, versions: &'a [Version], limit: usize, text: &Text) -> Entries<'a> {
    let (prefix, delimiter) = (input.prefix.as_deref().unwrap_or_default(), input.delimiter.as_deref());
    let mut page = Entries::default();
    let (mut count, mut last) = (0, None);
    for (index, version) in versions.iter().enumerate().filter(|(_, version)| is_behind_marker(input, version)) {
        let common = common_prefix(&version.key, prefix, delimiter);
        let entry = common.map_or((version.key.as_str(), Some(version.id.as_str())), |common| (common, None));
        if last == Some(entry) {
            continue;
        }
        if count == limit {
            page.next = last;
            break;
        }
        let is_latest = index == 0 || versions[index - 1].key != version.key;
        match common {
            Some(common) => page.common_prefixes.push(CommonPrefix { prefix: Some(text.write(common)) }),
            None => page.push(version, is_latest, text),
        }
        (count, last) = (count + 1, Some(entry));
    }
    page
}

impl Entries<'_> {
    fn push(&mut self, version: &Version, is_latest: bool, text: &Text) {
        match &version.content {
            Some(content) => self.versions.push(ObjectVersion {
                key: Some(text.write(&version.key)),
                version_id: Some(version.id.clone()),
                is_latest: Some(is_latest),
                last_modified: Some(version.last_modified.into()),
                e_tag: Some(ETag::Strong(content.etag.clone())),
                size: i64::try_from(content.size).ok(),
                storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
                ..ObjectVersion::default()
            }),
            None => self.delete_markers.push(DeleteMarkerEntry {
                key: Some(text.write(&version.key)),
                version_id: Some(version.id.clone()),
                is_latest: Some(is_latest),
                last_modified: Some(version.last_modified.into()),
                owner: None,
            }),
        }
    }
}

/// Returns `true` if a version comes behind the entry that the markers name; without a version id, behind all of the key.
fn is_behind_marker(input: &ListObjectVersionsInput, version: &Version) -> bool {
    let marker = input.key_marker.as_deref().unwrap_or_default();
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let is_prefix = common_prefix(marker, prefix, input.delimiter.as_deref()) == Some(marker);
    match version.key.as_str().cmp(marker) {
        Ordering::Less => false,
        Ordering::Equal => input.version_id_marker.as_deref().is_some_and(|marker| version.id.as_str() < marker),
        Ordering::Greater => !is_prefix || !version.key.starts_with(marker),
    }
}
