//! The server: the engine's own threads, and the listener that they serve.

use std::io;
use std::thread;

use emulator_kit::{Listener, Principals};
use tokio::sync::oneshot;

use crate::database::Database;
use crate::protocol::Protocol;

/// Threads that work on the database. They wait for one lock, so the caller's own threads must not be among them.
const THREADS: usize = 2;

/// Serves the database to `principals` on threads of its own until `until` resolves and the requests under way are answered.
///
/// It serves from now on; the future resolves when it has stopped and the database is closed.
///
/// # Errors
/// The operating system's error when the threads cannot be started or the listener not be served by them.
pub fn serve(
    listener: Listener,
    database: Database,
    principals: Principals,
    until: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = ()> + Send> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("dynamodb")
        .enable_all()
        .build()?;
    let listener = listener.moved_to(runtime.handle())?;
    let (ended, end) = oneshot::channel::<()>();
    thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
        let sweeper = runtime.spawn(database.clone().sweep());
        let protocol = Protocol { database, principals, deadlines: listener.limits().deadlines };
        let answer = move |_peer, request| protocol.clone().answer(request);
        runtime.block_on(listener.serve("the embedded DynamoDB", answer, until));
        sweeper.abort();
        // The runtime's tasks hold the database.
        drop(runtime);
        drop(ended);
    })?;
    // The sender sends nothing. A panic of the engine, which drops it as well, has been reported by its thread.
    Ok(async move { drop(end.await) })
}
