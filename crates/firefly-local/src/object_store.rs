//! A durable, versioned object store on a directory: what the embedded S3 keeps its buckets in.
//!
//! | path below the root                   | what it is                                             |
//! |---------------------------------------|--------------------------------------------------------|
//! | `lock`                                | held while a process has the store open                |
//! | `tmp/<random>`                        | files being written; removed when the store is opened  |
//! | `buckets/<bucket>/<sha256 of key>/<v>`| one whole version of an object, see `version_file`     |
//!
//! A version id `<v>` is 32 hex digits: the number of the version within its key (so that names sort by age), then
//! 64 random bits. A version is written to `tmp`, synced, renamed to its place and its directory synced, so that a
//! process killed at any moment leaves every object as it was before or after, whole. Every bucket is versioned:
//! a delete adds a delete marker, and the newest [`NONCURRENT_VERSIONS_KEPT`] versions behind the current one stay
//! readable by their id.
//!
//! All calls block on the file system.

mod error;
#[cfg(test)]
mod tests;
mod version_file;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum as _, Md5, Sha256};
use s3s::path::check_bucket_name;
use serde::{Deserialize, Serialize};

pub use self::error::StoreError;
use self::version_file::{TemporaryFile, VersionFile};

/// How many versions of a key are kept besides the current one; delete markers count.
pub const NONCURRENT_VERSIONS_KEPT: usize = 10;

/// Length of a version id in hex digits: the version's number, then as many random digits.
const VERSION_ID_LENGTH: usize = 32;

/// Writers of one key exclude each other; keys share this many locks.
const LOCK_STRIPES: usize = 256;

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The key, any string of up to 1024 bytes.
    pub key: String,
    /// The version id, opaque to clients; the name of the version's file.
    #[serde(skip)]
    pub id: String,
    /// When it was written.
    pub last_modified: SystemTime,
    /// What was stored; `None` is a delete marker.
    pub content: Option<Content>,
}

/// What is known of an object's bytes without reading them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Length in bytes.
    pub size: u64,
    /// S3's own ETag, the MD5 of the bytes in 32 hex digits, without quotes.
    pub etag: String,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// The content type it was stored with.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// An object to store.
#[derive(Debug, Clone, Default)]
pub struct NewObject {
    /// The bytes.
    pub body: Bytes,
    /// The content type to give it.
    pub content_type: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// The condition of a put, judged against the current object in the same step that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No condition.
    None,
    /// `If-None-Match: *`: the key has no current object.
    Absent,
    /// `If-Match`: the key has a current object of this ETag (32 hex digits, without quotes).
    Matches(String),
}

/// A version that was found and opened: it can be read even if it is removed meanwhile.
#[derive(Debug)]
pub struct Found {
    /// What was found.
    pub version: Version,
    file: VersionFile,
}

impl Found {
    /// The object's bytes, checked against the length and the SHA-256 they were stored with. A delete marker has none.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when they differ, [`StoreError::Io`].
    pub fn read(self) -> Result<Vec<u8>, StoreError> {
        match &self.version.content {
            Some(content) => self.file.read_body(content),
            None => Ok(Vec::new()),
        }
    }
}

/// The store. See the module for its layout and what it promises.
#[derive(Debug)]
pub struct ObjectStore {
    buckets: PathBuf,
    temporary: PathBuf,
    stripes: Vec<Mutex<()>>,
    /// Locked for as long as the store is open.
    _lock: File,
}

