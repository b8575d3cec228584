//! The report of a fleet: counts by status, throughput, latencies.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use tokio::time::Instant;

/// The most causes of failure that are counted one by one in a phase. Further ones are counted together.
const MAX_CAUSES: usize = 10;

/// One step of a fleet's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// `POST /registration-keys` with the user's token.
    Mint,
    /// `POST /devices/register`.
    Register,
    /// `POST /devices/{uuid}/backup`.
    Upload,
    /// `GET /devices/{uuid}/backup`; the envelope is opened and compared.
    Verify,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Mint => "mint",
            Self::Register => "register",
            Self::Upload => "upload",
            Self::Verify => "verify",
        })
    }
}

/// The result of one request.
pub(super) enum Verdict {
    /// The status of a success.
    Succeeded(u16),
    /// The status and message of a failure.
    Refused(u16, String),
    /// The reason why there is no response.
    Unanswered(String),
    /// The status of a request that is sent again.
    Postponed(u16),
}

impl Verdict {
    pub(super) fn succeeded(&self) -> bool {
        matches!(self, Self::Succeeded(_))
    }

    /// The sample of a request that began at `begun` and has ended now.
    pub(super) fn since(self, begun: Instant) -> Sample {
        self.took(begun, begun.elapsed())
    }

    /// The sample of a request that began at `begun` and took so long.
    pub(super) fn took(self, begun: Instant, latency: Duration) -> Sample {
        Sample { verdict: self, begun, latency }
    }
}

/// One request: its result, its begin, and the time from opening the connection to the end of the response.
pub(super) struct Sample {
    verdict: Verdict,
    begun: Instant,
    latency: Duration,
}

impl Sample {
    pub(super) fn succeeded(&self) -> bool {
        self.verdict.succeeded()
    }
}

/// One request of a phase, as it is recorded.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// Microseconds from the start of the fleet.
    at: u64,
    /// Microseconds.
    latency: u32,
    status: Option<u16>,
}

/// The results of one phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseReport {
    /// The number of requests by status; those without a response are under `None`, those sent again among the others.
    pub answers: BTreeMap<Option<u16>, usize>,
    /// The number of requests that failed.
    pub failed: usize,
    /// The number of failures by cause.
    pub causes: BTreeMap<String, usize>,
    /// The time from the start of the first request to the end of the last one.
    pub duration: Duration,
    /// The requests, in the order in which they ended.
    exchanges: Vec<Exchange>,
}

impl PhaseReport {
    /// Returns the number of requests.
    pub fn requests(&self) -> usize {
        self.exchanges.len()
    }

    /// Returns the requests per second over the whole phase; 0 if it took no time.
    pub fn throughput(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.requests() as f64 / seconds } else { 0.0 }
    }

    /// Returns, for each percentage P (0 to 100), the smallest latency that at least P % of the requests did not exceed.
    pub fn percentiles<const N: usize>(&self, percentages: [usize; N]) -> [Duration; N] {
        let mut sorted: Vec<_> = self.exchanges.iter().map(|exchange| exchange.latency).collect();
        sorted.sort_unstable();
        percentages.map(|percentage| {
            let rank = (sorted.len() * percentage).div_ceil(100);
            let micros = sorted.get(rank.saturating_sub(1)).copied();
            Duration::from_micros(micros.unwrap_or(0).into())
        })
    }

    fn add(&mut self, started: Instant, sample: Sample) {
        let at = u64::try_from(sample.begun.duration_since(started).as_micros()).unwrap_or(u64::MAX);
        let latency = u32::try_from(sample.latency.as_micros()).unwrap_or(u32::MAX);
        let (status, cause) = match sample.verdict {
            Verdict::Succeeded(status) | Verdict::Postponed(status) => (Some(status), None),
            Verdict::Refused(status, message) => (Some(status), Some(format!("{status} {message}"))),
            Verdict::Unanswered(reason) => (None, Some(reason)),
        };
        self.exchanges.push(Exchange { at, latency, status });
        *self.answers.entry(status).or_default() += 1;
        if let Some(mut cause) = cause {
            self.failed += 1;
            if self.causes.len() >= MAX_CAUSES && !self.causes.contains_key(&cause) {
                "other causes".clone_into(&mut cause);
            }
            *self.causes.entry(cause).or_default() += 1;
        }
    }
}

/// The results of a fleet. `Display` writes the closing table.
#[derive(Clone, Debug)]
pub struct Report {
    /// The phases that took place.
    pub phases: BTreeMap<Phase, PhaseReport>,
    started: Instant,
}

impl Report {
    /// A report of a fleet that starts now.
    pub(super) fn new() -> Self {
        Self { phases: BTreeMap::new(), started: Instant::now() }
    }

    /// Writes a line for each request: its phase, the microseconds from the start of the fleet to its begin, those to
    /// its end, and its status, 0 where there was no answer.
    pub fn record(&self) -> String {
        let mut lines = String::new();
        for (phase, report) in &self.phases {
            for Exchange { at, latency, status } in &report.exchanges {
                // Writing to a text does not fail.
                let _ = writeln!(lines, "{phase} {at} {latency} {}", status.unwrap_or(0));
            }
        }
        lines
    }

    /// Returns the number of requests that failed, over all phases.
    pub fn failed(&self) -> usize {
        self.phases.values().map(|phase| phase.failed).sum()
    }

    pub(super) fn add(&mut self, phase: Phase, sample: Sample) {
        self.phases.entry(phase).or_default().add(self.started, sample);
    }

    /// Adds time to a phase that has requests.
    pub(super) fn lasted(&mut self, phase: Phase, duration: Duration) {
        if let Some(report) = self.phases.get_mut(&phase) {
            report.duration += duration;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<8} {:>8} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  answers",
            "phase", "requests", "failed", "seconds", "per s", "p50 ms", "p90 ms", "p99 ms", "max ms"
        )?;
        for (phase, report) in &self.phases {
            write!(
                formatter,
                "{phase:<8} {:>8} {:>7} {:>8.2} {:>8.1}",
                report.requests(),
                report.failed,
                report.duration.as_secs_f64(),
                report.throughput(),
            )?;
            for latency in report.percentiles([50, 90, 99, 100]) {
                write!(formatter, " {:>8.1}", latency.as_secs_f64() * 1e3)?;
            }
            let answers: Vec<String> = report
                .answers
                .iter()
                .map(|(status, count)| match status {
                    Some(status) => format!("{status}: {count}"),
                    None => format!("none: {count}"),
                })
                .collect();
            writeln!(formatter, "  {}", answers.join(", "))?;
        }
        for (phase, report) in &self.phases {
            for (cause, count) in &report.causes {
                writeln!(formatter, "{phase} failed {count} times: {cause}")?;
            }
        }
        Ok(())
    }
}
