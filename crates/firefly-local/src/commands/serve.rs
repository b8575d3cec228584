//! `firefly-local` itself: runs the cloud until a signal ends it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use emulator_apigateway::Throttle;
use emulator_kit::Deadlines;
use firefly_core::time::UnixSeconds;
use firefly_local::{Cloud, CloudOptions, Credentials, Data, TokenIssuer, files};
use firefly_runtime::log::{self, LogLevel};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::next_steps::NextSteps;
use crate::args::{DataDirArg, http_url};
use crate::output::{Failure, print, say};

#[derive(Args)]
pub(crate) struct Serve {
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
    /// Refuse requests with 429 as API Gateway's throttle does: RATE requests a second and BURST at once pass
    /// [default: all pass].
    #[arg(long, value_name = "RATE,BURST", value_parser = throttle)]
    throttle: Option<Throttle>,
    /// Refuse requests with 503 as Lambda does when N are under way [default: they wait].
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    concurrency: Option<usize>,
    /// Level of the log, JSON lines on standard error, beside the functions' own logs, whose level is the file
    /// appconfig/logging.json in the data directory ({"logging":"INFO"}): ERROR, WARN, INFO (a line per request) or DEBUG.
    #[arg(long, value_name = "LEVEL", default_value = "WARN")]
    log_level: LogLevel,
}

impl Serve {
    /// Runs the cloud. `given` is the region and the credentials of external engines.
    pub(crate) async fn run(self, given: BTreeMap<String, String>, clock: fn() -> UnixSeconds) -> Result<(), Failure> {
        // Files that this process makes are its owner's alone.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let files = open_files()?;
        // Nothing else in the process sets a subscriber.
        let _ = tracing::subscriber::set_global_default(log::subscriber(std::io::stderr, self.log_level));
        // From here on signals end it in order, while it starts as well.
        let mut signals = Signals::listen()?;
        let (data_dir, ephemeral, listen) = (self.data_dir.data_dir.clone(), self.ephemeral, self.listen.clone());
        let mut starting = std::pin::pin!(Cloud::start(self.options(given, files, clock)));
        let cloud = tokio::select! {
            cloud = &mut starting => cloud?,
            () = signals.first() => {
                say("stopping");
                tokio::select! {
                    // A start that is cut off would leave the data of an ephemeral cloud.
                    cloud = starting => cloud?.stop().await,
                    () = signals.another() => {}
                }
                return Ok(());
            }
        };
        // The starting process may have closed the output, which is not a reason to end.
        let _ = print(NextSteps {
            url: &cloud.url(),
            is_everywhere: is_everywhere(&listen),
            engines: [cloud.dynamodb_endpoint(), cloud.s3_endpoint()],
            bucket: cloud.bucket(),
            data_dir: &data_dir,
            ephemeral,
            has_developer_tokens: cloud.issuer().is_some(),
        });
        signals.first().await;
        say("stopping");
        tokio::select! {
            () = cloud.stop() => {}
            // A second signal does not wait for a client that keeps a request half sent.
            () = signals.another() => {}
        }
        Ok(())
    }

    fn options(self, given: BTreeMap<String, String>, files: u64, clock: fn() -> UnixSeconds) -> CloudOptions {
        let token_issuer = match (self.jwt_issuer, self.jwt_audience, self.jwt_jwks_url) {
            (Some(issuer), Some(audience), Some(jwks_url)) => TokenIssuer::External { issuer, audience, jwks_url },
            _ => TokenIssuer::Developer,
        };
        CloudOptions {
            listen: self.listen,
            data_dir: self.data_dir.data_dir,
            data: if self.ephemeral { Data::Ephemeral } else { Data::Durable },
            dynamodb_endpoint: self.dynamodb_endpoint,
            s3_endpoint: self.s3_endpoint,
            backup_bucket: self.backup_bucket,
            token_issuer,
            credentials: Credentials::Own(given),
            files,
            deadlines: Deadlines::default(),
            throttle: self.throttle,
            executions: self.concurrency,
            clock: Arc::new(clock),
        }
    }
}

/// Returns `true` if this address is every one of the machine.
fn is_everywhere(listen: &str) -> bool {
    listen.parse().is_ok_and(|address: SocketAddr| address.ip().is_unspecified())
}

/// Reads the limits of a throttle.
fn throttle(text: &str) -> Result<Throttle, &'static str> {
    let limits = text.split_once(',').and_then(|(rate, burst)| Some((rate.parse().ok()?, burst.parse().ok()?)));
    match limits {
        Some((rate, burst @ 1..)) if (0.001..=1e6).contains(&rate) => Ok(Throttle { rate, burst }),
        _ => Err("RATE is a number from 0.001 to 1000000, BURST a whole number from 1, such as 500,1000"),
    }
}

/// The signals that end the process. Those but SIGHUP do so even where the process was started to ignore them, as a shell's
/// script starts its background jobs with SIGINT and SIGQUIT.
struct Signals {
    interrupts: Signal,
    quits: Signal,
    terminations: Signal,
    /// `None` where the process is to outlive its terminal.
    hangups: Option<Signal>,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupts: signal(SignalKind::interrupt())?,
            quits: signal(SignalKind::quit())?,
            terminations: signal(SignalKind::terminate())?,
            hangups: if ignores_hangups() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for Ctrl-C, SIGQUIT, SIGTERM or the end of the terminal.
    async fn first(&mut self) {
        let Self { interrupts, quits, terminations, hangups } = self;
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = quits.recv() => {}
            _ = terminations.recv() => {}
            Some(()) = async { hangups.as_mut()?.recv().await } => {}
        }
    }

    /// Like [`Self::first`], but a SIGHUP does not count: when a terminal ends, its shell sends one and the kernel another.
    async fn another(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.quits.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }
}

/// Returns `true` if the process was started to outlive its terminal, as by `nohup`, which has it ignore SIGHUP. Linux alone
/// tells: elsewhere a SIGHUP ends the process all the same.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first signal, and its bit the lowest.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Raises the limit of open files and returns it. Says so if it is low, and fails if it is too low.
fn open_files() -> Result<u64, Failure> {
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
        say(format_args!(
            "only {files} files may be open, so that connections wait for each other under load; `ulimit -n {}` raises \
             the limit",
            files::ENOUGH
        ));
    }
    Ok(files)
}
