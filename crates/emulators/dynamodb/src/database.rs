//! The engine's database.

use std::path::Path;
use std::time::Duration;

/// The interval at which expired items are deleted.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

/// A database in a file.
#[derive(Clone)]
pub struct Database(pub(crate) dynoxide::Database);

/// The database file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the database {path}: {cause}; make room if the disk is full, and move away, with all its data, only a damaged one"
)]
pub struct OpenError {
    /// The file.
    pub path: String,
    /// The engine's own words.
    pub cause: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database in this file, which is made if need be; SQLite's own files lie beside it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.display().to_string();
        match dynoxide::Database::new(&path) {
            Ok(database) => Ok(Self(database)),
            Err(error) => Err(OpenError { path, cause: error.to_string() }),
        }
    }

    /// Deletes expired items again and again. The engine itself only marks them.
    pub(crate) async fn sweep(self) {
        let mut interval = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            interval.tick().await;
            let database = self.0.clone();
            let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
            if let Ok(Err(error)) = swept {
                tracing::error!(cause = %error, "expired items could not be deleted");
            }
        }
    }
}
