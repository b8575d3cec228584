//! `firefly-deploy`: the part of a deployment that SAM cannot do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use firefly_deploy::graph::{self, STACKS, Stack};
use firefly_deploy::{
    Account, AccountOptions, EnvironmentName, Waits, check_bucket, delete, deploy_data, holds_data, params, plan_data,
    prepare,
};
use firefly_output::{print_result, say};

/// Does for CI what SAM cannot: a way out of failed states, parameters from outputs, adopting tables and a bucket, safe deletes, order.
///
/// Region and credentials come from the environment (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
/// AWS_SESSION_TOKEN or AWS_PROFILE), and so does the name of the environment (FIREFLY_ENVIRONMENT): every command but
/// graph refuses to work on an account whose stack firefly-bootstrap names another one. Progress goes to standard error.
/// Exit status: 0 done, 1 failed, 2 usage.
#[derive(Parser)]
#[command(name = "firefly-deploy", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Brings a stack into a state in which SAM can deploy it: deletes a creation that failed or was interrupted, continues
    /// a failed rollback, and leaves every other stack as it is.
    Prepare {
        /// Name of a stack, such as func-api-health-get.
        #[arg(value_name = "STACK", value_parser = sam_stack)]
        stack: &'static Stack,
        #[command(flatten)]
        work: Work,
    },
    /// Writes a stack's parameters as YAML for `sam deploy --parameter-overrides file://FILE`: from the outputs of the
    /// stacks it needs, else from the environment (parameter DomainName from DOMAIN_NAME; unset or empty means the
    /// template's default).
    Params {
        /// Name of a stack, such as func-api-health-get.
        #[arg(value_name = "STACK", value_parser = any_stack)]
        stack: &'static Stack,
        /// File to write [default: standard output].
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Deploys a table or the bucket: creates it, adopts it where it exists without its stack, or updates it; recovers
    /// from whatever an earlier run has left. BACKUP_BUCKET_NAME names the bucket.
    Data {
        /// dynamodb-devices, dynamodb-registration-keys or s3-device-backups.
        #[arg(value_name = "STACK", value_parser = data_stack)]
        stack: &'static Stack,
        /// Print what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        work: Work,
    },
    /// Deletes a stack and its left-over log group; a table goes with it unless it is protected or kept, the bucket
    /// stays.
    Delete {
        /// Name of a stack, such as func-api-health-get.
        #[arg(value_name = "STACK", value_parser = any_stack)]
        stack: &'static Stack,
        /// Keep the table, also one that is protected; the next deploy adopts it. Other stacks hold none.
        #[arg(long)]
        keep_data: bool,
        #[command(flatten)]
        work: Work,
    },
    /// Succeeds if the account holds the environment FIREFLY_ENVIRONMENT, and changes nothing.
    CheckEnvironment,
    /// Prints deploy order, delete order and every stack's dependencies.
    Graph {
        /// Format of the graph.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Args)]
struct Work {
    /// Role CloudFormation works with; empty means the caller's own permissions.
    #[arg(
        long,
        value_name = "ARN",
        env = "AWS_CLOUDFORMATION_ROLE_ARN",
        default_value = "",
        hide_default_value = true
    )]
    role_arn: String,
    /// Longest wait for one operation.
    #[arg(long, value_name = "MINUTES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=720))]
    wait_minutes: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Text with the dependency tables.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
}

fn any_stack(name: &str) -> Result<&'static Stack, String> {
    Stack::named(name).ok_or_else(|| match name {
        "bootstrap" => "the stack bootstrap is deployed by hand: see README".to_owned(),
        _ => format!("there are {}", names(|_| true)),
    })
}

fn sam_stack(name: &str) -> Result<&'static Stack, String> {
    let stack = any_stack(name)?;
    if holds_data(stack) { Err(format!("{name} is deployed by `firefly-deploy data`")) } else { Ok(stack) }
}

fn data_stack(name: &str) -> Result<&'static Stack, String> {
    let stack = any_stack(name)?;
    let known = || format!("data are held by {}; deploy the others with `sam deploy`", names(holds_data));
    if holds_data(stack) { Ok(stack) } else { Err(known()) }
}

fn names(wanted: impl Fn(&Stack) -> bool) -> String {
    let names: Vec<_> = STACKS.iter().filter(|stack| wanted(stack)).map(|stack| stack.name).collect();
    names.join(", ")
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    say(format_args!("firefly-deploy: {error}"));
    ExitCode::FAILURE
}

/// Prints help as clap does, and a mistake in one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        say(
            "firefly-deploy: a command is needed: prepare, params, data, delete, check-environment or graph; see --help",
        );
        return ExitCode::from(2);
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
    say(format_args!("firefly-deploy: {}; see --help", lines.trim_start_matches("error: ")));
    ExitCode::from(2)
}

async fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    match command {
        Command::Prepare { stack, work } => {
            let account = connect(&environment, work.role_arn, Waits::minutes(work.wait_minutes)).await?;
            prepare(&account, stack).await?;
        }
        Command::Params { stack, output } => {
            let account = connect(&environment, String::new(), Waits::minutes(1)).await?;
            write(output.as_deref(), &params(&account, stack, &environment).await?)?;
        }
        Command::Data { stack, dry_run, work } => {
            let account = connect(&environment, work.role_arn, Waits::minutes(work.wait_minutes)).await?;
            check_bucket(&account, stack, &environment).await?;
            if dry_run {
                print_result(plan_data(&account, stack, &environment).await?)?;
            } else {
                deploy_data(&account, stack, &environment).await?;
            }
        }
        Command::Delete { stack, keep_data, work } => {
            let account = connect(&environment, work.role_arn, Waits::minutes(work.wait_minutes)).await?;
            delete(&account, stack, &environment, keep_data).await?;
        }
        Command::CheckEnvironment => {
            connect(&environment, String::new(), Waits::minutes(1)).await?;
        }
        Command::Graph { format: Format::Text } => print_result(graph::text())?,
        Command::Graph { format: Format::Mermaid } => print_result(graph::mermaid())?,
    }
    Ok(())
}

async fn connect(
    environment: &BTreeMap<String, String>,
    role_arn: String,
    waits: Waits,
) -> Result<Account, Box<dyn std::error::Error>> {
    let set = |name| environment.get(name).is_some_and(|value| !value.is_empty());
    let options = AccountOptions {
        environment: EnvironmentName::from_environment(environment)?,
        role_arn: Some(role_arn).filter(|role| !role.is_empty()),
        waits,
        run: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        s3_path_style: set("AWS_ENDPOINT_URL") || set("AWS_ENDPOINT_URL_S3"),
        progress: Box::new(|line| say(line)),
    };
    Ok(Account::connect(options).await?)
}

fn write(output: Option<&Path>, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    match output {
        None => print_result(text)?,
        Some(path) => {
            fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
    }
    Ok(())
}
