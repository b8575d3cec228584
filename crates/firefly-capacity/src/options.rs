//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use firefly_capacity::{Limits, Throttle};

const EXAMPLES: &str = "\
Examples:
  firefly-capacity day --controllers 10000 --within 10
                       a town of 10,000 whose controllers start within 10 s
  firefly-capacity day --controllers 1000000 --within 86400 --quotas raised
                       a quiet day of a million
  firefly-local --throttle 300,100 --concurrency 4
  firefly-device fleet --devices 10000 --rate 400 --concurrency 1000 --record run.txt
  firefly-capacity replay run.txt --throttle 300,100 --concurrency 4
                       whether the simulation agrees with a run

Exit status: 0 done, 1 a file cannot be read or a run differs too much, 2 the command is wrong.";

/// The share of a fleet's requests that AWS's documented limits let through, and the cost in US East (N. Virginia).
#[derive(Parser)]
#[command(name = "firefly-capacity", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Simulate a fleet after a power cut: each controller asks for its registration and uploads.
    Day(DayOptions),
    /// Simulate the requests that a fleet has recorded against a local cloud, and compare.
    Replay(ReplayOptions),
    /// Print the rows of docs/scale.md.
    Towns,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Quotas {
    /// The stacks' throttle, a new account's concurrency, new tables.
    Default,
    /// API Gateway's own quota, 10,000 concurrent executions, pre-warmed tables.
    Raised,
}

#[derive(Args)]
pub(crate) struct DayOptions {
    /// Number of controllers, at most ten million.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    controllers: u32,

    /// Seconds within which they start.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, allow_negative_numbers = true)]
    within: f64,

    /// Uploads of each controller, one a day.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) days: u32,

    /// Draws starts and durations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// The quotas of the account.
    #[arg(long, value_enum, default_value_t = Quotas::Default)]
    quotas: Quotas,

    /// Another throttle than the quotas': requests a second and at once.
    #[arg(long, value_name = "RATE,BURST")]
    throttle: Option<Throttle>,

    /// Another concurrency than the quotas': invocations at a time.
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
}

impl DayOptions {
    /// The controllers.
    pub(crate) fn controllers(&self) -> usize {
        usize::try_from(self.controllers).unwrap_or(usize::MAX)
    }

    pub(crate) fn within(&self) -> Result<Duration, String> {
        Duration::try_from_secs_f64(self.within).map_err(|error| format!("--within {}: {error}", self.within))
    }

    pub(crate) fn limits(&self) -> Limits {
        let limits = match self.quotas {
            Quotas::Default => Limits::default_quotas(),
            Quotas::Raised => Limits::raised_quotas(),
        };
        Limits {
            throttle: self.throttle.unwrap_or(limits.throttle),
            concurrency: self.concurrency.unwrap_or(limits.concurrency),
            ..limits
        }
    }
}

#[derive(Args)]
pub(crate) struct ReplayOptions {
    /// The record that `firefly-device fleet --record` wrote.
    pub(crate) file: PathBuf,

    /// The local cloud's throttle: requests a second and at once.
    #[arg(long, value_name = "RATE,BURST")]
    throttle: Throttle,

    /// The local cloud's concurrency: invocations at a time.
    #[arg(long, value_name = "N")]
    concurrency: usize,

    /// Fail if served or refused differ by more than so many percent of what was recorded.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) within: Option<f64>,

    /// Draws the durations of what was refused.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl ReplayOptions {
    pub(crate) const fn limits(&self) -> Limits {
        Limits::local(self.throttle, self.concurrency)
    }
}
