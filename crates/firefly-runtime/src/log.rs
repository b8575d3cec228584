//! Logs: JSON lines, filtered by a level that AppConfig sets per function.
//!
//! Only this project's own events are written. The SDK's would carry signatures and stored items.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// The prefixes of this project's targets (crate names).
const TARGETS: [&str; 3] = ["emulator_", "firefly_", "func_api_"];

tokio::task_local! {
    /// The level of the function that the current task works for.
    static LEVEL: SharedLevel;
}

/// The least severity that is logged. The names are Python's, which the profile `logging` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct LogLevel(Level);

impl LogLevel {
    /// The level logs warnings and errors only. It applies when nothing is configured.
    pub const WARN: Self = Self(Level::WARN);
}

impl FromStr for LogLevel {
    type Err = UnknownLogLevel;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self(match name.to_ascii_uppercase().as_str() {
            "TRACE" => Level::TRACE,
            "DEBUG" => Level::DEBUG,
            "INFO" => Level::INFO,
            "WARN" | "WARNING" => Level::WARN,
            "ERROR" | "CRITICAL" | "FATAL" => Level::ERROR,
            _ => return Err(UnknownLogLevel),
        }))
    }
}

impl TryFrom<String> for LogLevel {
    type Error = UnknownLogLevel;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// The text is not the name of a log level.
#[derive(Debug, thiserror::Error)]
#[error("not a log level: expected TRACE, DEBUG, INFO, WARN or ERROR")]
pub struct UnknownLogLevel;

/// A level that can be changed while it is in use.
#[derive(Clone, Debug)]
pub(crate) struct SharedLevel(Arc<AtomicUsize>);

impl SharedLevel {
    pub(crate) fn new(level: LogLevel) -> Self {
        Self(Arc::new(AtomicUsize::new(verbosity(level.0))))
    }

    pub(crate) fn set(&self, level: LogLevel) {
        self.0.store(verbosity(level.0), Ordering::Relaxed);
    }

    /// Runs `work` with this level in force.
    pub(crate) async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        LEVEL.scope(self.clone(), work).await
    }
}

/// 1 for errors only to 5 for everything.
fn verbosity(level: Level) -> usize {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

fn enabled(metadata: &Metadata<'_>, default_level: LogLevel) -> bool {
    let limit = LEVEL.try_with(|level| level.0.load(Ordering::Relaxed)).unwrap_or_else(|_| verbosity(default_level.0));
    is_ours(metadata) && (metadata.is_span() || verbosity(*metadata.level()) <= limit)
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    TARGETS.iter().any(|target| metadata.target().starts_with(target))
}

/// A subscriber that writes the logs to `writer`, one JSON object a line. Events outside a function are written up
/// to `default_level`.
pub fn subscriber<W>(writer: W, default_level: LogLevel) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer);
    // The events of others are marked at their place as never written, and cost nothing from then on.
    let filter = dynamic_filter_fn(move |metadata, _| enabled(metadata, default_level))
        .with_callsite_filter(|metadata| if is_ours(metadata) { Interest::sometimes() } else { Interest::never() });
    tracing_subscriber::registry().with(lines.with_filter(filter))
}
