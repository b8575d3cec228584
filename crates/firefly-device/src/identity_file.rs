//! The identity file: an [`Identity`] as JSON that its owner alone can read.
//!
//! ```json
//! {"uuid": "2d411e72-…", "product_hex": "0x0000F1F1", "master_key_hex": "<64 hex digits>"}
//! ```
//!
//! No error quotes the file's content, because it holds the master key.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use firefly_core::hex;
use firefly_output::quoted;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// The longest identity file that is read, in bytes. [`save`] writes about 150.
const MAX_LENGTH: u64 = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    uuid: String,
    product_hex: String,
    master_key_hex: String,
}

/// Writes a new identity file with mode 0600. It appears complete or not at all, and replaces nothing.
///
/// # Errors
///
/// [`IdentityFileError::Exists`] when there is something at `path` already, [`IdentityFileError::Write`] when the file
/// cannot be written.
pub fn save(identity: &Identity, path: &Path) -> Result<(), IdentityFileError> {
    let content = Content {
        uuid: identity.uuid().to_string(),
        product_hex: identity.product_hex().to_string(),
        master_key_hex: hex::encode(identity.master_key()),
    };
    write_new(&content, path).map_err(|source| {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::AlreadyExists {
            IdentityFileError::Exists { path }
        } else {
            IdentityFileError::Write { path, source }
        }
    })
}

fn write_new(content: &Content, path: &Path) -> io::Result<()> {
    // tempfile creates with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory_of(path))?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Returns the directory of a file, as a path that can be opened.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Reads an identity file.
///
/// # Errors
///
/// [`IdentityFileError::Read`] when the file cannot be read, [`IdentityFileError::TooOpen`] when group or others have
/// any access to it, [`IdentityFileError::Broken`] when it is not an identity.
pub fn load(path: &Path) -> Result<Identity, IdentityFileError> {
    let read_error = |source| IdentityFileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    let mode = file.metadata().map_err(read_error)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityFileError::TooOpen { path: path.to_owned(), mode });
    }
    let mut json = Vec::new();
    file.take(MAX_LENGTH).read_to_end(&mut json).map_err(read_error)?;
    parse(&json).map_err(|reason| IdentityFileError::Broken { path: path.to_owned(), reason })
}

fn parse(json: &[u8]) -> Result<Identity, &'static str> {
    let content: Content = serde_json::from_slice(json)
        .map_err(|_| "it must be a JSON object of the strings uuid, product_hex, master_key_hex")?;
    let uuid = content.uuid.parse().map_err(|_| "uuid is not a UUID")?;
    let product_hex = content.product_hex.parse().map_err(|_| "product_hex is not 0x and 8 hex digits")?;
    let master_key = hex::decode(&content.master_key_hex).ok_or("master_key_hex is not 64 hex digits")?;
    Identity::new(uuid, product_hex, master_key).map_err(|_| "no signing key follows from master_key_hex")
}

/// The reason why an identity file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// There is something at the path already.
    #[error("{} already exists; it may hold the only copy of a key and is not replaced: move it away or choose another --identity", path.display())]
    Exists {
        /// The path that was given.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The path that was given.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The path that was given.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Group or others have access to the file.
    #[error("{} holds a master key and is open to others (mode {mode:04o}): run chmod 600 {}", path.display(), quoted(path.display()))]
    TooOpen {
        /// The path that was given.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file is not an identity.
    #[error("{} is not an identity file: {reason}", path.display())]
    Broken {
        /// The path that was given.
        path: PathBuf,
        /// The reason, which does not quote the content.
        reason: &'static str,
    },
}
