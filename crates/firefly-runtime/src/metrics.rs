//! Metrics in CloudWatch embedded metric format: JSON lines in the log stream.
//!
//! All are in the namespace `FireFly` and have the dimension `FunctionName`. Every set of dimensions that a metric has is
//! billed as a metric of its own: only the two that have causes are also counted by `Code`, the name of the [`Outcome`].
//!
//! | metric | unit | counts or measures |
//! |---|---|---|
//! | `Requests` | count | requests |
//! | `ColdStarts` | count | requests that were the first of their process |
//! | `Duration` | ms | from the read event to its reply |
//! | `AwsLatency` | ms | each AWS call, its retries included |
//! | `Refused`, `Failed` | count | requests that ended so; also by `Code` |
//! | others | | figures of the [`Outcome`] |
//!
//! A line that stands for several requests, of those that anybody can send, counts them all and measures one.
//!
//! Source: CloudWatch User Guide, "Specification: Embedded metric format". `stacks/observability.yaml` watches them.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use firefly_core::time::UnixSeconds;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::measured::Measured;
use crate::outcome::{Ending, Figure, Outcome};

const NAMESPACE: &str = "FireFly";

/// The writer of metrics.
pub struct Metrics(Mutex<Box<dyn Write + Send>>);

impl Metrics {
    /// Metrics as lines of `writer`.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(writer)))
    }

    /// Writes one request of the function `function_name`.
    pub(crate) fn record(&self, function_name: &str, now: UnixSeconds, measured: &Measured, outcome: &Outcome) {
        let calls_ms = measured.calls.milliseconds();
        let mut metrics = Vec::with_capacity(8);
        metrics.push(Metric("Requests", "Count", Value::One(measured.times)));
        metrics.push(Metric("ColdStarts", "Count", Value::One(u64::from(measured.cold_start))));
        metrics.push(Metric("Duration", "Milliseconds", Value::One(measured.duration_ms)));
        if !calls_ms.is_empty() {
            metrics.push(Metric("AwsLatency", "Milliseconds", Value::Many(&calls_ms)));
        }
        let by_cause = match outcome.ending {
            Ending::Done => None,
            Ending::Refused { .. } => Some("Refused"),
            Ending::Failed { .. } => Some("Failed"),
        };
        metrics.extend(by_cause.map(|metric| Metric(metric, "Count", Value::One(measured.times))));
        let figures = outcome.figures.iter();
        let value = |figure: &Figure| Value::One(figure.value * measured.times);
        metrics.extend(figures.map(|figure| Metric(figure.metric, figure.unit, value(figure))));
        let cause = by_cause.map(|metric| Cause { metric, code: outcome.name });
        // Numbers and strings only: serde_json has no reason to fail.
        let mut line = serde_json::to_vec(&Line { function_name, cause, now, metrics: &metrics }).unwrap_or_default();
        line.push(b'\n');
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log stream that is gone is no reason to fail a request.
        let _ = writer.write_all(&line).and_then(|()| writer.flush());
    }
}

/// Name, unit, value.
struct Metric<'a>(&'static str, &'static str, Value<'a>);

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Value<'a> {
    One(u64),
    Many(&'a [u64]),
}

/// The reason for which a request failed, and the metric that counts it.
struct Cause {
    metric: &'static str,
    code: &'static str,
}

/// One line: the values beside each other, and under `_aws` their description for CloudWatch.
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
        for Metric(name, _, value) in self.metrics {
            line.serialize_entry(name, value)?;
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
