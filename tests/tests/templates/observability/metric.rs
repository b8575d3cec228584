//! A metric of CloudWatch.

use std::collections::BTreeMap;

/// A metric as CloudWatch knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: BTreeMap<String, String>,
}

/// The values of the dimension `FunctionName`.
pub(super) fn functions<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> Vec<&'a str> {
    metrics.into_iter().filter_map(|metric| metric.dimensions.get("FunctionName").map(String::as_str)).collect()
}
