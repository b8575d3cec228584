//! Writes that lose a race against others.

use std::time::Duration;

/// The number of times a write that lost a race is tried before it counts as unavailable.
pub(crate) const RACE_ATTEMPTS: u32 = 12;

/// The wait before try `attempt` (from 1) of a write that lost a race: 10 ms, doubling to 320 ms.
pub(crate) fn race_backoff(attempt: u32) -> Duration {
    Duration::from_millis(10 << attempt.saturating_sub(1).min(5))
}
