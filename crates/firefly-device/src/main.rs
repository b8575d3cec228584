//! `firefly-device`: acts as a FireFly controller on the command line.

mod commands;
mod fleet_command;
mod options;
mod output;
mod verdict;

use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser as _;
use firefly_core::time::UnixSeconds;
use rand::SeedableRng as _;
use rand::rngs::{StdRng, SysRng};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = options::Cli::parse();
    let mut rng = match StdRng::try_from_rng(&mut SysRng) {
        Ok(rng) => rng,
        Err(error) => {
            firefly_output::say(format_args!("error: the operating system gives no random bytes: {error}"));
            return ExitCode::from(1);
        }
    };
    match commands::run(cli, clock, &mut rng).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            firefly_output::say(format_args!("error: {failure}"));
            failure.exit_code()
        }
    }
}

fn clock() -> UnixSeconds {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixSeconds::new(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
}
