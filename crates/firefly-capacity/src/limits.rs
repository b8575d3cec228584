//! AWS's documented limits.

use std::str::FromStr;
use std::time::Duration;

/// The limits that requests meet, in the order in which they meet them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The API's throttle: beyond it a request is answered 429.
    pub throttle: Throttle,
    /// The most invocations at a time, over all functions: beyond it a request is answered 503.
    pub concurrency: usize,
    /// The creation of environments; `None` where they are always there, as in the local cloud.
    pub environments: Option<Environments>,
    /// The stores' throughput; `None` where it is not limited.
    pub stores: Option<Stores>,
}

/// The throttle of all routes together, a token bucket.
///
/// Source: API Gateway Developer Guide, "Throttle requests to your HTTP APIs for better throughput in API Gateway".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: f64,
}

/// The concurrent executions of an account, over all functions, by default (Lambda Developer Guide, "Lambda quotas").
const CONCURRENCY: usize = 1_000;
/// The longest warm request, in seconds: an upload, three calls of DynamoDB of 10 ms, one of S3 of 200 ms, CPU time of
/// 5 ms, and a margin. Its sources are those of [`Durations::published`](crate::Durations::published).
const WARM: f64 = 0.25;
/// A request that finds no environment, in seconds: a start, published with 163 ms for Rust on arm64 with the SDK and one
/// TLS handshake (S. Tahara, "AWS SDK for Rust takes ~900 ms on first request", 2026-03-31), with a margin, and [`WARM`].
const COLD: f64 = 0.5;

impl Throttle {
    /// The throttle of an account with so many concurrent executions: its rate keeps as many busy when every request is
    /// cold, its burst those that the rate leaves when it is warm.
    const fn of(concurrency: usize) -> Self {
        let executions = concurrency as f64;
        let rate = executions / COLD;
        Self { rate, burst: executions - rate * WARM }
    }
}

/// The creation of a function's environments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Environments {
    /// The most that are created at once, for each function.
    pub at_once: f64,
    /// Those that can be created each further second, for each function.
    pub per_second: f64,
    /// The time after which one that is not used is gone. AWS does not publish it.
    pub idle: Duration,
}

/// The throughput of the table of devices and of the bucket.
///
/// A call that finds none is tried again by the SDK until its time limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stores {
    /// Write units a second.
    pub write_units: f64,
    /// Read units a second.
    pub read_units: f64,
    /// PUT requests of the bucket a second.
    pub puts: f64,
    /// GET requests of the bucket a second.
    pub gets: f64,
    /// The time limit of a call.
    pub patience: Duration,
}

/// Lambda's scaling rate: 1,000 environments every 10 s and function, refilled continuously.
///
/// Source: Lambda Developer Guide, "Lambda scaling behavior".
const ENVIRONMENTS: Environments =
    Environments { at_once: 1_000.0, per_second: 100.0, idle: Duration::from_secs(5 * 60) };

impl Limits {
    /// The stacks' throttle and what a new account has: 1,000 concurrent executions, new tables and bucket.
    ///
    /// Sources: Lambda Developer Guide, "Lambda quotas"; DynamoDB Developer Guide, "Pre-warming a table for on-demand
    /// capacity mode"; Amazon S3 User Guide, "Performance guidelines".
    pub const fn default_quotas() -> Self {
        Self {
            throttle: Throttle::of(CONCURRENCY),
            concurrency: CONCURRENCY,
            environments: Some(ENVIRONMENTS),
            stores: Some(Stores {
                write_units: 4_000.0,
                read_units: 12_000.0,
                puts: 3_500.0,
                gets: 5_500.0,
                patience: Duration::from_secs(4),
            }),
        }
    }

    /// The limits that AWS raises on request: the throttle at API Gateway's own quota, 10,000 concurrent executions, a
    /// table pre-warmed to its quota. Lambda's scaling rate cannot be raised.
    ///
    /// Sources: API Gateway Developer Guide, "Amazon API Gateway quotas"; DynamoDB Developer Guide, "Quotas".
    pub const fn raised_quotas() -> Self {
        Self {
            throttle: Throttle { rate: 10_000.0, burst: 5_000.0 },
            concurrency: 10_000,
            environments: Some(ENVIRONMENTS),
            stores: Some(Stores {
                write_units: 40_000.0,
                read_units: 40_000.0,
                puts: 3_500.0,
                gets: 5_500.0,
                patience: Duration::from_secs(4),
            }),
        }
    }

    /// The limits that a local cloud is started with.
    pub const fn local(throttle: Throttle, concurrency: usize) -> Self {
        Self { throttle, concurrency, environments: None, stores: None }
    }
}

/// The text is not a throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a throttle is RATE,BURST: requests a second and at once, each a number of at least 1")]
pub struct ThrottleError;

impl FromStr for Throttle {
    type Err = ThrottleError;

    fn from_str(text: &str) -> Result<Self, ThrottleError> {
        let (rate, burst) = text.split_once(',').ok_or(ThrottleError)?;
        let number = |text: &str| text.parse().ok().filter(|number: &f64| (1.0..=1e9).contains(number));
        let (rate, burst) = number(rate).zip(number(burst)).ok_or(ThrottleError)?;
        Ok(Self { rate, burst })
    }
}

#[cfg(test)]
mod tests {
    use super::{Throttle, ThrottleError};

    #[test]
    fn a_throttle_is_two_numbers_of_at_least_1() {
        assert_eq!("300,12.5".parse(), Ok(Throttle { rate: 300.0, burst: 12.5 }));
        for text in ["", "300", "300,", ",1", "0,1", "1,0", "1,2,3", "x,1", "NaN,1", "inf,1", "1;1"] {
            assert_eq!(text.parse::<Throttle>(), Err(ThrottleError), "{text}");
        }
    }
}
