//! The errors of the store.

use std::io;
use std::path::{Path, PathBuf};

/// The reason for which the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectStoreError {
    /// S3 does not allow the bucket name.
    #[error("{0:?} is not a valid bucket name")]
    InvalidBucketName(String),
    /// There is no bucket of that name.
    #[error("there is no bucket {0:?}")]
    NoSuchBucket(String),
    /// The key has no current object: it was never written, or its newest version is a delete marker.
    #[error("there is no such key")]
    NoSuchKey {
        /// The version id of the delete marker, when there is one.
        delete_marker: Option<String>,
    },
    /// The key has no version of that id.
    #[error("there is no such version")]
    NoSuchVersion,
    /// No version of the key has ever had that id.
    #[error("there has not been such a version")]
    InvalidVersionId,
    /// There is no upload of that id and key.
    #[error("there is no such upload")]
    NoSuchUpload,
    /// A part of that number and ETag has not arrived.
    #[error("there is no such part")]
    NoSuchPart,
    /// The condition of a conditional put does not hold.
    #[error("the condition of the request does not hold")]
    PreconditionFailed,
    /// Another process has the store open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A file of the store differs from what was once written to it.
    #[error("{} is broken: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The difference.
        reason: String,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl ObjectStoreError {
    /// An error of the file system about `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
