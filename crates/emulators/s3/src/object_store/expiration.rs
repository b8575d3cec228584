//! The rules by which old versions are removed.

use std::time::{Duration, SystemTime};

use super::version::Version;

const DAY: Duration = Duration::from_secs(86_400);

/// A rule by which noncurrent versions of an object expire.
///
/// Source: S3 API Reference, NoncurrentVersionExpiration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiration {
    /// The days that a version has had a successor.
    pub noncurrent_days: u64,
    /// The number of younger noncurrent versions of its key that a version must have.
    pub newer_noncurrent_versions: usize,
}

impl Expiration {
    fn has_come(&self, newer_noncurrent: usize, noncurrent_for: Duration) -> bool {
        newer_noncurrent >= self.newer_noncurrent_versions
            && u32::try_from(self.noncurrent_days).is_ok_and(|days| noncurrent_for >= DAY * days)
    }
}

/// The versions of a key, given newest first, that have expired. A delete marker that is current and has no other version
/// behind it any more is one of them (`ExpiredObjectDeleteMarker`).
pub(super) fn expired<'a>(versions: &'a [Version], rules: &[Expiration], now: SystemTime) -> Vec<&'a Version> {
    let pairs = versions.iter().zip(versions.iter().skip(1));
    let mut expired: Vec<_> = pairs
        .enumerate()
        .filter(|(newer_noncurrent, (successor, _))| {
            // A clock that was set back makes nothing old.
            let noncurrent_for = now.duration_since(successor.last_modified).unwrap_or_default();
            rules.iter().any(|rule| rule.has_come(*newer_noncurrent, noncurrent_for))
        })
        .map(|(_, (_, version))| version)
        .collect();
    if let [current, rest @ ..] = versions
        && current.content.is_none()
        && !rest.is_empty()
        && expired.len() == rest.len()
    {
        expired.push(current);
    }
    expired
}
