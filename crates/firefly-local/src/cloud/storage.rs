//! The directory of a cloud's engines: the data directory, or a temporary one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::error::CloudError;
use super::options::{CloudOptions, Data};
use crate::data_dir::{DataDir, private_dir};

/// The directory of a cloud's engines.
pub(super) struct Storage {
    dir: PathBuf,
    _data_dir: Option<DataDir>,
    _temporary: Option<TempDir>,
}

impl Storage {
    /// Opens the directory. If both engines are external, nothing is kept in it.
    ///
    /// # Errors
    ///
    /// [`CloudError::DataDir`], [`CloudError::Io`].
    pub(super) fn open(options: &CloudOptions) -> Result<Self, CloudError> {
        let embedded = options.dynamodb_endpoint.is_none() || options.s3_endpoint.is_none();
        let mut storage = Self { dir: options.data_dir.clone(), _data_dir: None, _temporary: None };
        match options.data {
            Data::Durable if embedded => storage._data_dir = Some(DataDir::open(&options.data_dir)?),
            Data::Ephemeral if embedded => {
                let owner_only = Permissions::from_mode(0o700);
                let made = tempfile::Builder::new().prefix("firefly-").permissions(owner_only).tempdir();
                let io_error = |source| CloudError::Io { what: "cannot make a temporary directory", source };
                let temporary = made.map_err(io_error)?;
                storage.dir = temporary.path().to_owned();
                storage._temporary = Some(temporary);
            }
            Data::Durable | Data::Ephemeral => {}
        }
        private_dir(&options.data_dir)?;
        Ok(storage)
    }

    /// The path of a file or directory in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
