//! The files of a tree: read from the folder, or as they will be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The root of a tree, and files that are not in it yet.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: PathBuf,
    new: BTreeMap<String, String>,
}

impl Files {
    /// The files of a folder.
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), new: BTreeMap::new() }
    }

    /// The same with further ones, named from the root.
    pub(crate) fn with(&self, new: BTreeMap<String, String>) -> Self {
        Self { root: self.root.clone(), new }
    }

    /// The files that are not in the folder yet.
    pub(crate) fn new_ones(&self) -> &BTreeMap<String, String> {
        &self.new
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file; `None` where there is no such file.
    pub(crate) fn text(&self, file: &str) -> Result<Option<String>, Error> {
        if let Some(text) = self.new.get(file) {
            return Ok(Some(text.clone()));
        }
        self.on_disk(file)
    }

    /// The text of a file in the folder; `None` where there is no such file.
    pub(crate) fn on_disk(&self, file: &str) -> Result<Option<String>, Error> {
        match fs::read_to_string(self.root.join(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::of_file(file, error.to_string())),
        }
    }

    /// The text of a file that has to be there.
    pub(crate) fn required(&self, file: &str) -> Result<String, Error> {
        self.text(file)?
            .ok_or_else(|| Error::of_file(file, "is missing; it is written by hand, and parts are rendered"))
    }

    /// The names in a folder, sorted, without those that begin with a dot.
    pub(crate) fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let unreadable = |error: io::Error| Error::of_folder(folder, &error);
        let entries = fs::read_dir(self.root.join(folder)).map_err(unreadable)?;
        let mut names = BTreeSet::new();
        for entry in entries {
            names.insert(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
        }
        let inside = format!("{folder}/");
        let new = self.new.keys().filter_map(|file| file.strip_prefix(&inside)?.split('/').next());
        names.extend(new.map(str::to_owned));
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    }

    /// Writes a file as a whole or not at all: beside it, then renamed.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        let path = self.root.join(file);
        let write = || {
            let folder = path.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder)?;
            let mut beside = tempfile::Builder::new().prefix(".firefly-render-").tempfile_in(folder)?;
            beside.write_all(text.as_bytes())?;
            beside.as_file().set_permissions(mode_of(&path))?;
            beside.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error: io::Error| Error::of_file(file, format!("cannot be written: {error}")))
    }

    /// Deletes a file.
    pub(crate) fn remove(&self, file: &str) -> Result<(), Error> {
        let removed = fs::remove_file(self.root.join(file));
        removed.map_err(|error| Error::of_file(file, format!("cannot be deleted: {error}")))
    }
}

/// The permissions of a file, or those of a new one.
fn mode_of(path: &Path) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).map_or_else(|_| fs::Permissions::from_mode(0o644), |metadata| metadata.permissions())
}
