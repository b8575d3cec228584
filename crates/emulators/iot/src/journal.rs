//! The journal: all changes of the registry in one file.
//!
//! | path below the root | content                                                                     |
//! |---------------------|-----------------------------------------------------------------------------|
//! | `lock`              | held while a process has the registry open                                  |
//! | `journal`           | one change a line, in JSON; a line without its end was not acknowledged      |
//! | `journal.new`       | a shorter journal of the same state being written; renamed to `journal`     |
//!
//! A change is handed to the operating system in one write before it is acknowledged: it survives the end of the process at
//! any moment. It is not synced to the disk: a power cut may cost the last ones.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::RegistryError;
use crate::record::Change;
use crate::state::State;

/// Least length in bytes at which a journal is written anew.
const LEAST_LENGTH: u64 = 8 * 1024 * 1024;

/// The journal of one registry.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    file: File,
    length: u64,
    /// The length beyond which it is written anew.
    limit: u64,
    /// A failed write left bytes behind that could not be taken back.
    broken: bool,
    /// Locked for as long as the registry is open.
    _lock: File,
}

impl Journal {
    /// Opens the journal in `dir`, which is made if need be, and reads the state.
    pub(crate) fn open(dir: &Path) -> Result<(Self, State), RegistryError> {
        fs::create_dir_all(dir).map_err(RegistryError::io(dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(RegistryError::io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RegistryError::InUse(dir.to_owned()),
            TryLockError::Error(source) => RegistryError::Io { path: lock_path, source },
        })?;
        let state = read(&dir.join("journal"))?;
        let (file, length) = write_anew(dir, &state).map_err(RegistryError::io(&dir.join("journal")))?;
        let limit = LEAST_LENGTH.max(length.saturating_mul(2));
        Ok((Self { dir: dir.to_owned(), file, length, limit, broken: false, _lock: lock }, state))
    }

    /// Appends a change. An error leaves the journal as it was, or broken for good.
    pub(crate) fn append(&mut self, change: &Change) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write to the journal failed half-way"));
        }
        let mut line = serde_json::to_vec(change)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.broken = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Writes a journal that has grown long anew. `state` has all its changes.
    pub(crate) fn shorten(&mut self, state: &State) -> io::Result<()> {
        if self.length > self.limit && !self.broken {
            // One attempt, whatever its end, until the journal has doubled again.
            self.limit = LEAST_LENGTH.max(self.length.saturating_mul(2));
            (self.file, self.length) = write_anew(&self.dir, state)?;
            self.limit = LEAST_LENGTH.max(self.length.saturating_mul(2));
        }
        Ok(())
    }
}

/// The state that a journal leads to. A last line without its end is left out.
fn read(path: &Path) -> Result<State, RegistryError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(RegistryError::io(path)(error)),
    };
    let mut state = State::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            break;
        };
        let change = serde_json::from_slice(line)
            .map_err(|error| RegistryError::broken(path, format_args!("line {}: {error}", index + 1)))?;
        state.apply(change);
    }
    if let Some((name, _)) = state.policies().iter().find(|(_, policy)| policy.default.is_none()) {
        return Err(RegistryError::broken(path, format_args!("the policy {name} is malformed")));
    }
    Ok(state)
}

/// Writes the shortest journal of a state and puts it in its place. The length is in bytes.
fn write_anew(dir: &Path, state: &State) -> io::Result<(File, u64)> {
    let mut bytes = Vec::new();
    for change in state.changes() {
        serde_json::to_writer(&mut bytes, &change)?;
        bytes.push(b'\n');
    }
    let temporary = dir.join("journal.new");
    fs::write(&temporary, &bytes)?;
    let file = OpenOptions::new().append(true).open(&temporary)?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join("journal"))?;
    // The new journal is in its place, and every later change goes to it, whether its name is on the disk already or not.
    drop(File::open(dir).and_then(|dir| dir.sync_all()));
    Ok((file, bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Thing;

    fn thing(version: u64) -> Change {
        let attributes = [("attribute".to_owned(), "x".repeat(100_000))].into();
        Change::Thing(Thing { name: "thing".to_owned(), id: "id".to_owned(), version, attributes })
    }

    fn version(state: &State) -> u64 {
        state.thing("thing").unwrap().version
    }

    #[test]
    fn a_long_journal_is_written_anew_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = Journal::open(dir.path()).unwrap();
        let mut longest = 0;
        for version in 1..=200 {
            journal.append(&thing(version)).unwrap();
            state.apply(thing(version));
            longest = longest.max(journal.length);
            journal.shorten(&state).unwrap();
            assert_eq!(journal.length, fs::metadata(dir.path().join("journal")).unwrap().len());
        }
        assert!((LEAST_LENGTH..LEAST_LENGTH + 200_000).contains(&longest), "{longest}");
        drop(journal);
        let (journal, state) = Journal::open(dir.path()).unwrap();
        assert_eq!(version(&state), 200);
        assert!(journal.length < 200_000, "{}", journal.length);
    }

    #[test]
    fn a_journal_that_cannot_be_written_or_restored_takes_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&thing(1)).unwrap();
        let writable = std::mem::replace(&mut journal.file, File::open(dir.path().join("journal")).unwrap());
        journal.append(&thing(2)).unwrap_err();
        journal.file = writable;
        journal.append(&thing(3)).unwrap_err();
        drop(journal);
        assert_eq!(version(&Journal::open(dir.path()).unwrap().1), 1);
    }
}
