//! Measures the functions' release binaries as Lambda runs them, beside a bare hello as the floor.
//!
//! The bench is the Lambda Runtime API of each process and its DynamoDB and S3, whose answers are ready: times are the
//! functions' own. Nothing asserts an absolute time; budgets are ratios within one run and CPU time on this machine.

mod bootstrap;
mod engine;
mod error;
mod idle;
mod measure;
mod process;
mod report;
mod runtime_api;
mod scenario;
mod server;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use firefly_testkit::Tls;

use crate::bootstrap::{Bootstrap, HELLO};
use crate::error::BenchError;
use crate::measure::{Starts, Warm};
use crate::report::{Figures, Report, Row};
use crate::scenario::{SCENARIOS, Scenario, Stage};

/// Measures the functions' release binaries as Lambda runs them.
#[derive(Parser)]
struct Arguments {
    /// Prints JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// Rounds of all measurements. Of each figure the round with the smallest median is shown: what else runs on the
    /// machine only ever adds.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    rounds: usize,
    /// Starts of each binary in a round.
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    starts: usize,
    /// Measured invocations of each warm process in a round.
    #[arg(long, default_value_t = 150, value_parser = at_least_one)]
    invocations: usize,
    /// Has the engines speak TLS, as AWS does. The budgets are about the functions without it.
    #[arg(long)]
    tls: bool,
    /// Measures, in place of everything else, an invocation after so many seconds without one.
    #[arg(long)]
    idle: Option<u64>,
    /// Takes the binaries of this directory in place of building them.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Measures only the scenarios whose name or function contains this, beside the floor.
    #[arg(long, default_value = "")]
    only: String,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse::<NonZeroUsize>().map(NonZeroUsize::get).map_err(|error| error.to_string())
}

impl Arguments {
    /// The scenarios that are wanted; the first is the floor.
    fn scenarios(&self) -> Result<Vec<Scenario>, BenchError> {
        let meant = |scenario: &&Scenario| scenario.name.contains(&self.only) || scenario.function.contains(&self.only);
        if !SCENARIOS.iter().any(|scenario| meant(&scenario)) {
            return Err(BenchError::NoScenario { only: self.only.clone() });
        }
        let wanted = |scenario: &&Scenario| scenario.function == HELLO || meant(scenario);
        Ok(SCENARIOS.iter().filter(wanted).copied().collect())
    }

    /// The binaries of these scenarios.
    fn bootstraps(&self, scenarios: &[Scenario]) -> Result<Vec<Bootstrap>, BenchError> {
        let mut names: Vec<_> = scenarios.iter().map(|scenario| scenario.function).collect();
        names.dedup();
        match &self.binaries {
            Some(directory) => bootstrap::find(&names, directory),
            None => bootstrap::build(&names),
        }
    }
}

fn main() -> ExitCode {
    let options = Arguments::parse();
    match run(&options) {
        Ok(report) => {
            println!("{}", report.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and returns the text to print.
fn run(options: &Arguments) -> Result<String, BenchError> {
    let scenarios = options.scenarios()?;
    // With all the machine's CPUs.
    let bootstraps = options.bootstraps(&scenarios)?;
    process::use_one_cpu()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(error::io_error("cannot start"))?.block_on(measure(options, &scenarios, &bootstraps))
}

async fn measure(options: &Arguments, scenarios: &[Scenario], bootstraps: &[Bootstrap]) -> Result<String, BenchError> {
    let tls = options.tls.then(Tls::default);
    let mut stages = Vec::new();
    for scenario in scenarios {
        stages.push(Stage::set(*scenario, tls.as_ref()).await?);
    }
    if let Some(seconds) = options.idle {
        let idle = idle::measure(&stages, bootstraps, Duration::from_secs(seconds), options.rounds).await?;
        return Ok(if options.json { report::to_json(&idle) } else { idle.to_string() });
    }
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..options.rounds {
        let round = measure_round(&stages, options, bootstraps).await?;
        rows = if rows.is_empty() {
            round
        } else {
            rows.into_iter().zip(round).map(|(best, row)| best.or_quieter(row)).collect()
        };
    }
    let report = Report::new(rows, !options.tls);
    Ok(if options.json { report::to_json(&report) } else { report.to_string() })
}

/// Measures every scenario once.
async fn measure_round(
    stages: &[Stage],
    options: &Arguments,
    bootstraps: &[Bootstrap],
) -> Result<Vec<Row>, BenchError> {
    let figures = async |stage: &Stage| -> Result<Figures, BenchError> {
        let path = &bootstrap::of(bootstraps, stage.scenario.function)?.path;
        let starts = Starts::measure(stage, path, options.starts).await?;
        Ok(Figures::new(starts, &Warm::measure(stage, path, options.invocations).await?))
    };
    let mut rows = Vec::new();
    let Some(floor) = stages.first() else { return Ok(rows) };
    for stage in stages {
        // The floor is measured again before each scenario: a machine is not equally fast all the time.
        let (floor, figures) = (figures(floor).await?, figures(stage).await?);
        let bootstrap = bootstrap::of(bootstraps, stage.scenario.function)?;
        rows.push(Row::new(&stage.scenario, bootstrap, floor, figures));
    }
    Ok(rows)
}
