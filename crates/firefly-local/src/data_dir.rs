//! The directory of durable data.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use firefly_output::quoted;

/// The permission bits of everybody but the owner.
pub(crate) const OTHERS: u32 = 0o077;

/// The files and directories that a cloud makes in the directory; other users may read none of them.
const MADE: [&str; 5] = ["lock", "dynamodb.sqlite", "dynamodb.sqlite-wal", "dynamodb.sqlite-shm", "s3"];

/// A directory that one local cloud works in at a time.
#[derive(Debug)]
pub(crate) struct DataDir {
    _lock: File,
}

/// The reason for which a directory cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The directory or its lock file cannot be made or opened.
    #[error("cannot use the data directory {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Other users of the machine may enter the directory.
    #[error(
        "other users may enter the data directory {} (mode {mode:03o}); run `chmod 700 {}`, or give another --data-dir",
        path.display(),
        quoted(path.display())
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another local cloud works in it.
    #[error("the data directory {} is in use by another firefly-local; stop it or give another --data-dir", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

impl DataDir {
    /// Makes the directory where it is missing, readable by its owner alone, and locks it.
    ///
    /// # Errors
    ///
    /// [`DataDirError`] when it cannot be made or is in use.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io { path: path.to_owned(), source };
        private_dir(path)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                close(path).map_err(failed)?;
                Ok(Self { _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// Takes from what a cloud has made in the directory the permissions of everybody but the owner.
fn close(path: &Path) -> io::Result<()> {
    for made in MADE.map(|name| path.join(name)) {
        let mode = match fs::symlink_metadata(&made) {
            Ok(metadata) if metadata.is_symlink() => continue,
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if mode & OTHERS != 0 {
            fs::set_permissions(&made, Permissions::from_mode(mode & !OTHERS))?;
        }
    }
    Ok(())
}

/// Makes a directory, and those above it, that only its owner may enter (mode 0700). One that is there already is left as
/// it is: it may hold more than a cloud's data.
///
/// # Errors
///
/// [`DataDirError::Exposed`] for a directory that others may enter, read or write; [`DataDirError::Io`].
pub fn private_dir(path: &Path) -> Result<(), DataDirError> {
    let failed = |source| DataDirError::Io { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(DataDirError::Exposed { path: path.to_owned(), mode }) }
}
