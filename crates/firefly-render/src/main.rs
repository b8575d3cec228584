//! `firefly-render`: writes what the functions' `function.toml` implies.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use firefly_render::{Caller, Error, add, remove, render};

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
enum Command {
    /// Makes the folder of a function that compiles and whose route answers, and renders everything.
    Add {
        /// func-api-, the path in words and the method, such as func-api-device-count-get.
        name: String,
        /// The route, such as 'GET /devices/{uuid}/state' [default: what the name says].
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        /// Who calls it: anyone, device, key, user or super_user.
        #[arg(long, value_name = "CALLER", default_value = "super_user", value_parser = caller)]
        caller: Caller,
    },
    /// Takes a function out of everything that is rendered, then deletes its folder.
    Remove {
        /// The function, such as func-api-device-count-get.
        name: String,
    },
}

fn caller(word: &str) -> Result<Caller, String> {
    Caller::of_word(word).ok_or_else(|| format!("allowed are {}", Caller::ALL.map(Caller::word).join(", ")))
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(Cli { check: true, command: Some(_), .. }) => {
            return usage(&Cli::command().error(ErrorKind::ArgumentConflict, "--check stands without a command"));
        }
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

/// Does what is asked, and returns what is not as it is rendered.
fn run(cli: &Cli) -> Result<Vec<String>, Error> {
    let root = &cli.root;
    match &cli.command {
        None if cli.check => return render(root)?.stale(),
        None => render(root)?.write()?,
        Some(Command::Add { name, route, caller }) => add(root, name, route.as_deref(), *caller)?.write()?,
        Some(Command::Remove { name }) => remove(root, name)?,
    }
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
