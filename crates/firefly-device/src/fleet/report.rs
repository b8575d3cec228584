//! The report of a fleet: counts by status, throughput, latencies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

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
}

impl Verdict {
    pub(super) fn succeeded(&self) -> bool {
        matches!(self, Self::Succeeded(_))
    }

    pub(super) fn took(self, latency: Duration) -> Sample {
        Sample { verdict: self, latency }
    }
}

/// One request: its result, and the time from opening the connection to the end of the response.
pub(super) struct Sample {
    verdict: Verdict,
    latency: Duration,
}

impl Sample {
    pub(super) fn succeeded(&self) -> bool {
        self.verdict.succeeded()
    }
}

/// The results of one phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseReport {
    /// The number of requests by status; those without a response are under `None`.
    pub answers: BTreeMap<Option<u16>, usize>,
    /// The number of requests that failed.
    pub failed: usize,
    /// The number of failures by cause.
    pub causes: BTreeMap<String, usize>,
    /// The time from the start of the first request to the end of the last one.
    pub duration: Duration,
    /// Each request's latency in microseconds, in the order in which the requests ended.
    latencies: Vec<u32>,
}

impl PhaseReport {
    /// Returns the number of requests.
    pub fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// Returns the requests per second over the whole phase; 0 if it took no time.
    pub fn throughput(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.requests() as f64 / seconds } else { 0.0 }
    }

    /// Returns, for each percentage P (0 to 100), the smallest latency that at least P % of the requests did not exceed.
    pub fn percentiles<const N: usize>(&self, percentages: [usize; N]) -> [Duration; N] {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        percentages.map(|percentage| {
            let rank = (sorted.len() * percentage).div_ceil(100);
            let micros = sorted.get(rank.saturating_sub(1)).copied();
            Duration::from_micros(micros.unwrap_or(0).into())
        })
    }

    fn add(&mut self, sample: Sample) {
        let micros = u32::try_from(sample.latency.as_micros()).unwrap_or(u32::MAX);
        self.latencies.push(micros);
        let (status, cause) = match sample.verdict {
            Verdict::Succeeded(status) => (Some(status), None),
            Verdict::Refused(status, message) => (Some(status), Some(format!("{status} {message}"))),
            Verdict::Unanswered(reason) => (None, Some(reason)),
        };
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
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The phases that took place.
    pub phases: BTreeMap<Phase, PhaseReport>,
}

impl Report {
    /// Returns the number of requests that failed, over all phases.
    pub fn failed(&self) -> usize {
        self.phases.values().map(|phase| phase.failed).sum()
    }

    pub(super) fn add(&mut self, phase: Phase, sample: Sample) {
        self.phases.entry(phase).or_default().add(sample);
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
