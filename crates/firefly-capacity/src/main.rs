//! `firefly-capacity`: the share of a fleet's requests that AWS's documented limits let through, and the cost.

mod options;

use std::process::ExitCode;

use clap::Parser as _;
use firefly_capacity::{Compared, Day, Durations, Record, simulate, towns};
use firefly_output::{print_result, say};

use options::{Cli, Command, ReplayOptions};

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(format_args!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns the cause of a failure.
fn run(command: &Command) -> Result<(), String> {
    match command {
        Command::Day(options) => {
            let day = Day { controllers: options.controllers(), within: options.within()?, days: options.days };
            let (seed, limits) = (options.seed, options.limits());
            let report = simulate(seed, &day.requests(seed), &Durations::published(), &limits);
            print(&report.to_string())
        }
        Command::Replay(options) => replay(options),
        Command::Towns => print(&towns()),
    }
}

fn replay(options: &ReplayOptions) -> Result<(), String> {
    let name = options.file.display();
    let text = std::fs::read_to_string(&options.file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let record: Record = text.parse().map_err(|error| format!("{name}: {error}"))?;
    let compared = record.compare(options.seed, &options.limits());
    print(&table(&compared))?;
    match options.within {
        Some(percent) if 100.0 * compared.difference() > percent => {
            Err(format!("served or refused differ by more than {percent} %"))
        }
        _ => Ok(()),
    }
}

fn table(compared: &Compared) -> String {
    let rows = [
        ("served", compared.served),
        ("refused", compared.refused),
        ("of them 429", compared.throttled),
        ("of them 503", compared.unavailable),
    ];
    let rows = rows.map(|(what, (recorded, simulated))| format!("{what:<12} {recorded:>9} {simulated:>9}\n"));
    let difference = 100.0 * compared.difference();
    format!(
        "{:<12} {:>9} {:>9}\n{}served or refused differ by {difference:.1} %\n",
        "",
        "recorded",
        "simulated",
        rows.concat()
    )
}

fn print(text: &str) -> Result<(), String> {
    print_result(text).map_err(|error| error.to_string())
}
