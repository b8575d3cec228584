//! The versions of one key: the files of its directory.

use std::path::Path;

use s3s::crypto::{Checksum as _, Sha256};

use super::error::ObjectStoreError;
use super::files::names_in;
use super::hex::hex;
use super::version::{Precondition, Version};
use super::version_file::VersionFile;

/// Length of a version id in hex digits.
const VERSION_ID_LENGTH: usize = 32;

/// Length of a version's number, with which its id begins.
const NUMBER_LENGTH: usize = 16;

/// Length of the digits at the end of a version id that follow from those before them.
const CHECK_LENGTH: usize = 8;

/// A version that was found and opened; it can be read even if it is removed meanwhile.
#[derive(Debug)]
pub struct Found {
    /// The version.
    pub version: Version,
    file: VersionFile,
}

impl Found {
    /// The object's bytes, checked against the length and the SHA-256 they were stored with; empty for a
    /// delete marker.
    ///
    /// # Errors
    /// [`ObjectStoreError::Broken`] when they differ, [`ObjectStoreError::Io`].
    pub fn read(self) -> Result<Vec<u8>, ObjectStoreError> {
        match &self.version.content {
            Some(content) => self.file.read_body(content),
            None => Ok(Vec::new()),
        }
    }
}

/// Judges a condition against the current version; a delete marker counts as absent.
pub(super) fn check(condition: &Precondition, directory: &Path) -> Result<(), ObjectStoreError> {
    if *condition == Precondition::None {
        return Ok(());
    }
    let current = newest_version(directory)?.and_then(|found| found.version.content);
    match (condition, current) {
        (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
        (Precondition::Matches(etag), Some(content)) if content.etag == *etag => Ok(()),
        (Precondition::Matches(_), None) => Err(ObjectStoreError::NoSuchKey { delete_marker: None }),
        (Precondition::Absent | Precondition::Matches(_), Some(_)) => Err(ObjectStoreError::PreconditionFailed),
    }
}

pub(super) fn newest_version(directory: &Path) -> Result<Option<Found>, ObjectStoreError> {
    loop {
        let Some(newest) = version_ids(directory)?.into_iter().next() else {
            return Ok(None);
        };
        // Gone between listing and opening: a newer version has taken its place, or it was deleted for good.
        if let Some(found) = open_version(directory, &newest)? {
            return Ok(Some(found));
        }
    }
}

pub(super) fn open_version(directory: &Path, id: &str) -> Result<Option<Found>, ObjectStoreError> {
    if !is_version_id(id) {
        return Ok(None);
    }
    let opened = VersionFile::open(directory.join(id), id)?;
    Ok(opened.map(|(version, file)| Found { version, file }))
}

/// The ids of all versions of a key, newest first. Files with other names are ignored.
pub(super) fn version_ids(directory: &Path) -> Result<Vec<String>, ObjectStoreError> {
    let mut ids = names_in(directory)?;
    ids.retain(|name| is_version_id(name));
    ids.reverse();
    Ok(ids)
}

fn is_version_id(id: &str) -> bool {
    id.len() == VERSION_ID_LENGTH && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn next_version_id(directory: &Path, newest: Option<&String>) -> String {
    let number = newest.and_then(|id| u64::from_str_radix(&id[..NUMBER_LENGTH], 16).ok());
    let id = format!("{:016x}{:08x}", number.map_or(0, |n| n.saturating_add(1)), rand::random::<u32>());
    let digits = check_digits(directory, &id);
    id + &digits
}

/// Returns `true` if a version of the key has this id, or had it and was removed. A version that is there is known even if
/// its id does not end with [`check_digits`].
pub(super) fn was_given(directory: &Path, id: &str) -> bool {
    is_version_id(id) && {
        let (start, digits) = id.split_at(VERSION_ID_LENGTH - CHECK_LENGTH);
        digits == check_digits(directory, start) || directory.join(id).exists()
    }
}

/// The last digits of a version id, by its others and the name of its key's directory.
fn check_digits(directory: &Path, start: &str) -> String {
    let key = directory.file_name().unwrap_or_default().as_encoded_bytes();
    let mut digits = hex(&Sha256::checksum(&[key, start.as_bytes()].concat()));
    digits.truncate(CHECK_LENGTH);
    digits
}
