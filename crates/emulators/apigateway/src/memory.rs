//! The memory that the bodies of all requests take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use emulator_kit::BodyError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The longest of the small bodies, in bytes. They have memory of their own, so that long ones keep none waiting.
const SMALL_LENGTH: usize = 1024 * 1024;

/// The KiB of all small bodies in memory at once, and of all others.
const POOL_KIB: usize = 64 * 1024;

/// The wait between two bodies that are given up, so that the first can leave its memory.
const GIVE_UP_PAUSE: Duration = Duration::from_millis(100);

/// The memory of all bodies.
pub(crate) struct Memory {
    small: Pool,
    large: Pool,
}

/// A body in memory, with its share, which is given back when this is dropped.
pub(crate) struct Held {
    pub(crate) body: Bytes,
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

impl Memory {
    /// A body that has been read for longer than `patience` is given up when another one needs its memory.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { small: Pool::new(patience), large: Pool::new(patience) }
    }

    /// Reads a body of at most `limit` bytes that arrives within `deadline` after there is memory for it.
    ///
    /// # Errors
    /// [`BodyError`]; [`BodyError::Late`] for a body that was given up as well.
    pub(crate) async fn read(&self, body: Body, limit: usize, deadline: Duration) -> Result<Held, BodyError> {
        let declared = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let length = declared.map_or(limit, |length| length.min(limit));
        if length == 0 {
            let body = emulator_kit::read(body, limit, deadline).await?;
            return Ok(Held { body, share: None });
        }
        let pool = if length <= SMALL_LENGTH { &self.small } else { &self.large };
        let share = pool.reserve(length).await;
        let reading = Reading::begin(pool);
        let body = tokio::select! {
            body = emulator_kit::read(body, limit, deadline) => body?,
            () = reading.given_up() => return Err(BodyError::Late),
        };
        Ok(Held { body, share })
    }
}

/// A part of the memory.
struct Pool {
    patience: Duration,
    free: Arc<Semaphore>,
    /// Held by the body that is the next to get memory.
    next: tokio::sync::Mutex<()>,
    /// The bodies that are being read, the one that began first first.
    reading: Mutex<BTreeMap<u64, (Instant, Arc<Notify>)>>,
}

impl Pool {
    fn new(patience: Duration) -> Self {
        let free = Arc::new(Semaphore::new(POOL_KIB));
        Self { patience, free, next: tokio::sync::Mutex::default(), reading: Mutex::default() }
    }

    /// Waits for the memory of a body, in turn. Gives up the body that has been read for longest once that is long enough.
    async fn reserve(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let _turn = self.next.lock().await;
        if let Ok(share) = Arc::clone(&self.free).try_acquire_many_owned(kib) {
            return Some(share);
        }
        let mut share = std::pin::pin!(Arc::clone(&self.free).acquire_many_owned(kib));
        loop {
            let now = Instant::now();
            let longest = self.lock().values().next().cloned();
            let look_again = match longest {
                Some((since, given_up)) if since + self.patience <= now => {
                    given_up.notify_one();
                    now + GIVE_UP_PAUSE
                }
                Some((since, _)) => since + self.patience,
                None => now + self.patience,
            };
            tokio::select! {
                // The semaphore is never closed.
                share = &mut share => return share.ok(),
                () = tokio::time::sleep_until(look_again) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, Arc<Notify>)>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is being read.
struct Reading<'a> {
    pool: &'a Pool,
    number: u64,
    given_up: Arc<Notify>,
}

impl<'a> Reading<'a> {
    fn begin(pool: &'a Pool) -> Self {
        let given_up = Arc::new(Notify::new());
        let mut reading = pool.lock();
        let number = reading.last_key_value().map_or(0, |(last, _)| last + 1);
        reading.insert(number, (Instant::now(), Arc::clone(&given_up)));
        drop(reading);
        Self { pool, number, given_up }
    }

    /// Resolves when another body needs the memory.
    async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.pool.lock().remove(&self.number);
    }
}
