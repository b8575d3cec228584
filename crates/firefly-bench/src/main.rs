//! Measures the functions' release binaries as Lambda runs them, beside a bare hello as the floor.
//!
//! The bench is the Lambda Runtime API of each process and its DynamoDB and S3, whose answers are ready: times are the
//! functions' own. Nothing asserts an absolute time; budgets are ratios within one run and CPU time on this machine.

mod bootstrap;
mod engine;
mod error;
mod measure;
mod process;
mod report;
mod runtime_api;
mod scenario;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::bootstrap::{Bootstrap, HELLO};
use crate::error::BenchError;
use crate::measure::{Starts, Warm};
use crate::report::{Report, Row};
use crate::scenario::{SCENARIOS, Scenario, Stage};

/// Measures the functions' release binaries as Lambda runs them.
#[derive(Parser)]
struct Options {
    /// Prints JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// How often everything is measured. Of each figure the round with the smallest median is shown: what else runs on the
    /// machine only ever adds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Starts of each binary in a round.
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// Measured invocations of each warm process in a round.
    #[arg(long, default_value_t = 150)]
    invocations: usize,
    /// Takes the binaries of this directory in place of building them.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Measures only the scenarios whose name or function contains this, beside the floor.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let report = tokio::runtime::Runtime::new()
        .map_err(error::io_error("cannot start"))
        .and_then(|runtime| runtime.block_on(measure(&options)));
    match report {
        Ok(report) if options.json => println!("{}", report.to_json()),
        Ok(report) => print!("{report}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn measure(options: &Options) -> Result<Report, BenchError> {
    let wanted = |scenario: &&Scenario| {
        scenario.function == HELLO || scenario.name.contains(&options.only) || scenario.function.contains(&options.only)
    };
    let scenarios: Vec<_> = SCENARIOS.iter().filter(wanted).copied().collect();
    let mut functions: Vec<_> = scenarios.iter().map(|scenario| scenario.function).collect();
    functions.retain(|function| *function != HELLO);
    functions.dedup();
    functions.insert(0, HELLO);
    let bootstraps = match &options.binaries {
        Some(directory) => bootstrap::find(&functions, directory)?,
        None => bootstrap::build(&functions)?,
    };
    let binary = |scenario: &Scenario| -> Result<&Bootstrap, BenchError> {
        let found = bootstraps.iter().find(|bootstrap| bootstrap.name == scenario.function);
        found.ok_or_else(|| BenchError::NoBinary { name: scenario.function.to_owned() })
    };

    let mut stages = Vec::new();
    for scenario in scenarios {
        stages.push(Stage::set(scenario).await?);
    }
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..options.rounds.max(1) {
        let round = measure_round(&stages, options, &binary).await?;
        rows = if rows.is_empty() {
            round
        } else {
            rows.into_iter().zip(round).map(|(best, row)| best.or_quieter(row)).collect()
        };
    }
    Ok(Report::new(rows))
}

/// Measures every scenario once.
async fn measure_round<'a>(
    stages: &[Stage],
    options: &Options,
    binary: &impl Fn(&Scenario) -> Result<&'a Bootstrap, BenchError>,
) -> Result<Vec<Row>, BenchError> {
    let mut starts: Vec<_> = stages.iter().map(|_| Starts::default()).collect();
    // Taken in turns, so that whatever else the machine does falls on all alike.
    for _ in 0..options.starts {
        for (stage, starts) in stages.iter().zip(&mut starts) {
            starts.once_more(stage, &binary(&stage.scenario)?.path).await?;
        }
    }
    let mut rows = Vec::new();
    for (stage, starts) in stages.iter().zip(starts) {
        let bootstrap = binary(&stage.scenario)?;
        let warm = Warm::measure(stage, &bootstrap.path, options.invocations).await?;
        rows.push(Row::new(&stage.scenario, bootstrap, starts, &warm));
    }
    Ok(rows)
}
