//! The places of a listener's connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::activity::Activity;
use crate::limits::Limits;

/// The wait between two connections that are given up, so that the first can leave its place.
const GIVE_UP_PAUSE: Duration = Duration::from_millis(100);

/// The places for connections.
pub(crate) struct Places {
    patience: Duration,
    free: Arc<Semaphore>,
    taken: Taken,
}

/// The connections that have a place, by the address of their activity.
type Taken = Arc<Mutex<HashMap<usize, Arc<Activity>>>>;

/// The place of one connection, free again when dropped.
pub(crate) struct Place {
    activity: Arc<Activity>,
    taken: Taken,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn of(limits: Limits) -> Self {
        let free = Arc::new(Semaphore::new(limits.connections));
        Self { patience: limits.patience, free, taken: Arc::default() }
    }

    /// A free place, or that of the connection that has waited longest for its peer.
    pub(crate) async fn take(&self) -> Place {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => self.make_free().await,
        };
        let activity = Arc::new(Activity::new());
        lock(&self.taken).insert(key(&activity), Arc::clone(&activity));
        Place { activity, taken: Arc::clone(&self.taken), _permit: permit }
    }

    /// Waits for a free place; gives up the connection that has waited longest for its peer once that is long enough.
    async fn make_free(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let now = Instant::now();
            let longest =
                lock(&self.taken).values().filter_map(Activity::waiting_since).min_by_key(|(since, _)| *since);
            let look_again = match longest {
                Some((since, activity)) if since + self.patience <= now => {
                    activity.give_up();
                    now + self.patience.min(GIVE_UP_PAUSE)
                }
                Some((since, _)) => since + self.patience,
                None => now + self.patience,
            };
            let free = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = tokio::time::timeout_at(look_again, free).await {
                // The semaphore is never closed.
                return permit.ok();
            }
        }
    }
}

impl Place {
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Counts all places that are taken.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let taken = Arc::clone(&self.taken);
        move || lock(&taken).len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.taken).remove(&key(&self.activity));
    }
}

fn key(activity: &Arc<Activity>) -> usize {
    Arc::as_ptr(activity).addr()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
