//! The report: the measured figures as a table and as JSON, and the verdicts of the budgets.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::bootstrap::{Bootstrap, HELLO};
use crate::measure::{Distribution, Starts, Warm};
use crate::scenario::Scenario;

/// INIT of a function, as a multiple of the floor's.
const INIT_RATIO: f64 = 1.8;
/// CPU time of the first invocation, as a multiple of a warm one's, both beyond the floor's.
const FIRST_RATIO: f64 = 2.0;
/// CPU time of a warm invocation, in milliseconds.
const CPU_MS: [(&str, f64); 2] = [("backup 37 B", 0.45), ("backup 512 KiB", 2.0)];
/// Peak memory of any route with a body of 512 KiB, in MB.
const MEMORY_MB: f64 = 20.0;
/// The package, in MB, of a function with S3 or without.
const ZIP_MB: [(&str, f64, bool); 2] = [("zip with S3, MB", 3.6, true), ("zip without S3, MB", 2.6, false)];

/// The figures of one binary and one kind of request.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Figures {
    /// From the process's start to its first call of `/next`.
    init: Distribution,
    init_cpu: Distribution,
    /// From the first event handed out to its answer.
    first: Distribution,
    first_cpu: Distribution,
    /// Connections to AWS that the first invocation opened.
    first_connections: usize,
    warm: Distribution,
    warm_cpu: Distribution,
    peak_memory_bytes: u64,
    aws_calls: usize,
    aws_round_trips: usize,
}

impl Figures {
    pub(crate) fn new(starts: Starts, warm: &Warm) -> Self {
        Self {
            init: Distribution::of(starts.init),
            init_cpu: Distribution::of(starts.init_cpu),
            first: Distribution::of(starts.first),
            first_cpu: Distribution::of(starts.first_cpu),
            first_connections: starts.first_connections,
            warm: warm.duration,
            warm_cpu: warm.cpu,
            peak_memory_bytes: warm.peak_memory,
            aws_calls: warm.calls.count,
            aws_round_trips: warm.calls.round_trips,
        }
    }

    /// Takes the distribution with the smaller median of each figure, and the larger memory and number of connections.
    fn or_quieter(self, other: Self) -> Self {
        Self {
            init: self.init.or_smaller(other.init),
            init_cpu: self.init_cpu.or_smaller(other.init_cpu),
            first: self.first.or_smaller(other.first),
            first_cpu: self.first_cpu.or_smaller(other.first_cpu),
            first_connections: self.first_connections.max(other.first_connections),
            warm: self.warm.or_smaller(other.warm),
            warm_cpu: self.warm_cpu.or_smaller(other.warm_cpu),
            peak_memory_bytes: self.peak_memory_bytes.max(other.peak_memory_bytes),
            ..self
        }
    }
}

/// One scenario.
#[derive(Serialize)]
pub(crate) struct Row {
    scenario: &'static str,
    function: &'static str,
    binary_bytes: u64,
    zip_bytes: u64,
    #[serde(flatten)]
    figures: Figures,
    /// The floor's, measured just before.
    floor: Figures,
}

impl Row {
    pub(crate) fn new(scenario: &Scenario, bootstrap: &Bootstrap, floor: Figures, figures: Figures) -> Self {
        Self {
            scenario: scenario.name,
            function: scenario.function,
            binary_bytes: bootstrap.size,
            zip_bytes: bootstrap.zip_size,
            figures,
            floor,
        }
    }

    /// See [`Figures::or_quieter`].
    pub(crate) fn or_quieter(self, other: Self) -> Self {
        Self { figures: self.figures.or_quieter(other.figures), floor: self.floor.or_quieter(other.floor), ..self }
    }

    fn init_ratio(&self) -> f64 {
        self.figures.init.p50_us / self.floor.init.p50_us
    }

    /// The CPU time of the first invocation as a multiple of a warm one's, each without the floor's. The runtime's own
    /// first time counts for neither: it takes five times as long as the next.
    fn first_ratio(&self) -> f64 {
        let beyond_floor = |cpu: fn(&Figures) -> Distribution| cpu(&self.figures).p50_us - cpu(&self.floor).p50_us;
        beyond_floor(|figures| figures.first_cpu) / beyond_floor(|figures| figures.warm_cpu)
    }

    fn is_floor(&self) -> bool {
        self.function == HELLO
    }

    fn has_s3(&self) -> bool {
        self.function.contains("backup")
    }
}

/// A budget and whether it is met.
#[derive(Serialize)]
struct Verdict {
    budget: String,
    limit: f64,
    /// The worst value among the rows that the budget is about.
    measured: f64,
    /// The scenario that `measured` is of.
    of: &'static str,
    met: bool,
}

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    budgets: Vec<Verdict>,
}

