//! The differences between settings that are found and settings that are wanted.

use std::collections::BTreeMap;
use std::fmt;

/// A setting that differs from the template's.
#[derive(Debug)]
pub(crate) struct Difference {
    setting: &'static str,
    found: String,
    wanted: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} → {}", self.setting, self.found, self.wanted)
    }
}

pub(super) fn differences(
    found: &BTreeMap<&'static str, String>,
    wanted: &BTreeMap<&'static str, String>,
) -> Vec<Difference> {
    let differing = wanted.iter().filter_map(|(setting, wanted)| {
        let found = found.get(setting).cloned().unwrap_or_default();
        (found != *wanted).then(|| Difference { setting, found, wanted: wanted.clone() })
    });
    differing.collect()
}
