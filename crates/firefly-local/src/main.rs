//! `firefly-local`: the whole FireFly Cloud on one machine.

mod args;
mod client;
mod commands;
mod output;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use commands::devices::Devices;
use commands::env::Env;
use commands::mint::Mint;
use commands::openapi::OpenApi;
use commands::serve::Serve;
use commands::token::Token;
use firefly_core::time::UnixSeconds;
use output::{Failure, say};

/// Runs the whole FireFly Cloud on this machine: the HTTP API with its functions, DynamoDB, S3 and AppConfig.
///
/// Everything listens on the loopback interface. Data are kept in the data directory. Ctrl-C, SIGTERM or the
/// end of its terminal ends it; started with `nohup` on Linux, it outlives the terminal.
#[derive(Parser)]
#[command(name = "firefly-local", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a developer token, alone, on standard output. No running cloud is needed.
    Token(Token),
    /// Mints a one-time registration key at a running cloud and prints it, alone, on standard output.
    Mint(Mint),
    /// Prints the devices of a cloud, each as a line of JSON: all, or those that have not been backed up since a time.
    Devices(Devices),
    /// Prints how to reach the engines of a running cloud, for a shell to evaluate: eval "$(cargo run -q -- env)". AWS's
    /// command line and SDKs then work on its DynamoDB and S3 with every permission.
    Env(Env),
    /// Prints the OpenAPI document of the API as JSON.
    #[command(name = "openapi")]
    OpenApi(OpenApi),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(failure);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        None => runtime.block_on(cli.serve.run(aws_environment(), clock)),
        Some(Command::Token(token)) => token.run(clock()),
        Some(Command::Mint(mint)) => runtime.block_on(mint.run(clock())),
        Some(Command::Devices(devices)) => runtime.block_on(devices.run(clock())),
        Some(Command::Env(env)) => env.run(),
        Some(Command::OpenApi(openapi)) => openapi.run(),
    }
}

/// The variables that are given for external engines.
fn aws_environment() -> BTreeMap<String, String> {
    let names = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}

fn clock() -> UnixSeconds {
    UnixSeconds::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
