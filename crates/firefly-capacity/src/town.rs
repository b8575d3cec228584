//! The figures of a town after a power cut.

use std::fmt::Write as _;
use std::time::Duration;

use crate::day::Day;
use crate::durations::Durations;
use crate::limits::Limits;
use crate::report::Counts;
use crate::route::FleetRoute;
use crate::simulation::simulate;

/// The controllers of a town.
const CONTROLLERS: usize = 10_000;
/// The seed of the figures.
const SEED: u64 = 1;

/// Writes the rows of `docs/scale.md` for a town of 10,000 whose controllers start within 1 s, 10 s and 60 s.
pub fn towns() -> String {
    let mut rows = String::new();
    for (quotas, limits) in [("default", Limits::default_quotas()), ("raised", Limits::raised_quotas())] {
        for seconds in [1, 10, 60] {
            let town = Day { controllers: CONTROLLERS, within: Duration::from_secs(seconds), days: 1 };
            let report = simulate(SEED, &town.requests(SEED), &Durations::published(), &limits);
            let row = |route| cells(report.routes.get(&route).copied().unwrap_or_default());
            let (checks, uploads, cost) = (row(FleetRoute::BootCheck), row(FleetRoute::Upload), report.cost.total());
            // Writing to a text does not fail.
            let _ = writeln!(rows, "| {quotas} | {seconds} s | {checks} | {uploads} | ${cost:.2} |");
        }
    }
    rows
}

/// Served, and refused by cause.
fn cells(counts: Counts) -> String {
    let unavailable = counts.refused() - counts.throttled;
    format!("{} | {} | {unavailable}", counts.served, counts.throttled)
}
