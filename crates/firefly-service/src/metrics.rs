//! Metrics in CloudWatch embedded metric format: JSON lines in the log stream.
//!
//! All are in the namespace `FireFly` and have the dimension `FunctionName`. Every set of dimensions that a metric has is
//! billed as a metric of its own, so that only the two that have causes are counted by `Code` (that of
//! [`ApiError::answer`]) besides.
//!
//! | metric | unit | counts or measures |
//! |---|---|---|
//! | `Requests` | count | requests |
//! | `ColdStarts` | count | requests that were the first of their process |
//! | `Duration` | ms | from the parsed request to its answer |
//! | `AwsLatency` | ms | each AWS call, its retries included |
//! | `KeysMinted`, `DevicesRegistered` | count | keys and devices made |
//! | `BackupsStored`, `BackupsUnchanged` | count | uploads written, and those that were there already |
//! | `BackupBytes` | bytes | each envelope stored |
//! | `Refused`, `Failed` | count | answers 4xx and 5xx; by `Code` besides |
//! | `SignaturesRefused` | count | of the refused, signed requests answered 401 |
//!
//! Source: CloudWatch User Guide, "Specification: Embedded metric format". `stacks/observability.yaml` watches them.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use firefly_core::time::UnixSeconds;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::error::ApiError;
use crate::http::Outcome;

const NAMESPACE: &str = "FireFly";

/// What was measured of one request.
pub(crate) struct Measured {
    /// From the parsed request to its answer.
    pub(crate) duration_ms: u64,
    /// Each AWS call, its retries included.
    pub(crate) calls_ms: Vec<u64>,
    /// Whether it was the first of its process.
    pub(crate) cold_start: bool,
}

/// Where metrics go.
pub struct Metrics(Mutex<Box<dyn Write + Send>>);

impl Metrics {
    /// Metrics as lines of `writer`.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(writer)))
    }

    /// Writes what one request of the function `function_name` led to.
    pub(crate) fn record(
        &self,
        function_name: &str,
        now: UnixSeconds,
        measured: &Measured,
        result: Result<Outcome, &ApiError>,
    ) {
        let calls_ms = &measured.calls_ms;
        let mut metrics = vec![
            Metric("Requests", "Count", Figure::One(1)),
            Metric("ColdStarts", "Count", Figure::One(u64::from(measured.cold_start))),
            Metric("Duration", "Milliseconds", Figure::One(measured.duration_ms)),
        ];
        if !calls_ms.is_empty() {
            metrics.push(Metric("AwsLatency", "Milliseconds", Figure::Many(calls_ms)));
        }
        let mut cause = None;
        match result {
            Ok(Outcome::KeyCreated) => metrics.push(Metric("KeysMinted", "Count", Figure::One(1))),
            Ok(Outcome::DeviceRegistered) => metrics.push(Metric("DevicesRegistered", "Count", Figure::One(1))),
            Ok(Outcome::BackupUnchanged) => metrics.push(Metric("BackupsUnchanged", "Count", Figure::One(1))),
            Ok(Outcome::BackupStored { bytes }) => {
                metrics.push(Metric("BackupsStored", "Count", Figure::One(1)));
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                metrics.push(Metric("BackupBytes", "Bytes", Figure::One(bytes)));
            }
            Ok(_) => {}
            Err(error) => {
                let answer = error.answer();
                let name = if answer.status.is_server_error() { "Failed" } else { "Refused" };
                metrics.push(Metric(name, "Count", Figure::One(1)));
                if error.refuses_signature() {
                    metrics.push(Metric("SignaturesRefused", "Count", Figure::One(1)));
                }
                cause = Some(Cause { metric: name, code: answer.code });
            }
        }
        // Numbers and strings only: serde_json has no reason to fail.
        let mut line = serde_json::to_vec(&Line { function_name, cause, now, metrics: &metrics }).unwrap_or_default();
        line.push(b'\n');
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log stream that is gone is no reason to fail a request.
        let _ = writer.write_all(&line).and_then(|()| writer.flush());
    }
}

/// Name, unit, figure.
struct Metric<'a>(&'static str, &'static str, Figure<'a>);

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Figure<'a> {
    One(u64),
    Many(&'a [u64]),
}

/// Why a request was not answered with success, and the metric that counts it.
struct Cause {
    metric: &'static str,
    code: &'static str,
}

/// One line: the figures beside each other, and what CloudWatch has to know of them under `_aws`.
struct Line<'a> {
    function_name: &'a str,
    cause: Option<Cause>,
    now: UnixSeconds,
    metrics: &'a [Metric<'a>],
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    timestamp: u64,
    cloud_watch_metrics: Vec<MetricSet<'a>>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricSet<'a> {
    namespace: &'a str,
    dimensions: [&'a [&'a str]; 1],
    metrics: Vec<Definition>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        for Metric(name, _, figure) in self.metrics {
            line.serialize_entry(name, figure)?;
        }
        line.serialize_entry("FunctionName", self.function_name)?;
        let definition = |Metric(name, unit, _): &Metric<'_>| Definition { name, unit };
        let metrics = self.metrics.iter().map(definition).collect();
        let mut sets = vec![MetricSet { namespace: NAMESPACE, dimensions: [&["FunctionName"]], metrics }];
        if let Some(Cause { metric, code }) = self.cause {
            line.serialize_entry("Code", code)?;
            let metrics = vec![Definition { name: metric, unit: "Count" }];
            sets.push(MetricSet { namespace: NAMESPACE, dimensions: [&["FunctionName", "Code"]], metrics });
        }
        let directive = Directive { timestamp: self.now.get() * 1_000, cloud_watch_metrics: sets };
        line.serialize_entry("_aws", &directive)?;
        line.end()
    }
}
