//! `firefly-local`: the whole FireFly Cloud on one machine.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use emulator_kit::Deadlines;
use firefly_core::group::SUPER_USERS;
use firefly_core::time::UnixSeconds;
use firefly_local::issuer::{DeveloperIssuer, Identity};
use firefly_local::{Cloud, Credentials, Data, Options, TokenIssuer, engines_file, files, openapi, private_dir};
use firefly_runtime::log::{self, LogLevel};
use tokio::signal::unix::{SignalKind, signal};

/// How long a developer token is good for, in seconds.
const TOKEN_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
/// The user that a token is for unless another is named.
const DEVELOPER_SUB: &str = "developer";
/// The user's e-mail address unless another is given.
const DEVELOPER_EMAIL: &str = "developer@firefly.local";

/// Runs the whole FireFly Cloud on this machine: the HTTP API with its functions, DynamoDB, S3 and AppConfig.
///
/// Everything listens on the loopback interface. Data are kept in the data directory. Ctrl-C or SIGTERM ends it.
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
    /// Prints how to reach the engines of a running cloud, for a shell to evaluate: eval "$(cargo run -q -- env)". AWS's
    /// command line and SDKs then work on its DynamoDB and S3 with every permission.
    Env(Env),
    /// Prints the OpenAPI document of the API as JSON.
    #[command(name = "openapi")]
    OpenApi(OpenApi),
}

#[derive(Args)]
struct Serve {
    /// Address of the HTTP API; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    #[command(flatten)]
    data_dir: DataDirArg,
    /// Keep no data: tables and bucket go when the process ends. The signing key stays in the data directory.
    #[arg(long)]
    ephemeral: bool,
    /// Use this DynamoDB instead of the embedded one. Its tables exist; region and credentials come from AWS_REGION,
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    dynamodb_endpoint: Option<String>,
    /// Use this S3 instead of the embedded one. Its bucket exists; region and credentials as for DynamoDB.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    s3_endpoint: Option<String>,
    /// Name of the bucket of backups [default: what the templates say].
    #[arg(long, value_name = "NAME")]
    backup_bucket: Option<String>,
    /// Accept the tokens of this OpenID Connect issuer instead of developer tokens: the `iss` they must have.
    #[arg(long, value_name = "ISSUER", requires = "jwt_audience", requires = "jwt_jwks_url")]
    jwt_issuer: Option<String>,
    /// The `aud` those tokens must have, or `client_id` where they have no `aud`.
    #[arg(long, value_name = "AUDIENCE", requires = "jwt_issuer")]
    jwt_audience: Option<String>,
    /// Where the issuer's keys are. Nothing else is fetched.
    #[arg(long, value_name = "URL", requires = "jwt_issuer", value_parser = http_url)]
    jwt_jwks_url: Option<String>,
    /// What is logged, as JSON lines on standard error, besides the functions' own logs, whose level is the file
    /// appconfig/logging.json in the data directory ({"logging":"INFO"}): ERROR, WARN, INFO (a line per request) or DEBUG.
    #[arg(long, value_name = "LEVEL", default_value = "WARN")]
    log_level: LogLevel,
}

#[derive(Args)]
struct DataDirArg {
    /// Directory of the data and of the developer tokens' signing key.
    #[arg(long, value_name = "DIR", default_value = ".firefly")]
    data_dir: PathBuf,
}

#[derive(Args)]
struct Token {
    #[command(flatten)]
    data_dir: DataDirArg,
    #[command(flatten)]
    identity: IdentityArgs,
}

#[derive(Args)]
struct Mint {
    /// URL of the running cloud.
    #[arg(long, env = "FIREFLY_URL", value_name = "URL", default_value = "http://127.0.0.1:8080", value_parser = http_url)]
    url: String,
    #[command(flatten)]
    data_dir: DataDirArg,
    #[command(flatten)]
    identity: IdentityArgs,
}

