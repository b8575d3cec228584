//! The file in which a running cloud says how to reach its engines, for commands of the same user.
//!
//! A cloud writes `engines-PID-RANDOM.env` into its data directory, mode 0600, locks it while it runs and removes it in the end.
//! A file that nobody has locked is one that a killed process left. Its lines are `export NAME='VALUE'`, for a shell to
//! evaluate: `FIREFLY_URL`, and the variables of AWS's SDKs and command line.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use firefly_output::quoted;
use rustix::process::geteuid;

use crate::data_dir::OTHERS;

/// The variable of the cloud's URL.
pub const URL: &str = "FIREFLY_URL";

const PREFIX: &str = "engines-";
const SUFFIX: &str = ".env";

/// The reason for which there is no environment to print.
#[derive(Debug, thiserror::Error)]
pub enum EnginesFileError {
    /// No cloud runs in the directory.
    #[error("no local cloud runs in {}; start one there, or give the --data-dir of the one that runs", dir.display())]
    NotRunning {
        /// The directory.
        dir: PathBuf,
    },
    /// No cloud that runs in the directory has the URL.
    #[error("no local cloud in {} has the URL {url}; there are {}", dir.display(), words(running))]
    NoSuchUrl {
        /// The directory.
        dir: PathBuf,
        /// The URL that was asked for.
        url: String,
        /// The URLs of those that run.
        running: Vec<String>,
    },
    /// More than one cloud runs in the directory.
    #[error("several local clouds run in {}: choose with --url one of {}", dir.display(), words(running))]
    Ambiguous {
        /// The directory.
        dir: PathBuf,
        /// Their URLs.
        running: Vec<String>,
    },
    /// Another user may have written the directory or a file in it, whose text a shell would evaluate.
    #[error("another user may write {}: give it to its user alone (mode 700, files 600), or give another --data-dir", path.display())]
    Exposed {
        /// The directory or file.
        path: PathBuf,
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

impl EnginesFileError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The file of a running cloud; removed when dropped.
#[derive(Debug)]
pub(crate) struct EnginesFile {
    path: PathBuf,
    _lock: File,
}

impl EnginesFile {
    /// Writes the file of the cloud at `url`, and removes what killed processes left.
    ///
    /// # Errors
    /// The operating system's error.
    pub(crate) fn write(dir: &Path, url: &str, environment: &BTreeMap<String, String>) -> io::Result<Self> {
        let _ = running(dir);
        // Several clouds of one process, as tests have, share a directory.
        let path = dir.join(format!("{PREFIX}{}-{:08x}{SUFFIX}", std::process::id(), rand::random::<u32>()));
        let temporary = path.with_extension("tmp");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.lock()?;
        let line = |(name, value): (&str, &str)| format!("export {name}={}\n", quoted(value));
        let mut text = line((URL, url));
        text.extend(environment.iter().map(|(name, value)| line((name, value))));
        file.write_all(text.as_bytes())?;
        fs::rename(&temporary, &path)?;
        Ok(Self { path, _lock: file })
    }
}

impl Drop for EnginesFile {
    fn drop(&mut self) {
        // Left behind, it is known for what it is: nobody has locked it.
        let _ = fs::remove_file(&self.path);
    }
}

/// The environment of the engines of the cloud that runs in `dir`: of the one at `url`, or of the only one.
///
/// # Errors
/// [`EnginesFileError`].
pub fn read(dir: &Path, url: Option<&str>) -> Result<String, EnginesFileError> {
    let mut running = running(dir)?;
    let (dir, urls) = (dir.to_owned(), running.iter().map(|(url, _)| url.clone()).collect::<Vec<_>>());
    if running.is_empty() {
        return Err(EnginesFileError::NotRunning { dir });
    }
    match url.map(|url| url.trim_end_matches('/')) {
        Some(url) => {
            let found = running.into_iter().find(|(running, _)| running == url).map(|(_, text)| text);
            found.ok_or_else(|| EnginesFileError::NoSuchUrl { dir, url: url.to_owned(), running: urls })
        }
        None if running.len() > 1 => Err(EnginesFileError::Ambiguous { dir, running: urls }),
        None => Ok(running.swap_remove(0).1),
    }
}

/// The URLs, each as a word that a shell takes.
fn words(urls: &[String]) -> String {
    urls.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// Returns `true` if a file has the name that a cloud gives its file: `engines-PID-RANDOM.env`.
fn is_engines_file(name: &str) -> bool {
    let parts =
        name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX)).and_then(|name| name.split_once('-'));
    parts.is_some_and(|(id, random)| {
        id.parse::<u32>().is_ok() && random.len() == 8 && u32::from_str_radix(random, 16).is_ok()
    })
}

/// URL and text of each file in `dir` whose cloud runs; the others are removed.
fn running(dir: &Path) -> Result<Vec<(String, String)>, EnginesFileError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(EnginesFileError::io(dir)(error)),
    };
    if fs::metadata(dir).map_err(EnginesFileError::io(dir))?.mode() & OTHERS != 0 {
        return Err(EnginesFileError::Exposed { path: dir.to_owned() });
    }
    let mut running = Vec::new();
    for entry in entries {
        let path = entry.map_err(EnginesFileError::io(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !is_engines_file(name) {
            continue;
        }
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // Its cloud has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(EnginesFileError::io(&path)(error)),
        };
        // A link or a pipe is not the file of a cloud, and neither is a file of another user.
        if !found.is_file() || found.mode() & OTHERS != 0 || found.uid() != geteuid().as_raw() {
            return Err(EnginesFileError::Exposed { path });
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // Its cloud has just ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(EnginesFileError::io(&path)(error)),
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(EnginesFileError::io(&path))?;
                let url =
                    text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(URL)?.strip_prefix('='));
                running.push((url.unwrap_or_default().trim_matches('\'').to_owned(), text));
            }
            Err(TryLockError::Error(error)) => return Err(EnginesFileError::io(&path)(error)),
            // Its cloud was killed.
            Ok(()) => drop(fs::remove_file(&path)),
        }
    }
    running.sort();
    Ok(running)
}
