//! The keys of an issuer, fetched again before they are old.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use tokio::sync::Mutex;

use crate::key_set::{KeySet, KeySetError, KeySetUrl, PublicKey};
use crate::throttle::{Bucket, Throttle};

/// Seconds after which a request that finds the keys that old has them fetched again beside it.
const REFRESH_AFTER: u64 = 60 * 60;

/// Seconds after which keys no longer count. API Gateway can cache them for two hours (Developer Guide, "Control access to
/// HTTP APIs with JWT authorizers in API Gateway").
const MAX_AGE: u64 = 2 * 60 * 60;

/// Seconds for which a key id that the issuer did not know is not asked for again, and between two tries to refresh keys.
const RETRY_AFTER: u64 = 60;

/// Most key ids that are remembered as unknown. Whoever makes up more has all of them asked for again.
const MOST_UNKNOWN: usize = 1_024;

/// The fetches because of unknown key ids that the issuer is asked for. A request waits for the next one.
const FETCHES: Throttle = Throttle { rate: 1.0, burst: 10 };

/// The keys of an issuer.
#[derive(Debug)]
pub(crate) struct KeySource {
    url: KeySetUrl,
    state: RwLock<State>,
    /// Held by the request that fetches.
    turn: Mutex<()>,
    fetches: Bucket,
}

#[derive(Debug)]
struct State {
    keys: KeySet,
    /// The epoch second at which the keys were asked for.
    fetched_at: u64,
    /// The epoch second at which old keys were last to be fetched again, whatever came of it.
    tried_at: u64,
    /// The number of fetches that were begun.
    begun: u64,
    /// Key ids that the issuer did not know, each with the epoch second at which it was asked.
    unknown: HashMap<String, u64>,
}

impl KeySource {
    /// Fetches the keys at this URL.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub(crate) async fn open(url: &str, now: u64) -> Result<Self, KeySetError> {
        let url = KeySetUrl::new(url)?;
        let keys = url.fetch().await?;
        let state = State { keys, fetched_at: now, tried_at: now, begun: 0, unknown: HashMap::new() };
        let fetches = Bucket::full(FETCHES, Instant::now());
        Ok(Self { url, state: RwLock::new(state), turn: Mutex::new(()), fetches })
    }

    /// The key of this id, if the issuer has it; `None` as well when its keys are too old and cannot be fetched.
    ///
    /// A known key is found without waiting, unless nobody has asked for two hours.
    pub(crate) async fn get(self: &Arc<Self>, key_id: &str, now: u64) -> Option<PublicKey> {
        if self.are_older_than(MAX_AGE, now) {
            self.replace_old(now).await;
            if self.are_older_than(MAX_AGE, now) {
                return None;
            }
        } else if self.are_older_than(REFRESH_AFTER, now) && self.claim_try(now) {
            let source = Arc::clone(self);
            tokio::spawn(async move {
                let _turn = source.turn.lock().await;
                source.fetch(now).await;
            });
        }
        if let Some(key) = self.known(key_id) {
            return Some(key);
        }
        if !self.is_unknown(key_id, now) {
            self.look_up(now).await;
        }
        let key = self.known(key_id);
        if key.is_none() {
            self.remember_unknown(key_id, now);
        }
        key
    }

    /// Fetches keys in place of those that are too old, unless another request has just done so or tried.
    async fn replace_old(&self, now: u64) {
        let _turn = self.turn.lock().await;
        if self.are_older_than(MAX_AGE, now) && self.claim_try(now) {
            self.fetch(now).await;
        }
    }

    /// Fetches the keys, unless a fetch that began after this call has ended meanwhile. Any number of requests with unknown
    /// key ids wait for the same fetch.
    async fn look_up(&self, now: u64) {
        let begun = self.read().begun;
        let _turn = self.turn.lock().await;
        if self.read().begun > begun {
            return;
        }
        while let Err(wait) = self.fetches.take(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        self.fetch(now).await;
    }

    async fn fetch(&self, now: u64) {
        self.write().begun += 1;
        match self.url.fetch().await {
            Ok(keys) => {
                let mut state = self.write();
                state.keys = keys;
                state.fetched_at = now;
            }
            Err(error) => tracing::warn!(%error, "the keys stay as they are"),
        }
    }

    /// Returns `true` if the keys are that old, or from a time that the clock has not come to again. Those are fetched
    /// again beside a request, as keys whose age is not known.
    fn are_older_than(&self, seconds: u64, now: u64) -> bool {
        match now.checked_sub(self.read().fetched_at) {
            Some(age) => age >= seconds,
            None => seconds < MAX_AGE,
        }
    }

    /// Returns `true` if old keys may be fetched again: the last try was long ago, or the clock was set back since. The
    /// principal is to fetch them then.
    fn claim_try(&self, now: u64) -> bool {
        let mut state = self.write();
        let may_try = now.checked_sub(state.tried_at).is_none_or(|since| since >= RETRY_AFTER);
        if may_try {
            state.tried_at = now;
        }
        may_try
    }

    fn known(&self, key_id: &str) -> Option<PublicKey> {
        self.read().keys.get(key_id).cloned()
    }

    fn is_unknown(&self, key_id: &str, now: u64) -> bool {
        let asked_at = self.read().unknown.get(key_id).copied();
        asked_at.and_then(|at| now.checked_sub(at)).is_some_and(|since| since < RETRY_AFTER)
    }

    fn remember_unknown(&self, key_id: &str, now: u64) {
        if self.is_unknown(key_id, now) {
            return;
        }
        let mut state = self.write();
        if state.unknown.len() >= MOST_UNKNOWN {
            state.unknown.clear();
        }
        state.unknown.insert(key_id.to_owned(), now);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
