//! The errors of opening a registry.

use std::io;
use std::path::{Path, PathBuf};

/// The reason for which a registry or an authority cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another process has the registry open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The account is not a number of 12 digits, or the region is not a name of small letters, digits and `-`.
    #[error("{0:?} is not the number of an account or the name of a region")]
    Place(String),
    /// A file differs from what was once written to it.
    #[error("{} is broken: {reason}", path.display())]
    Broken {
        /// The file or directory.
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
    /// A key or a certificate cannot be made.
    #[error("a key or a certificate cannot be made: {0}")]
    Crypto(String),
}

impl RegistryError {
    /// An error of the file system about `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn broken(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn crypto(error: &impl std::fmt::Display) -> Self {
        Self::Crypto(error.to_string())
    }
}
