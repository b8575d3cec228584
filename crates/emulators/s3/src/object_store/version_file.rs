//! The file format of one version.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use s3s::crypto::{Checksum as _, Crc32, Sha256};

use super::error::ObjectStoreError;
use super::version::{Content, Version};

/// First bytes of every version file; the digit is the version of the format.
const MAGIC: [u8; 8] = *b"FFOBJ-1\n";

/// Longest header in bytes: more than the headers of a request that the server reads can fill.
const MAX_HEADER_LENGTH: u32 = 1_048_576;

/// An open version file, positioned at its body.
///
/// | offset | bytes | field                                                             |
/// |--------|-------|-------------------------------------------------------------------|
/// |      0 |     8 | magic, `b"FFOBJ-1\n"`                                             |
/// |      8 |     4 | length n of the header, little-endian                             |
/// |     12 |     4 | CRC-32 of the header, big-endian                                  |
/// |     16 |     n | header: [`Version`] in JSON, without its id                       |
/// |   16+n |       | body, to the end of the file; the header holds its size and hash  |
#[derive(Debug)]
pub(super) struct VersionFile {
    file: File,
    path: PathBuf,
}

impl VersionFile {
    /// Opens the file of the version `id` and reads its header; `None` if there is no such file.
    pub(super) fn open(path: PathBuf, id: &str) -> Result<Option<(Version, Self)>, ObjectStoreError> {
        let mut opened = match File::open(&path) {
            Ok(file) => Self { file, path },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ObjectStoreError::io(&path)(error)),
        };
        let magic = opened.read_array::<8>()?;
        let length = u32::from_le_bytes(opened.read_array()?);
        let crc = opened.read_array::<4>()?;
        if magic != MAGIC || length > MAX_HEADER_LENGTH {
            return Err(opened.broken("it does not start like a stored object"));
        }
        let header = opened.read_up_to(u64::from(length))?;
        if Crc32::checksum(&header) != crc {
            return Err(opened.broken("its header is damaged"));
        }
        let version: Version = serde_json::from_slice(&header).map_err(|error| opened.broken(&error.to_string()))?;
        Ok(Some((Version { id: id.to_owned(), ..version }, opened)))
    }

    /// Reads the rest of the file and compares its length and SHA-256 with those of `content`.
    pub(super) fn read_body(mut self, content: &Content) -> Result<Vec<u8>, ObjectStoreError> {
        let body = self.read_up_to(content.size.saturating_add(1))?;
        if body.len() as u64 != content.size {
            return Err(self.broken(&format!("its body has {} bytes instead of {}", body.len(), content.size)));
        }
        if Sha256::checksum(&body) != content.sha256 {
            return Err(self.broken("its body has another SHA-256 than the one stored"));
        }
        Ok(body)
    }

    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], ObjectStoreError> {
        let mut bytes = [0; N];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.broken("it is cut short")),
            Err(error) => Err(ObjectStoreError::io(&self.path)(error)),
        }
    }

    fn read_up_to(&mut self, limit: u64) -> Result<Vec<u8>, ObjectStoreError> {
        let mut bytes = Vec::new();
        (&self.file).take(limit).read_to_end(&mut bytes).map_err(ObjectStoreError::io(&self.path))?;
        Ok(bytes)
    }

    fn broken(&self, reason: &str) -> ObjectStoreError {
        ObjectStoreError::Broken { path: self.path.clone(), reason: reason.to_owned() }
    }
}

/// A version file under a temporary name; dropping it removes the file unless it was renamed.
pub(super) struct TemporaryFile {
    path: PathBuf,
    renamed: bool,
}

impl TemporaryFile {
    /// Writes a whole version file under a name of its own in `directory` and syncs it.
    pub(super) fn write(directory: &Path, version: &Version, body: &[u8]) -> Result<Self, ObjectStoreError> {
        let path = directory.join(format!("{:032x}", rand::random::<u128>()));
        let written = Self { path, renamed: false };
        written.fill(version, body).map_err(ObjectStoreError::io(&written.path))?;
        Ok(written)
    }

    fn fill(&self, version: &Version, body: &[u8]) -> io::Result<()> {
        let header = serde_json::to_vec(version)?;
        let length = u32::try_from(header.len()).ok().filter(|length| *length <= MAX_HEADER_LENGTH);
        let length = length.ok_or_else(|| io::Error::other("the key and metadata of an object are too long"))?;
        let mut file = File::create_new(&self.path)?;
        file.write_all(&MAGIC)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&Crc32::checksum(&header))?;
        file.write_all(&header)?;
        file.write_all(body)?;
        file.sync_all()
    }

    /// Moves the file to its place.
    pub(super) fn rename(mut self, to: &Path) -> Result<(), ObjectStoreError> {
        fs::rename(&self.path, to).map_err(ObjectStoreError::io(to))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            // A file that stays behind is removed when the store is opened next.
            let _ = fs::remove_file(&self.path);
        }
    }
}
