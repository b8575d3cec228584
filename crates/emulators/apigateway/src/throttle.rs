//! The token bucket of API Gateway's throttle.
//!
//! Source: API Gateway Developer Guide, "Throttle requests to your HTTP APIs for better throughput in API Gateway".

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The limits of a token bucket: a request takes a token, or is refused where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// Tokens that the bucket gains a second: requests a second in the long run.
    pub rate: f64,
    /// Most tokens in the bucket, which is full at first: requests at once.
    pub burst: u32,
}

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    limits: Throttle,
    /// The tokens in it, and when they were counted.
    tokens: Mutex<(f64, Instant)>,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(limits: Throttle, now: Instant) -> Self {
        Self { limits, tokens: Mutex::new((f64::from(limits.burst), now)) }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// The time until there is one, if there is none.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Duration> {
        let Throttle { rate, burst } = self.limits;
        let mut counted = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(counted.1).as_secs_f64() * rate;
        *counted = ((counted.0 + gained).min(f64::from(burst)), now.max(counted.1));
        if counted.0 >= 1.0 {
            counted.0 -= 1.0;
            return Ok(());
        }
        Err(Duration::try_from_secs_f64((1.0 - counted.0) / rate).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Bucket, Throttle};

    #[test]
    fn a_full_bucket_has_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let bucket = Bucket::full(Throttle { rate: 2.0, burst: 3 }, start);
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(at(250)), Err(Duration::from_millis(250)));
        assert_eq!(bucket.take(at(500)), Ok(()));
        assert_eq!(bucket.take(at(999)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(at(1_000)), Ok(()));
        // A long pause fills it, and no more.
        for _ in 0..3 {
            assert_eq!(bucket.take(at(60_000)), Ok(()));
        }
        assert!(bucket.take(at(60_000)).is_err());
    }

    #[test]
    fn an_earlier_instant_gains_nothing_and_loses_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let bucket = Bucket::full(Throttle { rate: 1.0, burst: 1 }, start);
        assert_eq!(bucket.take(start), Ok(()));
        assert!(bucket.take(start - Duration::from_secs(5)).is_err());
        assert!(bucket.take(start + Duration::from_millis(999)).is_err());
        assert_eq!(bucket.take(start + Duration::from_secs(1)), Ok(()));
    }
}
