//! The activity of one connection: which phase it is in, and since when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::Deadlines;

/// The phases of a connection, by what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of a request, or the peer's taking an answer.
    Quiet,
    /// The rest of a head.
    Head,
    /// The rest of a body; [`read`](crate::read) keeps the time.
    Body,
    /// The answer; the function that makes it keeps the time.
    Answering,
}

/// The phase of a connection, and when it began or a byte moved last.
pub(crate) struct Activity {
    phase: Mutex<(Phase, Instant)>,
    changed: Notify,
    /// Another connection gets the place of this one.
    given_up: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { phase: Mutex::new((Phase::Quiet, Instant::now())), changed: Notify::new(), given_up: Notify::new() }
    }

    pub(crate) fn set(&self, phase: Phase) {
        *self.lock() = (phase, Instant::now());
        self.changed.notify_one();
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().0
    }

    /// Since when a connection waits for its peer; `None` while it is answered.
    pub(crate) fn waiting_since(self: &Arc<Self>) -> Option<(Instant, Arc<Self>)> {
        let (phase, since) = *self.lock();
        (phase != Phase::Answering).then(|| (since, Arc::clone(self)))
    }

    /// Tells the connection that its place is wanted.
    pub(crate) fn give_up(&self) {
        self.given_up.notify_one();
    }

    /// Resolves when the place is wanted.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// Resolves when the phase has lasted too long.
    pub(crate) async fn expired(&self, deadlines: Deadlines) {
        loop {
            let (phase, since) = *self.lock();
            let end = match phase {
                Phase::Quiet => since + deadlines.idle,
                Phase::Head => since + deadlines.head,
                Phase::Body | Phase::Answering => {
                    self.changed.notified().await;
                    continue;
                }
            };
            if Instant::now() >= end {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(end) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
