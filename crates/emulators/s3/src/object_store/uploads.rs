//! Multipart uploads: objects whose parts arrive one by one.
//!
//! | path below the root          | content                                             |
//! |------------------------------|-----------------------------------------------------|
//! | `uploads/<id>/upload`        | [`Upload`] in JSON, without its id                  |
//! | `uploads/<id>/<n>-<etag>`    | the bytes of part n, five digits, by their MD5      |
//!
//! An upload stays until it is completed or aborted. Upload ids are 32 random hex digits.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5, Sha256};
use serde::{Deserialize, Serialize};

use super::error::ObjectStoreError;
use super::files::{make_directory, names_in, sync_directory};
use super::hex::hex;
use super::version::Content;

/// The file that describes an upload.
const DESCRIPTION: &str = "upload";

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The upload id.
    #[serde(skip)]
    pub id: String,
    /// The bucket of the object.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The content type to give it.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
    /// The time at which the upload was begun.
    pub initiated: SystemTime,
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, which orders the parts.
    pub number: u16,
    /// The MD5 of its bytes in 32 hex digits, without quotes.
    pub etag: String,
    /// Length in bytes.
    pub size: u64,
    /// The time at which it was written.
    pub last_modified: SystemTime,
}

/// The multipart uploads of a store.
#[derive(Debug)]
pub struct Uploads {
    root: PathBuf,
    uploads: PathBuf,
    temporary: PathBuf,
    /// Held while files of an upload take their place or go.
    writing: Mutex<()>,
}

impl Uploads {
    /// The uploads of the store in `root`; files are written in `temporary` first.
    pub(super) fn open(root: &Path, temporary: &Path) -> Self {
        let uploads = root.join("uploads");
        Self { root: root.to_owned(), uploads, temporary: temporary.to_owned(), writing: Mutex::new(()) }
    }

    /// Begins an upload, which gets an id of its own.
    pub(super) fn begin(&self, upload: &Upload) -> Result<String, ObjectStoreError> {
        let id = format!("{:032x}", rand::random::<u128>());
        let directory = self.uploads.join(&id);
        make_directory(&self.root, &self.uploads)?;
        make_directory(&self.uploads, &directory)?;
        let description = serde_json::to_vec(upload).map_err(|error| ObjectStoreError::io(&directory)(error.into()))?;
        let path = directory.join(DESCRIPTION);
        fs::rename(self.write(&description, None)?, &path).map_err(ObjectStoreError::io(&path))?;
        sync_directory(&directory)?;
        Ok(id)
    }

