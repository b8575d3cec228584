//! The stack of dashboard and alarms: its source with a row for each function.
//!
//! In the source `{function}` stands for every function, `{device function}` for those that devices call and
//! `{function with grants}` for those that call a store. A dashboard's row, a metric of an alarm and a log group that
//! name one of them are written once for each function.

use super::alarms::{self, Alarm};
use super::rows::{self, SOURCE, Sets};
use crate::document::TemplateFile;
use crate::error::Error;
use crate::tree::Tree;

/// The stack's template.
pub(crate) const FILE: &str = "stacks/observability.yaml";

/// The template.
pub(crate) fn text(tree: &Tree, source: &str) -> Result<String, Error> {
    let sets = Sets::new(tree.functions());
    let mut out = format!("# Rendered by firefly-render from {SOURCE} and lambdas/*/function.toml; do not edit.\n");
    let alarms = composites(source, &sets);
    for block in blocks(source) {
        match alarms.iter().find(|alarm| alarm.block == block) {
            Some(alarm) => out.push_str(&alarm.grouped(&sets)?),
            None => out.push_str(&rows::expand(&alarms::drawn(block, &alarms, &sets)?, &sets)?),
        }
    }
    let resources = TemplateFile::parse(FILE, &out)?;
    if resources.resources().next().is_none() {
        return Err(Error::of_member(SOURCE, "Resources", "has no entries; allowed are dashboard and alarms"));
    }
    Ok(out)
}

/// Allows composite alarms to CI's role, where there are any. Source: CloudWatch API Reference,
/// PutCompositeAlarm.
pub(crate) fn statements(tree: &Tree, source: &str) -> String {
    if composites(source, &Sets::new(tree.functions())).is_empty() {
        return String::new();
    }
    "              # A composite alarm is made only by a role that may make any.
              - Sid: CompositeAlarms
                Effect: Allow
                Action: cloudwatch:PutCompositeAlarm
                Resource: '*'
"
    .to_owned()
}

/// The alarms that become groups under a composite.
fn composites<'a>(source: &'a str, sets: &Sets<'_>) -> Vec<Alarm<'a>> {
    let alarms = blocks(source).into_iter().filter_map(Alarm::read);
    alarms.filter(|alarm| !alarm.fits(sets)).collect()
}

/// The source cut before each logical id.
fn blocks(source: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let is_id = line
            .strip_prefix("  ")
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_alphanumeric()) && rest.ends_with(":\n"));
        if is_id {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(source.len());
    starts.windows(2).map(|pair| &source[pair[0]..pair[1]]).collect()
}
