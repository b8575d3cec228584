//! The versions of one key: the files of its directory.

use std::path::Path;

use super::error::ObjectStoreError;
use super::files::names_in;
use super::version::{Precondition, Version};
use super::version_file::VersionFile;

/// Length of a version id in hex digits: the version's number, then as many random digits.
const VERSION_ID_LENGTH: usize = 32;

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

pub(super) fn next_version_id(newest: Option<&String>) -> String {
    let number = newest.and_then(|id| u64::from_str_radix(&id[..VERSION_ID_LENGTH / 2], 16).ok());
    format!("{:016x}{:016x}", number.map_or(0, |n| n.saturating_add(1)), rand::random::<u64>())
}