impl Report {
    /// The rows, and perhaps the verdicts of the budgets on them.
    pub(crate) fn new(rows: Vec<Row>, judged: bool) -> Self {
        if !judged {
            return Self { rows, budgets: Vec::new() };
        }
        let functions = || rows.iter().filter(|row| !row.is_floor());
        let mut budgets = Vec::new();
        budgets.extend(verdict("INIT p50 / hello's", INIT_RATIO, functions(), Row::init_ratio));
        let calling = functions().filter(|row| row.figures.aws_calls > 0);
        budgets.extend(verdict(
            "first invocation / a warm one, CPU beyond hello's",
            FIRST_RATIO,
            calling,
            Row::first_ratio,
        ));
        budgets.extend(verdict("connections the first invocation opens", 0.0, functions(), |row| {
            f64::from(u32::try_from(row.figures.first_connections).unwrap_or(u32::MAX))
        }));
        for (scenario, limit) in CPU_MS {
            let rows = functions().filter(|row| row.scenario == scenario);
            let name = format!("warm CPU of {scenario}, ms");
            budgets.extend(verdict(&name, limit, rows, |row| row.figures.warm_cpu.p50_us / 1e3));
        }
        let large = functions().filter(|row| row.scenario.ends_with("512 KiB"));
        budgets.extend(verdict("peak memory with 512 KiB, MB", MEMORY_MB, large, |row| {
            megabytes(row.figures.peak_memory_bytes)
        }));
        for (name, limit, s3) in ZIP_MB {
            let rows = functions().filter(|row| row.has_s3() == s3);
            budgets.extend(verdict(name, limit, rows, |row| megabytes(row.zip_bytes)));
        }
        Self { rows, budgets }
    }
}

/// The JSON of a report.
pub(crate) fn to_json(report: &impl Serialize) -> String {
    // Numbers and strings only: serde_json has no reason to fail.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// Holds the worst of these rows against a budget; `None` when there are no rows.
fn verdict<'a>(
    budget: &str,
    limit: f64,
    rows: impl Iterator<Item = &'a Row>,
    measure: impl Fn(&Row) -> f64,
) -> Option<Verdict> {
    let worst = rows.map(|row| (measure(row), row.scenario)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (measured, of) = worst;
    Some(Verdict { budget: budget.to_owned(), limit, measured, of, met: measured <= limit })
}

fn megabytes(bytes: u64) -> f64 {
    // Sizes are far below 4 TiB.
    f64::from(u32::try_from(bytes / 1_024).unwrap_or(u32::MAX)) * 1_024.0 / 1e6
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let ms = |microseconds: f64| microseconds / 1e3;
        table(
            formatter,
            ["request", "INIT p50 / p90 ms", "× hello", "CPU ms", "first ms", "CPU ms", "× warm", "new connections"],
            self.rows.iter().map(|row| {
                let first_ratio = (row.figures.aws_calls > 0).then(|| format!("{:.2}", row.first_ratio()));
                [
                    row.scenario.to_owned(),
                    format!("{:.2} / {:.2}", ms(row.figures.init.p50_us), ms(row.figures.init.p90_us)),
                    format!("{:.2}", row.init_ratio()),
                    format!("{:.2}", ms(row.figures.init_cpu.p50_us)),
                    format!("{:.2}", ms(row.figures.first.p50_us)),
                    format!("{:.2}", ms(row.figures.first_cpu.p50_us)),
                    first_ratio.unwrap_or_default(),
                    row.figures.first_connections.to_string(),
                ]
            }),
        )?;
        table(
            formatter,
            ["request", "warm p50 / p90 / p99 ms", "CPU p50 / p90 ms", "peak MB", "AWS calls", "round trips"],
            self.rows.iter().map(|row| {
                let warm = row.figures.warm;
                [
                    row.scenario.to_owned(),
                    format!("{:.2} / {:.2} / {:.2}", ms(warm.p50_us), ms(warm.p90_us), ms(warm.p99_us)),
                    format!("{:.3} / {:.3}", ms(row.figures.warm_cpu.p50_us), ms(row.figures.warm_cpu.p90_us)),
                    format!("{:.1}", megabytes(row.figures.peak_memory_bytes)),
                    row.figures.aws_calls.to_string(),
                    row.figures.aws_round_trips.to_string(),
                ]
            }),
        )?;
        let mut binaries: Vec<_> = self.rows.iter().collect();
        binaries.dedup_by_key(|row| row.function);
        table(
            formatter,
            ["binary", "MB", "zip MB"],
            binaries.into_iter().map(|row| {
                let (binary, zip) = (megabytes(row.binary_bytes), megabytes(row.zip_bytes));
                [row.function.to_owned(), format!("{binary:.2}"), format!("{zip:.2}")]
            }),
        )?;
        if self.budgets.is_empty() {
            return Ok(());
        }
        table(
            formatter,
            ["budget", "at most", "worst", "of", ""],
            self.budgets.iter().map(|Verdict { budget, limit, measured, of, met }| {
                let met = if *met { "met" } else { "**missed**" };
                [budget.clone(), limit.to_string(), format!("{measured:.2}"), (*of).to_owned(), met.to_owned()]
            }),
        )
    }
}

/// Writes a Markdown table and an empty line.
pub(crate) fn table<const N: usize>(
    formatter: &mut Formatter<'_>,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    writeln!(formatter, "| {} |\n|{}", head.join(" | "), "---|".repeat(N))?;
    for row in rows {
        writeln!(formatter, "| {} |", row.join(" | "))?;
    }
    writeln!(formatter)
}
