//! Which nonces a device has spent, and whether one more request is admitted.
//!
//! This is the rule alone. Whoever stores the record makes the write conditional on what was read, so that one
//! of any number of copies of a request is admitted.

use std::collections::BTreeMap;

use crate::{
    signed_request::{Nonce, SignatureVerified},
    time::UnixSeconds,
};

/// Seconds a nonce is kept after its timestamp: past the window of
/// [`CLOCK_SKEW_SECONDS`](crate::signed_request::CLOCK_SKEW_SECONDS) by enough that hosts whose clocks differ
/// cannot disagree on whether a request is both fresh and forgotten.
pub const NONCE_RETENTION_SECONDS: u64 = 60;

/// Most nonces a record holds. Live ones beyond it are refused; the bound keeps the item under 64 KiB.
pub const NONCE_CAPACITY: usize = 768;

/// Tells one attempt to admit a request from another of the same request: drawn once per request received, it
/// stays the same when the SDK repeats a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId([u8; 8]);

impl AttemptId {
    /// The attempt of these random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

/// What is remembered of a spent nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceEntry {
    /// The timestamp the nonce was signed with.
    pub sent_at: UnixSeconds,
    /// The attempt that recorded it.
    pub attempt: AttemptId,
}

impl NonceEntry {
    /// Bytes of the stored form.
    pub const LENGTH: usize = 16;

    /// The stored form: `sent_at` in seconds since the epoch as u64 big-endian, then the 8 bytes of `attempt`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (sent_at, attempt) = bytes.split_at_mut(8);
        sent_at.copy_from_slice(&self.sent_at.get().to_be_bytes());
        attempt.copy_from_slice(&self.attempt.0);
        bytes
    }

    /// Reads the stored form; `None` for another number of bytes than [`NonceEntry::LENGTH`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sent_at, attempt) = bytes.split_first_chunk()?;
        Some(Self {
            sent_at: UnixSeconds::new(u64::from_be_bytes(*sent_at)),
            attempt: AttemptId(attempt.try_into().ok()?),
        })
    }
}

/// The spent nonces of one device, as read from the store or to be written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRecord {
    /// Counts rewrites; a rewrite is conditional on the version it replaces.
    pub version: u64,
    /// From this second on the record is rewritten without its expired nonces instead of inserted into.
    pub turnover_at: UnixSeconds,
    /// The spent nonces.
    pub entries: BTreeMap<Nonce, NonceEntry>,
}

/// What to do with a request whose signature verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Add the nonce to the record as it is.
    Insert,
    /// Write this record, which has the nonce, in place of the old one.
    Rewrite(ReplayRecord),
    /// This very attempt has recorded the nonce: its first answer was lost.
    AlreadyAdmitted,
    /// The nonce was spent by another attempt.
    Replayed,
    /// The record is full of nonces that may not be forgotten yet.
    Full {
        /// Seconds until the oldest of them may, at least 1.
        retry_after_seconds: u64,
    },
}

/// Judges `request`, received as `attempt` at `now`, by the device's `record` (`None` if it has none).
///
/// A nonce counts as spent for as long as the record holds it, expired or not. Requests need not come in the
/// order of their timestamps.
#[must_use]
pub fn admission(
    record: Option<&ReplayRecord>,
    request: &SignatureVerified,
    attempt: AttemptId,
    now: UnixSeconds,
) -> Admission {
    let spent = record.and_then(|record| record.entries.get(&request.nonce()));
    match (spent, record) {
        (Some(entry), _) if entry.attempt == attempt => Admission::AlreadyAdmitted,
        (Some(_), _) => Admission::Replayed,
        (None, Some(record)) if record.turnover_at > now && record.entries.len() < NONCE_CAPACITY => Admission::Insert,
        (None, record) => rewrite(record, request, attempt, now),
    }
}

/// The record without its expired nonces and with the request's, if that leaves room for it.
fn rewrite(
    record: Option<&ReplayRecord>,
    request: &SignatureVerified,
    attempt: AttemptId,
    now: UnixSeconds,
) -> Admission {
    let mut entries: BTreeMap<Nonce, NonceEntry> = record
        .into_iter()
        .flat_map(|record| &record.entries)
        .filter(|(_, entry)| forgotten_at(entry.sent_at) > now)
        .map(|(nonce, entry)| (*nonce, *entry))
        .collect();
    let oldest = entries.values().map(|entry| entry.sent_at).min();
    if let Some(oldest) = oldest
        && entries.len() >= NONCE_CAPACITY
    {
        return Admission::Full { retry_after_seconds: forgotten_at(oldest).abs_diff(now) };
    }
    let sent_at = request.sent_at();
    entries.insert(request.nonce(), NonceEntry { sent_at, attempt });
    Admission::Rewrite(ReplayRecord {
        // Only that it differs from the version replaced matters, so that it may wrap.
        version: record.map_or(0, |record| record.version).wrapping_add(1),
        turnover_at: forgotten_at(oldest.map_or(sent_at, |oldest| oldest.min(sent_at))),
        entries,
    })
}

/// The first second at which a nonce signed at `sent_at` need not be kept.
const fn forgotten_at(sent_at: UnixSeconds) -> UnixSeconds {
    sent_at.saturating_add(NONCE_RETENTION_SECONDS)
}
