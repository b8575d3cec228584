//! The nonces that a device has spent, and the rule that admits a request or refuses it.
//!
//! The store of the record makes its write conditional on the record that was read. One of any number of copies of a
//! request is admitted.

use std::collections::BTreeMap;

use crate::{
    signed_request::{Nonce, SignatureVerified},
    time::UnixSeconds,
};

/// The retention: the seconds that a nonce is kept after its timestamp.
///
/// The time after the window of [`CLOCK_SKEW_SECONDS`](crate::signed_request::CLOCK_SKEW_SECONDS) allows for hosts
/// whose clocks differ: no host takes a request for fresh whose nonce another host has forgotten.
pub const NONCE_RETENTION_SECONDS: u64 = 60;

/// The most nonces that a record holds. Live ones beyond it are refused; the bound keeps the item under 64 KiB.
pub const NONCE_CAPACITY: usize = 768;

/// The identifier of one attempt to admit a request, drawn at random once per request received.
///
/// It tells copies of a request apart. It stays the same when the SDK repeats a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId([u8; 8]);

impl AttemptId {
    /// Takes random bytes as an identifier.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

/// The data that the record keeps about a spent nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceEntry {
    /// The timestamp that was signed with the nonce.
    pub sent_at: UnixSeconds,
    /// The attempt that recorded it.
    pub attempt: AttemptId,
}

impl NonceEntry {
    /// The bytes of the stored form.
    pub const LENGTH: usize = 16;

    /// Returns the stored form: `sent_at` in seconds since the epoch as u64 big-endian, then the 8 bytes of `attempt`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (sent_at, attempt) = bytes.split_at_mut(8);
        sent_at.copy_from_slice(&self.sent_at.get().to_be_bytes());
        attempt.copy_from_slice(&self.attempt.0);
        bytes
    }

    /// Parses the stored form; `None` unless there are [`NonceEntry::LENGTH`] bytes.
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
    /// The number of rewrites. A rewrite is conditional on the version that it replaces.
    pub version: u64,
    /// The turnover: from this second on, the next write replaces the record by one without its expired nonces.
    pub turnover_at: UnixSeconds,
    /// The spent nonces.
    pub entries: BTreeMap<Nonce, NonceEntry>,
}

impl ReplayRecord {
    /// Returns `true` if no nonce of the record has to be kept at `now`.
    #[must_use]
    pub fn is_spent(&self, now: UnixSeconds) -> bool {
        self.entries.values().all(|entry| forgotten_at(entry.sent_at) <= now)
    }
}

/// The verdict on a request whose signature verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The nonce is to be added to the record as it is.
    Insert,
    /// This record, which has the nonce, is to replace the old one.
    Rewrite(ReplayRecord),
    /// This attempt itself has recorded the nonce, and the answer to its write was lost.
    AlreadyAdmitted,
    /// Another attempt has spent the nonce.
    Replayed,
    /// The record is full of nonces that must still be kept.
    Full {
        /// The seconds until the oldest nonce may be forgotten, at least 1.
        retry_after_seconds: u64,
    },
}

/// Judges `request`, received as `attempt` at `now`, by the device's `record`, which is `None` if it does not exist.
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

/// Drops the expired nonces and adds the request's, if there is room for it.
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
        // The version may wrap: it only has to differ from the one it replaces.
        version: record.map_or(0, |record| record.version).wrapping_add(1),
        turnover_at: forgotten_at(oldest.map_or(sent_at, |oldest| oldest.min(sent_at))),
        entries,
    })
}

/// Returns the first second at which a nonce signed at `sent_at` need not be kept.
const fn forgotten_at(sent_at: UnixSeconds) -> UnixSeconds {
    sent_at.saturating_add(NONCE_RETENTION_SECONDS)
}
