//! The embedded DynamoDB: an engine on SQLite behind DynamoDB's own protocol.

pub(crate) mod protocol;

use std::path::Path;
use std::thread;
use std::time::Duration;

use dynoxide::Database;
use tokio::sync::watch;

use emulator_kit::{Callers, Listener};
use protocol::Protocol;

/// How often expired items are deleted.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);
/// Threads that work on the database. They wait for one lock, so the gateway's own threads must not be among them.
const THREADS: usize = 2;

/// Why the engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The database file cannot be opened.
    #[error("cannot open the database {path}: {cause}; move it away to start anew")]
    Open {
        /// The file.
        path: String,
        /// What the engine says.
        cause: String,
    },
    /// The engine cannot be started.
    #[error("cannot start the embedded DynamoDB: {0}")]
    Start(#[from] std::io::Error),
}

/// A running engine.
pub(crate) struct Engine {
    thread: thread::JoinHandle<()>,
}

impl Engine {
    /// Opens the database and serves it to `callers` on `listener` until `stop` is set.
    pub(crate) fn start(
        path: &Path,
        listener: Listener,
        callers: Callers,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Self, DynamoDbError> {
        let path = path.display().to_string();
        let database = Database::new(&path).map_err(|error| DynamoDbError::Open { path, cause: error.to_string() })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("dynamodb")
            .enable_all()
            .build()?;
        let listener = listener.moved_to(runtime.handle())?;
        let thread = thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            let sweeper = runtime.spawn(sweep(database.clone()));
            let stopped = async move {
                // A sender that is gone stops the engine, too.
                let _ = stop.wait_for(|stop| *stop).await;
            };
            let protocol = Protocol { database, callers, deadlines: listener.limits().deadlines };
            let answer = move |_peer, request| protocol.clone().answer(request);
            runtime.block_on(listener.serve("the embedded DynamoDB", answer, stopped));
            sweeper.abort();
        })?;
        Ok(Self { thread })
    }

    /// Waits until the engine has stopped and the database is closed.
    pub(crate) async fn stopped(self) {
        // A panic of the engine has been reported by its thread.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// Deletes expired items, which the engine only marks.
async fn sweep(database: Database) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            tracing::error!(cause = %error, "expired items could not be deleted");
        }
    }
}
