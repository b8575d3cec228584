//! The binaries that are measured.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::Value;

use crate::error::{BenchError, io_error};

/// The package and binary that every other one is held against.
pub(crate) const HELLO: &str = "hello";
/// The name of a function's binary in its package.
const NAME_IN_ZIP: &str = "bootstrap";

/// One release binary.
pub(crate) struct Bootstrap {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes of the package that is uploaded to Lambda.
    pub(crate) zip_size: u64,
}

/// Builds these binaries, as `cargo lambda build --release` does except for the name of the file and the target. The
/// floor is built by itself: cargo unites the features of what it builds at once.
pub(crate) fn build(names: &[&str]) -> Result<Vec<Bootstrap>, BenchError> {
    let (floor, functions): (Vec<_>, Vec<_>) = names.iter().partition(|name| **name == HELLO);
    let mut executables = Vec::new();
    for packages in [floor, functions] {
        if !packages.is_empty() {
            executables.extend(cargo_build(&packages)?);
        }
    }
    let find = |name: &&str| {
        let path = executables.iter().find(|path| path.file_stem().is_some_and(|stem| stem == *name));
        Bootstrap::read(name, path.ok_or_else(|| BenchError::NoBinary { name: (*name).to_owned() })?)
    };
    names.iter().map(find).collect()
}

/// Finds these binaries in a directory.
pub(crate) fn find(names: &[&str], directory: &Path) -> Result<Vec<Bootstrap>, BenchError> {
    names.iter().map(|name| Bootstrap::read(name, &directory.join(name))).collect()
}

/// The binary of this name.
pub(crate) fn of<'a>(bootstraps: &'a [Bootstrap], name: &str) -> Result<&'a Bootstrap, BenchError> {
    let found = bootstraps.iter().find(|bootstrap| bootstrap.name == name);
    found.ok_or_else(|| BenchError::NoBinary { name: name.to_owned() })
}

/// The executables that a release build of these packages has made or found fresh.
fn cargo_build(packages: &[&str]) -> Result<Vec<PathBuf>, BenchError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .args(packages.iter().flat_map(|name| ["--package", *name]))
        .stderr(Stdio::inherit())
        .output()
        .map_err(io_error("cannot run cargo"))?;
    if !output.status.success() {
        return Err(BenchError::Build);
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    Ok(messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect())
}

impl Bootstrap {
    fn read(name: &str, path: &Path) -> Result<Self, BenchError> {
        let bytes = fs::read(path).map_err(io_error(format!("cannot read {}", path.display())))?;
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            size: length(&bytes),
            zip_size: zip_size(&bytes).map_err(io_error("cannot compress"))?,
        })
    }
}

/// The size of a ZIP archive with one file: its deflated bytes, a local header, an entry of the directory and the
/// directory's end (30, 46 and 22 bytes; APPNOTE.TXT 4.3), the file's name twice.
fn zip_size(bytes: &[u8]) -> std::io::Result<u64> {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(bytes)?;
    let headers = 30 + 46 + 22 + 2 * length(NAME_IN_ZIP.as_bytes());
    Ok(length(&deflated.finish()?) + headers)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