impl ObjectStore {
    /// Opens the store in `dir`, which is made if need be, and removes what an interrupted process left in `tmp`.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Io`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let buckets = dir.join("buckets");
        let temporary = dir.join("tmp");
        for path in [&buckets, &temporary] {
            fs::create_dir_all(path).map_err(StoreError::io(path))?;
        }
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(StoreError::io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(dir.to_owned()),
            TryLockError::Error(source) => StoreError::Io { path: lock_path, source },
        })?;
        for name in names_in(&temporary)? {
            let path = temporary.join(name);
            fs::remove_file(&path).map_err(StoreError::io(&path))?;
        }
        sync_directory(dir)?;
        let stripes = (0..LOCK_STRIPES).map(|_| Mutex::new(())).collect();
        Ok(Self { buckets, temporary, stripes, _lock: lock })
    }

    /// Makes a bucket; one that is there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError::InvalidBucketName`], [`StoreError::Io`].
    pub fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        if !check_bucket_name(name) {
            return Err(StoreError::InvalidBucketName(name.to_owned()));
        }
        make_directory(&self.buckets, &self.buckets.join(name))
    }

    /// The names of all buckets, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn buckets(&self) -> Result<Vec<String>, StoreError> {
        names_in(&self.buckets)
    }

    /// Succeeds when the bucket is there.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub fn check_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.bucket(name).map(drop)
    }

    /// Stores an object as the current version of its key. Of any number of writers whose condition only one can
    /// meet, exactly one succeeds.
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`]; [`StoreError::NoSuchKey`] for [`Precondition::Matches`] on an absent key;
    /// [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`]. The object is as before after
    /// any error, or, if syncing its directory failed, as before or after.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        condition: &Precondition,
    ) -> Result<Version, StoreError> {
        let NewObject { body, content_type, metadata } = object;
        let content = Content {
            size: body.len() as u64,
            etag: hex(&Md5::checksum(&body)),
            sha256: Sha256::checksum(&body),
            content_type,
            metadata,
        };
        self.add_version(bucket, key, Some(content), &body, condition)
    }

    /// Adds a delete marker, as S3 does in a versioned bucket whether or not there is anything to delete.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::Io`].
    pub fn delete(&self, bucket: &str, key: &str) -> Result<Version, StoreError> {
        self.add_version(bucket, key, None, &[], &Precondition::None)
    }

    /// Removes one version for good. Removing the newest one uncovers the one before it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`].
    pub fn delete_version(&self, bucket: &str, key: &str, version_id: &str) -> Result<Version, StoreError> {
        let directory = self.key_directory(bucket, key)?;
        let _writing = self.lock(&directory);
        let version = open_version(&directory, version_id)?.ok_or(StoreError::NoSuchVersion)?.version;
        let path = directory.join(&version.id);
        fs::remove_file(&path).map_err(StoreError::io(&path))?;
        sync_directory(&directory)?;
        Ok(version)
    }

    /// The current object of a key.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`].
    pub fn find(&self, bucket: &str, key: &str) -> Result<Found, StoreError> {
        match newest_version(&self.key_directory(bucket, key)?)? {
            Some(found) if found.version.content.is_some() => Ok(found),
            other => Err(StoreError::NoSuchKey { delete_marker: other.map(|marker| marker.version.id) }),
        }
    }

    /// One version of a key, which may be a delete marker.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`], [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`].
    pub fn find_version(&self, bucket: &str, key: &str, version_id: &str) -> Result<Found, StoreError> {
        open_version(&self.key_directory(bucket, key)?, version_id)?.ok_or(StoreError::NoSuchVersion)
    }

    /// The current objects whose key starts with `prefix`, in the order of their keys' bytes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`].
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Version>, StoreError> {
        let bucket = self.bucket(bucket)?;
        let mut objects = Vec::new();
        for name in names_in(&bucket)? {
            let newest = newest_version(&bucket.join(name))?.map(|found| found.version);
            objects.extend(newest.filter(|version| version.content.is_some() && version.key.starts_with(prefix)));
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// All versions and delete markers of the keys that start with `prefix`, in the order of the keys' bytes, the
    /// newest version of a key first.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::Broken`], [`StoreError::Io`].
    pub fn list_versions(&self, bucket: &str, prefix: &str) -> Result<Vec<Version>, StoreError> {
        let bucket = self.bucket(bucket)?;
        let mut versions = Vec::new();
        for name in names_in(&bucket)? {
            let directory = bucket.join(name);
            for id in version_ids(&directory)? {
                let found = open_version(&directory, &id)?.map(|found| found.version);
                versions.extend(found.filter(|version| version.key.starts_with(prefix)));
            }
        }
        versions.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| b.id.cmp(&a.id)));
        Ok(versions)
    }

    fn add_version(
        &self,
        bucket: &str,
        key: &str,
        content: Option<Content>,
        body: &[u8],
        condition: &Precondition,
    ) -> Result<Version, StoreError> {
        let directory = self.key_directory(bucket, key)?;
        let mut version = Version { key: key.to_owned(), id: String::new(), last_modified: SystemTime::now(), content };
        let written = TemporaryFile::write(&self.temporary, &version, body)?;

        let _writing = self.lock(&directory);
        check(condition, &directory)?;
        make_directory(&self.bucket(bucket)?, &directory)?;
        let existing = version_ids(&directory)?;
        version.id = next_version_id(existing.first());
        written.rename(&directory.join(&version.id))?;
        sync_directory(&directory)?;
        for id in existing.iter().skip(NONCURRENT_VERSIONS_KEPT) {
            // The object is stored. What cannot be removed now is tried again with the next version.
            let _ = fs::remove_file(directory.join(id));
        }
        Ok(version)
    }

    /// The bucket's directory, which exists. Bucket names are safe as file names.
    fn bucket(&self, name: &str) -> Result<PathBuf, StoreError> {
        let directory = self.buckets.join(name);
        if check_bucket_name(name) && directory.is_dir() {
            Ok(directory)
        } else {
            Err(StoreError::NoSuchBucket(name.to_owned()))
        }
    }

    /// Where the versions of a key are; the directory exists once the key has been written.
    fn key_directory(&self, bucket: &str, key: &str) -> Result<PathBuf, StoreError> {
        Ok(self.bucket(bucket)?.join(hex(&Sha256::checksum(key.as_bytes()))))
    }

    fn lock(&self, directory: &Path) -> MutexGuard<'_, ()> {
        let stripe = usize::from(Sha256::checksum(directory.as_os_str().as_encoded_bytes())[0]) % LOCK_STRIPES;
        self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges a condition against the current version; a delete marker counts as absent.
