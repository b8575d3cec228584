//! A durable, versioned object store on a directory.
//!
//! | path below the root                   | content                                                |
//! |---------------------------------------|--------------------------------------------------------|
//! | `lock`                                | held while a process has the store open                |
//! | `tmp/<random>`                        | files being written; removed when the store is opened  |
//! | `buckets/<bucket>/<sha256 of key>/<v>`| one whole version of an object, see `version_file`     |
//! | `uploads/<id>`                        | a multipart upload under way, see `uploads`            |
//!
//! A version id `<v>` is 32 hex digits: the number of the version within its key (so that names sort by age), then
//! 32 random bits, then 32 check bits over the key and the rest, which an invented id does not have. A version is written
//! to `tmp`, synced, renamed to its place and its directory synced, so that a process killed at any moment leaves every
//! object as it was before or after, whole. Every bucket is versioned:
//! a delete adds a delete marker, and the versions behind the current one stay readable by their id until an
//! [`Expiration`] removes them.
//!
//! All calls block on the file system.

mod clock;
mod error;
mod expiration;
mod files;
mod hex;
#[cfg(test)]
mod tests;
mod uploads;
mod version;
mod version_file;
mod versions;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5, Sha256};
use s3s::path::check_bucket_name;

use self::clock::Clock;
pub use self::error::ObjectStoreError;
pub use self::expiration::Expiration;
use self::expiration::expired;
use self::files::{make_directory, names_in, sync_directory};
use self::hex::hex;
pub use self::uploads::{Part, Upload, Uploads};
pub use self::version::{Content, NewObject, Precondition, Version};
use self::version_file::TemporaryFile;
pub use self::versions::Found;
use self::versions::{check, newest_version, next_version_id, open_version, version_ids, was_given};

/// The number of locks that all keys share. Writers of one key exclude each other.
const LOCK_STRIPES: usize = 256;

/// The store. The [module](self) describes its layout and its guarantees.
#[derive(Debug)]
pub struct ObjectStore {
    buckets: PathBuf,
    temporary: PathBuf,
    uploads: Uploads,
    stripes: Vec<Mutex<()>>,
    clock: Clock,
    expirations: Vec<Expiration>,
    /// Locked for as long as the store is open.
    _lock: File,
}

