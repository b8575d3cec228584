//! Directories, read and made durably.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::ObjectStoreError;

/// The names in a directory, sorted; an absent directory counts as empty.
pub(super) fn names_in(directory: &Path) -> Result<Vec<String>, ObjectStoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ObjectStoreError::io(directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(ObjectStoreError::io(directory))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Makes a directory, durably; an existing one is left as it is.
pub(super) fn make_directory(parent: &Path, directory: &Path) -> Result<(), ObjectStoreError> {
    match fs::create_dir(directory) {
        Ok(()) => sync_directory(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(ObjectStoreError::io(directory)(error)),
    }
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), ObjectStoreError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(ObjectStoreError::io(directory))
}
