//! The nonces that a device has spent and the uploads of its day, and the rule that admits a request or refuses it.
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

/// The most uploads of one device that are admitted on one UTC day.
///
/// A controller uploads 30 s after each boot: one that restarts every seven minutes stays below it. With backups of
/// 512 KiB it bounds a device to 100 MiB a day.
pub const UPLOADS_PER_DAY: u64 = 200;

const SECONDS_PER_DAY: u64 = 86_400;

/// The work that a request asks for, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A backup is uploaded: [`UPLOADS_PER_DAY`] bounds it.
    Upload,
    /// Anything else.
    Other,
}

/// The admitted uploads of one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uploads {
    /// The day, counted from 1970-01-01.
    pub day: u64,
    /// The number of uploads.
    pub count: u64,
}

impl Uploads {
    /// Counts a request at `now`; `None` if it is an upload beyond [`UPLOADS_PER_DAY`].
    ///
    /// A day that is tomorrow's is another host's today: its uploads count. Any other day is over.
    fn counting(self, work: Work, now: UnixSeconds) -> Option<Self> {
        let today = now.get() / SECONDS_PER_DAY;
        match work {
            Work::Other => Some(self),
            Work::Upload if self.day != today && self.day != today + 1 => Some(Self { day: today, count: 1 }),
            Work::Upload if self.count < UPLOADS_PER_DAY => Some(Self { count: self.count + 1, ..self }),
            Work::Upload => None,
        }
    }

    /// The seconds until the day is over.
    const fn ends_in(self, now: UnixSeconds) -> u64 {
        ((self.day + 1) * SECONDS_PER_DAY).saturating_sub(now.get())
    }
}

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
    /// The uploads of the last day on which there were any.
    pub uploads: Uploads,
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
    Insert {
        /// The day whose uploads are to be counted up, if the request is an upload.
        upload_on: Option<u64>,
    },
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
    /// The device has uploaded [`UPLOADS_PER_DAY`] times on this day.
    TooManyUploads {
        /// The seconds until the day is over, at least 1.
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
    work: Work,
    attempt: AttemptId,
    now: UnixSeconds,
) -> Admission {
    let spent = record.and_then(|record| record.entries.get(&request.nonce()));
    if let Some(entry) = spent {
        return if entry.attempt == attempt { Admission::AlreadyAdmitted } else { Admission::Replayed };
    }
    let before = record.map(|record| record.uploads).unwrap_or_default();
    let Some(uploads) = before.counting(work, now) else {
        return Admission::TooManyUploads { retry_after_seconds: before.ends_in(now) };
    };
    match record {
        Some(record)
            if record.turnover_at > now && record.entries.len() < NONCE_CAPACITY && uploads.day == before.day =>
        {
            Admission::Insert { upload_on: (work == Work::Upload).then_some(uploads.day) }
        }
        record => rewrite(record, request, uploads, attempt, now),
    }
}

/// Drops the expired nonces and adds the request's, if there is room for it.
fn rewrite(
    record: Option<&ReplayRecord>,
    request: &SignatureVerified,
    uploads: Uploads,
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
        uploads,
    })
}

/// Returns the first second at which a nonce signed at `sent_at` need not be kept.
const fn forgotten_at(sent_at: UnixSeconds) -> UnixSeconds {
    sent_at.saturating_add(NONCE_RETENTION_SECONDS)
}