fn check(condition: &Precondition, directory: &Path) -> Result<(), StoreError> {
    if *condition == Precondition::None {
        return Ok(());
    }
    let current = newest_version(directory)?.and_then(|found| found.version.content);
    match (condition, current) {
        (Precondition::None, _) | (Precondition::Absent, None) => Ok(()),
        (Precondition::Matches(etag), Some(content)) if content.etag == *etag => Ok(()),
        (Precondition::Matches(_), None) => Err(StoreError::NoSuchKey { delete_marker: None }),
        (Precondition::Absent | Precondition::Matches(_), Some(_)) => Err(StoreError::PreconditionFailed),
    }
}

fn newest_version(directory: &Path) -> Result<Option<Found>, StoreError> {
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

fn open_version(directory: &Path, id: &str) -> Result<Option<Found>, StoreError> {
    if !is_version_id(id) {
        return Ok(None);
    }
    let opened = VersionFile::open(directory.join(id), id)?;
    Ok(opened.map(|(version, file)| Found { version, file }))
}

/// The ids of all versions of a key, newest first. Files of other names are none of the store's.
fn version_ids(directory: &Path) -> Result<Vec<String>, StoreError> {
    let mut ids = names_in(directory)?;
    ids.retain(|name| is_version_id(name));
    ids.reverse();
    Ok(ids)
}

fn is_version_id(id: &str) -> bool {
    id.len() == VERSION_ID_LENGTH && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn next_version_id(newest: Option<&String>) -> String {
    let number = newest.and_then(|id| u64::from_str_radix(&id[..VERSION_ID_LENGTH / 2], 16).ok());
    format!("{:016x}{:016x}", number.map_or(0, |n| n.saturating_add(1)), rand::random::<u64>())
}

/// The names in a directory, sorted; a directory that is not there is empty.
fn names_in(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io(directory))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Makes a directory, durably; one that is there already is left as it is.
fn make_directory(parent: &Path, directory: &Path) -> Result<(), StoreError> {
    match fs::create_dir(directory) {
        Ok(()) => sync_directory(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::io(directory)(error)),
    }
}

fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(StoreError::io(directory))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