#[derive(Args)]
struct Env {
    /// URL of the running cloud; needed when several run in the data directory.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    url: Option<String>,
    #[command(flatten)]
    data_dir: DataDirArg,
}

#[derive(Args)]
struct OpenApi {
    /// Writes docs/openapi.json and the README's table of routes in the current directory instead.
    #[arg(long)]
    write: bool,
}

#[derive(Args)]
struct IdentityArgs {
    /// The user's id, the claim `sub`.
    #[arg(long, default_value = DEVELOPER_SUB)]
    sub: String,
    /// The user's e-mail address.
    #[arg(long, default_value = DEVELOPER_EMAIL)]
    email: String,
    #[arg(
        long = "group",
        value_name = "GROUP",
        help = format!("A Cognito group of the user, such as {SUPER_USERS}; may be given more than once")
    )]
    groups: Vec<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = match cli.command {
        None => runtime.block_on(serve(cli.serve)),
        Some(Command::Token(token)) => developer_token(&token.data_dir.data_dir, token.identity).map(|token| {
            println!("{token}");
        }),
        Some(Command::Mint(args)) => runtime.block_on(mint(args)),
        Some(Command::OpenApi(OpenApi { write: true })) => openapi::write(Path::new("")).map_err(Into::into),
        Some(Command::OpenApi(OpenApi { write: false })) => match openapi::document() {
            Ok(text) => std::io::stdout().write_all(text.as_bytes()).map_err(Into::into),
            Err(error) => Err(error.into()),
        },
        Some(Command::Env(args)) => match engines_file::read(&args.data_dir.data_dir, args.url.as_deref()) {
            Ok(text) => std::io::stdout().write_all(text.as_bytes()).map_err(Into::into),
            Err(error) => Err(error.into()),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

type Failure = Box<dyn std::error::Error>;

fn fail(error: &(impl Display + ?Sized)) -> ExitCode {
    say(error);
    ExitCode::FAILURE
}

/// A line on standard error, which may be closed: that is no reason to end otherwise than in order.
fn say(text: &(impl Display + ?Sized)) {
    let _ = writeln!(std::io::stderr(), "firefly-local: {text}");
}

async fn serve(args: Serve) -> Result<(), Failure> {
    // Whatever this process makes is its owner's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let files = files::raise_limit();
    if files < files::FEWEST {
        return Err(format!(
            "only {files} files may be open, and the cloud takes {} at least; `ulimit -n {}` raises the limit",
            files::FEWEST,
            files::ENOUGH
        )
        .into());
    }
    if files < files::ENOUGH {
        say(&format!(
            "only {files} files may be open, so that connections wait for each other under load; `ulimit -n {}` raises \
             the limit",
            files::ENOUGH
        ));
    }
    // Nothing else in the process sets a subscriber.
    let _ = tracing::subscriber::set_global_default(log::subscriber(std::io::stderr, args.log_level));
    let token_issuer = match (args.jwt_issuer, args.jwt_audience, args.jwt_jwks_url) {
        (Some(issuer), Some(audience), Some(jwks_url)) => TokenIssuer::External { issuer, audience, jwks_url },
        _ => TokenIssuer::Developer,
    };
    let aws = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let given = aws.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let aws_environment = given.collect();
    let data_dir = args.data_dir.data_dir;
    // From here on Ctrl-C and SIGTERM end it in order, while it starts as well.
    let (mut interrupts, mut terminations) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut ended = async || {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
    };
    let mut starting = std::pin::pin!(Cloud::start(Options {
        listen: args.listen,
        data_dir: data_dir.clone(),
        data: if args.ephemeral { Data::Ephemeral } else { Data::Durable },
        dynamodb_endpoint: args.dynamodb_endpoint,
        s3_endpoint: args.s3_endpoint,
        backup_bucket: args.backup_bucket,
        token_issuer,
        credentials: Credentials::Own(aws_environment),
        files,
        deadlines: Deadlines::default(),
        clock: Arc::new(clock),
    }));
    let cloud = tokio::select! {
        cloud = &mut starting => cloud?,
        () = ended() => {
            say("stopping");
            tokio::select! {
                // A start that is cut off would leave the data of an ephemeral cloud.
                cloud = starting => cloud?.stop().await,
                () = ended() => {}
            }
            return Ok(());
        }
    };
    // Whoever started it may have closed the output; that is no reason to end.
    let _ = writeln!(std::io::stdout(), "{}", next_steps(&cloud, &data_dir, args.ephemeral));
    ended().await;
    say("stopping");
    tokio::select! {
        () = cloud.stop() => {}
        // A second signal waits for no client that keeps a request half sent.
        () = ended() => {}
    }
    Ok(())
}

/// What to do next, in commands that work when pasted.
fn next_steps(cloud: &Cloud, data_dir: &Path, ephemeral: bool) -> String {
    let url = cloud.url();
    let (dynamodb, s3, bucket) = (cloud.dynamodb_endpoint(), cloud.s3_endpoint(), cloud.bucket());
    let data = if ephemeral { "until this process ends".to_owned() } else { format!("in {}", data_dir.display()) };
    let dir = data_dir.display().to_string();
    let dir = if dir == ".firefly" { String::new() } else { format!(" --data-dir '{dir}'") };
    let device = format!("cargo run -q -p firefly-device -- --url {url}");
    let register = match cloud.issuer() {
        Some(_) => format!("{device} register --key $(cargo run -q -- mint --url {url}{dir})"),
        None => format!(
            "{device} register --key KEY    # KEY from POST {url}/registration-keys with a token of your issuer"
        ),
    };
    format!(
        "FireFly Cloud answers at {url}
DynamoDB {dynamodb}  S3 {s3}  bucket {bucket}
Data are kept {data}.

In a second terminal, in this directory:

  {device} new
  {register}
  {device} status
  {device} backup README.md
  {device} restore restored.md

A developer token, for a user and for a super user:

  cargo run -q -- token{dir}
  cargo run -q -- token{dir} --group {SUPER_USERS}

The engines, for aws-cli and SDKs:

  eval \"$(cargo run -q -- env{dir})\"

Ctrl-C ends it."
    )
}

async fn mint(args: Mint) -> Result<(), Failure> {
    // Nothing else in the process installs a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let token = developer_token(&args.data_dir.data_dir, args.identity)?;
    let url = format!("{}/registration-keys", args.url.trim_end_matches('/'));
    let request = reqwest::Client::new().post(&url).bearer_auth(token);
    let unreachable = |error: reqwest::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        format!("{url} does not answer ({cause}); is the local cloud running?")
    };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body: serde_json::Value = response.json().await.unwrap_or_default();
    match body["key"].as_str() {
        Some(key) => println!("{key}"),
        None => {
            let message = body["message"].as_str().unwrap_or("no message");
            return Err(format!("{url} answered {status}: {message}; is --data-dir that of the running cloud?").into());
        }
    }
    Ok(())
}

fn developer_token(data_dir: &Path, args: IdentityArgs) -> Result<String, Failure> {
    private_dir(data_dir)?;
    let issuer = DeveloperIssuer::open(data_dir)?;
    let identity =
        Identity { sub: args.sub, email: Some(args.email).filter(|email| !email.is_empty()), groups: args.groups };
    Ok(issuer.token(&identity, clock(), TOKEN_LIFETIME_SECONDS)?)
}

fn clock() -> UnixSeconds {
    UnixSeconds::new(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

fn http_url(text: &str) -> Result<String, String> {
    let url: http::Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
    match (url.scheme_str(), url.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(text.to_owned()),
        _ => Err("not a URL of the form http://HOST:PORT or https://HOST".to_owned()),
    }
}
