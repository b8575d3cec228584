//! The files of a durable account.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::state::State;

/// The name of the file in the account's directory: [`State`] in JSON.
const FILE: &str = "account.json";

/// The name of the empty file that is locked while a process has the account open.
const LOCK: &str = "lock";

/// The file of an account cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The account is open already, in this process or another.
    #[error("{path} is in use by another process")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The operating system refuses it.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file holds something else than an account.
    #[error("{path} is not an account: {reason}; move it away to begin with an empty one")]
    Broken {
        /// The file.
        path: String,
        /// The place and the fault.
        reason: String,
    },
}

/// A directory with the file of an account.
pub(crate) struct Store {
    directory: PathBuf,
    /// Locked for as long as the account is open.
    _lock: File,
}

impl Store {
    /// Opens a directory, which is made if need be, and reads the account in it, if there is one.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Option<State>), StoreError> {
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let path = directory.join(LOCK);
        let lock = File::create(&path).map_err(failed(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse { path: directory.display().to_string() },
            TryLockError::Error(source) => failed(&path)(source),
        })?;
        let path = directory.join(FILE);
        let state =
            match fs::read(&path) {
                Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| StoreError::Broken {
                    path: path.display().to_string(),
                    reason: error.to_string(),
                })?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(failed(&path)(error)),
            };
        Ok((Self { directory: directory.to_owned(), _lock: lock }, state))
    }

    /// Replaces the account in the directory. A failure leaves the old one, whole.
    pub(crate) fn write(&self, state: &State) -> Result<(), StoreError> {
        let (path, fresh) = (self.directory.join(FILE), self.directory.join(format!("{FILE}.new")));
        let bytes = serde_json::to_vec(state).map_err(|error| failed(&path)(error.into()))?;
        // The file holds keys, so that its owner alone may read it.
        let opened = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        let mut file = opened.map_err(failed(&fresh))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed(&fresh))?;
        fs::rename(&fresh, &path).map_err(failed(&path))?;
        // The new file is in its place, whether its name is on the disk already or not.
        drop(File::open(&self.directory).and_then(|directory| directory.sync_all()));
        Ok(())
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Io { path: path.display().to_string(), source }
}
