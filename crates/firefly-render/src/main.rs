//! `firefly-render`: writes what the functions' `function.toml` implies.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use firefly_render::{Error, render};

/// Writes what lambdas/*/function.toml implies: templates, workflows, samconfig.toml, the root template, dashboard and
/// alarms, and every list of functions.
///
/// Exit status: 0 done, 1 failed, with nothing written, 2 usage.
#[derive(Parser)]
#[command(name = "firefly-render", version)]
struct Cli {
    /// Root of the repository.
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    root: PathBuf,
    /// Write nothing, and fail where a file is not as it is rendered.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(&cli) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            stale.iter().for_each(|line| eprintln!("firefly-render: {line}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("firefly-render: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<Vec<String>, Error> {
    let rendered = render(&cli.root)?;
    if cli.check {
        return rendered.stale();
    }
    rendered.write()?;
    Ok(Vec::new())
}

/// Help as clap prints it; a mistake in one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
    eprintln!("firefly-render: {}; see --help", lines.trim_start_matches("error: "));
    ExitCode::from(2)
}
