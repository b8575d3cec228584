//! Metrics in CloudWatch embedded metric format: JSON lines in the log stream.
//!
//! Source: CloudWatch User Guide, "Specification: Embedded metric format".

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use firefly_core::time::UnixSeconds;
use serde_json::{Map, Value, json};

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
        let mut metrics = vec![
            ("Requests", "Count", json!(1)),
            ("ColdStarts", "Count", json!(u64::from(measured.cold_start))),
            ("Duration", "Milliseconds", json!(measured.duration_ms)),
        ];
        if !measured.calls_ms.is_empty() {
            metrics.push(("AwsLatency", "Milliseconds", json!(measured.calls_ms)));
        }
        let mut code = None;
        match result {
            Ok(Outcome::KeyCreated) => metrics.push(("KeysMinted", "Count", json!(1))),
            Ok(Outcome::DeviceRegistered) => metrics.push(("DevicesRegistered", "Count", json!(1))),
            Ok(Outcome::BackupUnchanged) => metrics.push(("BackupsUnchanged", "Count", json!(1))),
            Ok(Outcome::BackupStored { bytes }) => {
                metrics.push(("BackupsStored", "Count", json!(1)));
                metrics.push(("BackupBytes", "Bytes", json!(bytes)));
            }
            Ok(_) => {}
            Err(error) => {
                let answer = error.answer();
                metrics.push((if answer.status.is_server_error() { "Failed" } else { "Refused" }, "Count", json!(1)));
                code = Some(answer.code);
            }
        }
        // A refusal is counted by its cause, besides: a second set of dimensions.
        let dimensions = if code.is_some() {
            json!([["FunctionName"], ["FunctionName", "Code"]])
        } else {
            json!([["FunctionName"]])
        };
        let definitions: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line: Map<String, Value> =
            metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
        line.insert("FunctionName".to_owned(), Value::from(function_name));
        line.extend(code.map(|code| ("Code".to_owned(), Value::from(code))));
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now.get() * 1_000,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": definitions }],
            }),
        );
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A log stream that is gone is no reason to fail a request.
        let _ = writeln!(writer, "{}", Value::Object(line)).and_then(|()| writer.flush());
    }
}