impl ObjectStore {
    /// Opens the store in `dir`, which is made if need be, and removes the files that an interrupted process left in `tmp`.
    ///
    /// # Errors
    /// [`ObjectStoreError::InUse`], [`ObjectStoreError::Io`].
    pub fn open(dir: &Path) -> Result<Self, ObjectStoreError> {
        let buckets = dir.join("buckets");
        let temporary = dir.join("tmp");
        for path in [&buckets, &temporary] {
            fs::create_dir_all(path).map_err(ObjectStoreError::io(path))?;
        }
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(ObjectStoreError::io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ObjectStoreError::InUse(dir.to_owned()),
            TryLockError::Error(source) => ObjectStoreError::Io { path: lock_path, source },
        })?;
        for name in names_in(&temporary)? {
            let path = temporary.join(name);
            fs::remove_file(&path).map_err(ObjectStoreError::io(&path))?;
        }
        sync_directory(dir)?;
        let stripes = (0..LOCK_STRIPES).map(|_| Mutex::new(())).collect();
        let uploads = Uploads::open(dir, &temporary);
        let clock = Clock::default();
        Ok(Self { buckets, temporary, uploads, stripes, clock, expirations: Vec::new(), _lock: lock })
    }

    /// Dates versions by another clock than the system's.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::new(clock), ..self }
    }

    /// Removes old versions by these rules, here and whenever a version is added to their key; delete markers that are
    /// left alone by that go, too.
    ///
    /// # Errors
    /// [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn with_expirations(self, expirations: Vec<Expiration>) -> Result<Self, ObjectStoreError> {
        let store = Self { expirations, ..self };
        for (bucket, _) in store.buckets()? {
            let bucket = store.bucket(&bucket)?;
            for name in names_in(&bucket)? {
                store.expire(&bucket.join(name))?;
            }
        }
        Ok(store)
    }

    /// The time of the store's clock.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Makes a bucket; an existing one is left as it is.
    ///
    /// # Errors
    /// [`ObjectStoreError::InvalidBucketName`], [`ObjectStoreError::Io`].
    pub fn create_bucket(&self, name: &str) -> Result<(), ObjectStoreError> {
        if !check_bucket_name(name) {
            return Err(ObjectStoreError::InvalidBucketName(name.to_owned()));
        }
        make_directory(&self.buckets, &self.buckets.join(name))
    }

    /// All buckets, sorted by name, each with the time at which it was made. A file system that keeps no such time gives
    /// that of the last new key.
    ///
    /// # Errors
    /// [`ObjectStoreError::Io`].
    pub fn buckets(&self) -> Result<Vec<(String, SystemTime)>, ObjectStoreError> {
        let made = |name: String| {
            let path = self.buckets.join(&name);
            let metadata = fs::metadata(&path).map_err(ObjectStoreError::io(&path))?;
            let time = metadata.created().or_else(|_| metadata.modified()).map_err(ObjectStoreError::io(&path))?;
            Ok((name, time))
        };
        names_in(&self.buckets)?.into_iter().map(made).collect()
    }

    /// Succeeds when the bucket exists.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchBucket`].
    pub fn check_bucket(&self, name: &str) -> Result<(), ObjectStoreError> {
        self.bucket(name).map(drop)
    }

    /// Stores an object as the current version of its key. Of any number of writers whose condition only one can
    /// meet, exactly one succeeds.
    ///
    /// # Errors
    /// [`ObjectStoreError::PreconditionFailed`]; [`ObjectStoreError::NoSuchKey`] for [`Precondition::Matches`] on an absent key;
    /// [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`]. An error leaves the object as it was
    /// before; if syncing its directory failed, the object is the old or the new one.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        condition: &Precondition,
    ) -> Result<Version, ObjectStoreError> {
        let NewObject { body, content_type, metadata } = object;
        let content = Content {
            size: body.len() as u64,
            etag: hex(&Md5::checksum(&body)),
            sha256: Sha256::checksum(&body),
            parts: Vec::new(),
            content_type,
            metadata,
        };
        self.add_version(bucket, key, Some(content), &body, condition)
    }

    /// Adds a delete marker, as S3 does in a versioned bucket whether or not there is anything to delete.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Io`].
    pub fn delete(&self, bucket: &str, key: &str) -> Result<Version, ObjectStoreError> {
        self.add_version(bucket, key, None, &[], &Precondition::None)
    }

    /// Removes one version for good. Removing the newest one uncovers the one before it.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchVersion`], [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn delete_version(&self, bucket: &str, key: &str, version_id: &str) -> Result<Version, ObjectStoreError> {
        let directory = self.key_directory(bucket, key)?;
        let _writing = self.lock(&directory);
        let version = open_version(&directory, version_id)?.ok_or(ObjectStoreError::NoSuchVersion)?.version;
        let path = directory.join(&version.id);
        fs::remove_file(&path).map_err(ObjectStoreError::io(&path))?;
        sync_directory(&directory)?;
        Ok(version)
    }

    /// The current object of a key.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchKey`], [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn find(&self, bucket: &str, key: &str) -> Result<Found, ObjectStoreError> {
        match newest_version(&self.key_directory(bucket, key)?)? {
            Some(found) if found.version.content.is_some() => Ok(found),
            other => Err(ObjectStoreError::NoSuchKey { delete_marker: other.map(|marker| marker.version.id) }),
        }
    }

    /// One version of a key, which may be a delete marker.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchVersion`], [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn find_version(&self, bucket: &str, key: &str, version_id: &str) -> Result<Found, ObjectStoreError> {
        open_version(&self.key_directory(bucket, key)?, version_id)?.ok_or(ObjectStoreError::NoSuchVersion)
    }

    /// Succeeds when a version of the key has this id, or had it and was removed. An id without check bits is known while its
    /// version is there.
    ///
    /// # Errors
    /// [`ObjectStoreError::InvalidVersionId`], [`ObjectStoreError::NoSuchBucket`].
    pub fn check_version_id(&self, bucket: &str, key: &str, version_id: &str) -> Result<(), ObjectStoreError> {
        let is_known = was_given(&self.key_directory(bucket, key)?, version_id);
        is_known.then_some(()).ok_or(ObjectStoreError::InvalidVersionId)
    }

    /// The current objects whose key starts with `prefix`, in the order of their keys' bytes.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Version>, ObjectStoreError> {
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
    /// [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Broken`], [`ObjectStoreError::Io`].
    pub fn list_versions(&self, bucket: &str, prefix: &str) -> Result<Vec<Version>, ObjectStoreError> {
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

    /// Begins a multipart upload and returns its id; `upload.id` is not read.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchBucket`], [`ObjectStoreError::Io`].
    pub fn begin_upload(&self, upload: &Upload) -> Result<String, ObjectStoreError> {
        self.check_bucket(&upload.bucket)?;
        self.uploads.begin(upload)
    }

    /// The multipart uploads under way.
    pub const fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// Makes the object of these parts, each of a number and an ETag, and ends the upload.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchUpload`]; [`ObjectStoreError::NoSuchPart`] for a part that has not arrived; the errors of
    /// [`ObjectStore::put`]. The upload then stays.
    pub fn complete_upload(
        &self,
        upload: &Upload,
        parts: &[(u16, String)],
        condition: &Precondition,
    ) -> Result<Version, ObjectStoreError> {
        self.uploads.complete(upload, parts, |content, body| {
            self.add_version(&upload.bucket, &upload.key, Some(content), body, condition)
        })
    }

    fn add_version(
        &self,
        bucket: &str,
        key: &str,
        content: Option<Content>,
        body: &[u8],
        condition: &Precondition,
    ) -> Result<Version, ObjectStoreError> {
        let directory = self.key_directory(bucket, key)?;
        let mut version = Version { key: key.to_owned(), id: String::new(), last_modified: self.clock.now(), content };
        let written = TemporaryFile::write(&self.temporary, &version, body)?;

        let _writing = self.lock(&directory);
        check(condition, &directory)?;
        make_directory(&self.bucket(bucket)?, &directory)?;
        version.id = next_version_id(&directory, version_ids(&directory)?.first());
        written.rename(&directory.join(&version.id))?;
        sync_directory(&directory)?;
        // The version is stored. What cannot be removed now is tried again with the next one.
        let _ = self.expire(&directory);
        Ok(version)
    }

    /// Removes the versions of a key that have expired by now.
    fn expire(&self, directory: &Path) -> Result<(), ObjectStoreError> {
        let ids = version_ids(directory)?;
        if self.expirations.is_empty() || ids.len() < 2 {
            return Ok(());
        }
        let mut versions = Vec::new();
        for id in &ids {
            versions.extend(open_version(directory, id)?.map(|found| found.version));
        }
        for version in expired(&versions, &self.expirations, self.clock.now()) {
            let path = directory.join(&version.id);
            fs::remove_file(&path).map_err(ObjectStoreError::io(&path))?;
        }
        Ok(())
    }

    /// The bucket's directory, which exists. Bucket names are safe as file names.
    fn bucket(&self, name: &str) -> Result<PathBuf, ObjectStoreError> {
        let directory = self.buckets.join(name);
        if check_bucket_name(name) && directory.is_dir() {
            Ok(directory)
        } else {
            Err(ObjectStoreError::NoSuchBucket(name.to_owned()))
        }
    }

    /// The directory of a key's versions; it exists once the key has been written.
    fn key_directory(&self, bucket: &str, key: &str) -> Result<PathBuf, ObjectStoreError> {
        Ok(self.bucket(bucket)?.join(hex(&Sha256::checksum(key.as_bytes()))))
    }

    fn lock(&self, directory: &Path) -> MutexGuard<'_, ()> {
        let stripe = usize::from(Sha256::checksum(directory.as_os_str().as_encoded_bytes())[0]) % LOCK_STRIPES;
        self.stripes[stripe].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
