//! The activity of one connection: which phase it is in, and since when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::input::Input;
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
    state: Mutex<State>,
    changed: Notify,
    /// Another connection gets the place of this one.
    given_up: Notify,
}

struct State {
    phase: Phase,
    since: Instant,
    input: Input,
}

impl State {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }
}

impl Activity {
    pub(crate) fn new() -> Self {
        let state = State { phase: Phase::Quiet, since: Instant::now(), input: Input::default() };
        Self { state: Mutex::new(state), changed: Notify::new(), given_up: Notify::new() }
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.lock().enter(phase);
        self.changed.notify_one();
    }

    pub(crate) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Notes bytes of the peer.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.input.take(bytes);
        let begins = state.phase == Phase::Quiet;
        if begins {
            state.enter(Phase::Head);
        }
        drop(state);
        if begins {
            self.changed.notify_one();
        }
    }

    /// Notes that a request with a body of this length, `None` for one in chunks, is answered. What the peer has sent of
    /// the next request is a head that is not whole yet.
    pub(crate) fn answered(&self, body: Option<u64>) {
        let mut state = self.lock();
        let is_ahead = state.input.end(body);
        state.enter(if is_ahead { Phase::Head } else { Phase::Quiet });
        drop(state);
        self.changed.notify_one();
    }

    /// Since when a connection waits for its peer; `None` while it is answered.
    pub(crate) fn waiting_since(self: &Arc<Self>) -> Option<(Instant, Arc<Self>)> {
        let State { phase, since, .. } = *self.lock();
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
            let State { phase, since, .. } = *self.lock();
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
