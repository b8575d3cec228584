//! The record of a fleet's requests, as `firefly-device fleet --record` writes it.

use std::str::FromStr;
use std::time::Duration;

use crate::durations::Durations;
use crate::limits::Limits;
use crate::request::Request;
use crate::route::FleetRoute;
use crate::simulation::simulate;

/// The requests of a run, and how many of them were served and refused.
///
/// A line is a request: its phase (`mint`, `register`, `upload` or `verify`), its arrival and its duration in whole
/// microseconds, and its status, 0 where there was no answer; separated by spaces.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The requests; those that were refused have no duration.
    pub requests: Vec<Request>,
    /// Requests with an answer other than 429 and 503.
    pub served: usize,
    /// Requests answered 429.
    pub throttled: usize,
    /// Requests answered 503.
    pub unavailable: usize,
}

/// A line is not a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the record is not PHASE ARRIVAL DURATION STATUS: {text:?}")]
pub struct RecordError {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl FromStr for Record {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let mut record = Self { requests: Vec::new(), served: 0, throttled: 0, unavailable: 0 };
        for (index, text) in text.lines().enumerate() {
            record.add(text).ok_or_else(|| RecordError { line: index + 1, text: text.to_owned() })?;
        }
        Ok(record)
    }
}

impl Record {
    fn add(&mut self, line: &str) -> Option<()> {
        let mut parts = line.split(' ');
        let route = match parts.next()? {
            "mint" => FleetRoute::KeyCreation,
            "register" => FleetRoute::Registration,
            "upload" => FleetRoute::Upload,
            "verify" => FleetRoute::Restore,
            _ => return None,
        };
        let at = Duration::from_micros(parts.next()?.parse().ok()?);
        let duration = Duration::from_micros(parts.next()?.parse().ok()?);
        let status: u16 = parts.next()?.parse().ok()?;
        if parts.next().is_some() {
            return None;
        }
        let (count, duration) = match status {
            // The API, and not the function, has answered.
            429 => (&mut self.throttled, None),
            503 => (&mut self.unavailable, None),
            _ => (&mut self.served, Some(duration)),
        };
        *count += 1;
        self.requests.push(Request { at, route, duration });
        Some(())
    }

    /// Simulates the run, and compares.
    pub fn compare(&self, seed: u64, limits: &Limits) -> Compared {
        let report = simulate(seed, &self.requests, &Durations::recorded(&self.requests), limits);
        let total = report.total();
        let unavailable = total.refused() - total.throttled;
        let refused = self.throttled + self.unavailable;
        Compared {
            served: (self.served, total.served),
            refused: (refused, total.refused()),
            throttled: (self.throttled, total.throttled),
            unavailable: (self.unavailable, unavailable),
        }
    }
}

/// The requests of a run, recorded and simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Served.
    pub served: (usize, usize),
    /// Refused, with either status.
    pub refused: (usize, usize),
    /// Answered 429.
    pub throttled: (usize, usize),
    /// Answered 503.
    pub unavailable: (usize, usize),
}

impl Compared {
    /// Returns the greater of the differences in served and refused, as a share of what was recorded.
    pub fn difference(&self) -> f64 {
        let share =
            |(recorded, simulated): (usize, usize)| recorded.abs_diff(simulated) as f64 / (recorded.max(1)) as f64;
        share(self.served).max(share(self.refused))
    }
}