    /// Stores a part as one of the time `now`, in place of one of the same number, and returns its ETag.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchUpload`], [`ObjectStoreError::Io`].
    pub fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        body: &[u8],
        now: SystemTime,
    ) -> Result<String, ObjectStoreError> {
        let etag = hex(&Md5::checksum(body));
        let name = part_name(number, &etag);
        let written = self.write(body, Some(now))?;

        let _writing = self.lock();
        let directory = self.directory(&upload.id).inspect_err(|_| drop(fs::remove_file(&written)))?;
        let path = directory.join(&name);
        fs::rename(written, &path).map_err(ObjectStoreError::io(&path))?;
        for other in names_in(&directory)? {
            let is_other = part_number(&other) == Some(number) && other != name;
            let path = directory.join(other);
            if is_other {
                fs::remove_file(&path).map_err(ObjectStoreError::io(&path))?;
            }
        }
        sync_directory(&directory)?;
        Ok(etag)
    }

    /// The upload of this id, if it is one of this key.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchUpload`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn find(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, ObjectStoreError> {
        let found = self.read(id)?.filter(|upload| upload.bucket == bucket && upload.key == key);
        found.ok_or(ObjectStoreError::NoSuchUpload)
    }

    /// The uploads of a bucket whose key starts with `prefix`, by key and the oldest of a key first.
    ///
    /// # Errors
    /// [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Upload>, ObjectStoreError> {
        let mut uploads = Vec::new();
        for id in names_in(&self.uploads)? {
            let upload = self.read(&id)?;
            uploads.extend(upload.filter(|upload| upload.bucket == bucket && upload.key.starts_with(prefix)));
        }
        uploads.sort_by(|a, b| (&a.key, a.initiated, &a.id).cmp(&(&b.key, b.initiated, &b.id)));
        Ok(uploads)
    }

    /// The parts of an upload that have arrived, by number.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchUpload`], [`ObjectStoreError::Io`].
    pub fn parts(&self, upload: &Upload) -> Result<Vec<Part>, ObjectStoreError> {
        let _writing = self.lock();
        let directory = self.directory(&upload.id)?;
        let mut parts = Vec::new();
        for name in names_in(&directory)? {
            let (Some(number), Some((_, etag))) = (part_number(&name), name.split_once('-')) else {
                continue;
            };
            let path = directory.join(&name);
            let metadata = fs::metadata(&path).map_err(ObjectStoreError::io(&path))?;
            let last_modified = metadata.modified().map_err(ObjectStoreError::io(&path))?;
            parts.push(Part { number, etag: etag.to_owned(), size: metadata.len(), last_modified });
        }
        Ok(parts)
    }

    /// Ends an upload and removes its parts.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchUpload`], [`ObjectStoreError::Io`].
    pub fn abort(&self, upload: &Upload) -> Result<(), ObjectStoreError> {
        let _writing = self.lock();
        let directory = self.directory(&upload.id)?;
        fs::remove_dir_all(&directory).map_err(ObjectStoreError::io(&directory))
    }

    /// Has the object of these parts, each of a number and an ETag, stored by `store`, and ends the upload.
    pub(super) fn complete<T>(
        &self,
        upload: &Upload,
        parts: &[(u16, String)],
        store: impl FnOnce(Content, &[u8]) -> Result<T, ObjectStoreError>,
    ) -> Result<T, ObjectStoreError> {
        let _writing = self.lock();
        let directory = self.directory(&upload.id)?;
        let (mut body, mut digests, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (number, etag) in parts {
            let path = directory.join(part_name(*number, etag));
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ObjectStoreError::NoSuchPart),
                Err(error) => return Err(ObjectStoreError::io(&path)(error)),
            };
            let digest = Md5::checksum(&bytes);
            if hex(&digest) != *etag {
                return Err(ObjectStoreError::Broken {
                    path,
                    reason: "it has another MD5 than the one stored".to_owned(),
                });
            }
            digests.extend(digest);
            lengths.push(bytes.len() as u64);
            body.extend(bytes);
        }
        let content = Content {
            size: body.len() as u64,
            // S3's ETag of such an object: the MD5 of its parts' MD5s, and their number.
            etag: format!("{}-{}", hex(&Md5::checksum(&digests)), parts.len()),
            sha256: Sha256::checksum(&body),
            parts: lengths,
            content_type: upload.content_type.clone(),
            metadata: upload.metadata.clone(),
        };
        let stored = store(content, &body)?;
        // The object is stored. An upload that cannot be removed now can still be aborted.
        let _ = fs::remove_dir_all(&directory);
        Ok(stored)
    }

    fn read(&self, id: &str) -> Result<Option<Upload>, ObjectStoreError> {
        let Ok(directory) = self.directory(id) else {
            return Ok(None);
        };
        let path = directory.join(DESCRIPTION);
        let description = match fs::read(&path) {
            Ok(description) => description,
            // The upload has just ended, or a process was killed while it began it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ObjectStoreError::io(&path)(error)),
        };
        match serde_json::from_slice::<Upload>(&description) {
            Ok(upload) => Ok(Some(Upload { id: id.to_owned(), ..upload })),
            Err(error) => Err(ObjectStoreError::Broken { path, reason: error.to_string() }),
        }
    }

    /// The directory of an upload, which exists. Only ids that were made here are safe as file names.
    fn directory(&self, id: &str) -> Result<PathBuf, ObjectStoreError> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let directory = self.uploads.join(id);
        if is_id && directory.is_dir() { Ok(directory) } else { Err(ObjectStoreError::NoSuchUpload) }
    }

    /// Writes a file under a temporary name, with this date, and syncs it. One that stays behind is removed when the store is
    /// opened next.
    fn write(&self, bytes: &[u8], date: Option<SystemTime>) -> Result<PathBuf, ObjectStoreError> {
        let path = self.temporary.join(format!("{:032x}", rand::random::<u128>()));
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            date.map_or(Ok(()), |date| file.set_modified(date))?;
            file.sync_all()
        });
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(ObjectStoreError::io(&path)(error))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn part_name(number: u16, etag: &str) -> String {
    format!("{number:05}-{etag}")
}

/// The number in the name of a part's file.
fn part_number(name: &str) -> Option<u16> {
    name.split_once('-')?.0.parse().ok()
}
