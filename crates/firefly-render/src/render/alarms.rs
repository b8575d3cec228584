//! Alarms of more functions than one alarm can count.
//!
//! An alarm on a metric math expression takes ten metrics and expressions. One that would have more is cut into groups,
//! under a composite alarm that has its name and alone notifies. Source: CloudWatch User Guide, "Create an alarm based
//! on a metric math expression".
//!
//! Each group is judged by itself, with the threshold of the whole. For a single event that is the same alarm. A percentage
//! is that of one group, with `MinimumRequests` in it. A count over all functions, as that of unknown devices, is reached later
//! by what is spread over groups; a threshold divided among them would go off by mistake where the count is all of one function.

use std::fmt::Write as _;

use firefly_templates::tagged;

use super::rows::{self, Sets, word_in};
use crate::document::TemplateFile;
use crate::error::Error;
use crate::function::FunctionToml;
use crate::name;

/// Most metrics and expressions of an alarm.
const METRICS: usize = 10;
/// The properties that a composite alarm has in common with others.
const OF_COMPOSITE: [&str; 4] = ["AlarmName", "AlarmDescription", "AlarmActions", "OKActions"];

/// An alarm of a source whose metrics stand for several functions.
pub(crate) struct Alarm<'a> {
    /// Its text in the source, with the comments before the next one.
    pub(crate) block: &'a str,
    id: &'a str,
    name: &'a str,
    /// The word that its metrics have.
    word: &'static str,
    /// The number of metrics that it has for each function, and of those beside them.
    each: usize,
    fixed: usize,
}

impl<'a> Alarm<'a> {
    /// Reads a block of the source; `None` where it is not an alarm with metrics of several functions.
    pub(crate) fn read(block: &'a str) -> Option<Self> {
        if !block.contains("    Type: AWS::CloudWatch::Alarm\n") {
            return None;
        }
        let ids = block.lines().filter(|line| line.trim_start().starts_with("- Id: "));
        let (each, fixed): (Vec<_>, Vec<_>) = ids.partition(|line| word_in(line).is_some());
        let id = block.trim_start().split(':').next()?;
        let name = block.lines().find_map(|line| line.trim().strip_prefix("AlarmName: "))?;
        let word = word_in(each.first()?)?;
        Some(Self { block, id, name, word, each: each.len(), fixed: fixed.len() })
    }

    /// Returns `true` if one alarm can count all its functions.
    pub(crate) fn fits(&self, sets: &Sets<'_>) -> bool {
        self.fixed + self.each * sets.of(self.word).len() <= METRICS
    }

    /// The composite alarm, and an alarm for each group of functions.
    pub(crate) fn grouped(&self, sets: &Sets<'_>) -> Result<String, Error> {
        let functions = sets.of(self.word);
        let groups: Vec<&[&FunctionToml]> = functions.chunks((METRICS - self.fixed) / self.each).collect();
        let body: String = self.block.split_inclusive('\n').filter(|line| !is_between(line)).collect();
        let between: String = self.block.split_inclusive('\n').filter(|line| is_between(line)).collect();
        let (head, properties) = body.split_once("    Properties:\n").unwrap_or((&body, ""));
        let properties = properties_of(properties);

        let rule = (1..=groups.len()).map(|number| format!("ALARM(\"${{{}{number}}}\")", self.id));
        let rule = rule.collect::<Vec<_>>().join(" OR ");
        let mut out = format!(
            "  {}:
    Type: AWS::CloudWatch::CompositeAlarm
    # CloudFormation makes no composite alarm of a metric alarm: a stack that still has the one alarm of this name is
    # deleted before it is deployed. It holds no data.
    Properties:\n",
            self.id
        );
        for (_, text) in properties.iter().filter(|(name, _)| OF_COMPOSITE.contains(name)) {
            out.push_str(text);
        }
        let _ = writeln!(out, "      AlarmRule: !Sub {rule}");
        for (index, group) in groups.iter().enumerate() {
            let number = index + 1;
            let _ = write!(out, "\n{}    Properties:\n", head.replacen(self.id, &format!("{}{number}", self.id), 1));
            for (property, text) in &properties {
                match *property {
                    "AlarmName" => {
                        let _ = writeln!(out, "      AlarmName: {}-{number}", self.name);
                    }
                    "AlarmDescription" => {
                        let _ = writeln!(
                            out,
                            "      AlarmDescription: A group of the functions of {}, which notifies.",
                            self.name
                        );
                    }
                    "AlarmActions" | "OKActions" => {}
                    _ => out.push_str(&rows::expand(text, &Sets::only(group))?),
                }
            }
        }
        Ok(out + &between)
    }

    /// The rows of a dashboard that draw the alarm's metrics, over all its functions.
    fn rows(&self, sets: &Sets<'_>) -> Result<String, Error> {
        let document = TemplateFile::parse(rows::SOURCE, &format!("Resources:\n{}", self.block))?;
        let alarm = document.entry("Resources", self.id);
        let metrics = alarm.and_then(|alarm| alarm["Properties"]["Metrics"].as_sequence());
        let mut rows = Vec::new();
        for query in metrics.into_iter().flatten() {
            if let Some(expression) = query.get("Expression") {
                let text = tagged(expression, "!Sub").unwrap_or(expression).as_str().unwrap_or_default();
                let (text, label) = (text.replace('"', "\\\""), query["Label"].as_str().unwrap_or_default());
                rows.push(format!("[{{\"expression\": \"{text}\", \"label\": \"{label}\"}}]"));
                continue;
            }
            let (id, metric) = (query["Id"].as_str().unwrap_or_default(), &query["MetricStat"]["Metric"]);
            let [namespace, name] =
                ["Namespace", "MetricName"].map(|member| metric[member].as_str().unwrap_or_default());
            for function in sets.of(self.word) {
                let id = id.replace(self.word, &name::metric_id(&function.name));
                rows.push(format!(
                    "[\"{namespace}\", \"{name}\", \"FunctionName\", \"firefly-{}\", {{\"id\": \"{id}\", \"visible\": false}}]",
                    function.name
                ));
            }
        }
        let indent = " ".repeat(14);
        Ok(rows.iter().map(|row| format!("{indent}{row}")).collect::<Vec<_>>().join(",\n"))
    }
}

/// A block in which widgets that draw one of the alarms draw its expression: only a metric alarm can be drawn.
pub(crate) fn drawn(block: &str, alarms: &[Alarm<'_>], sets: &Sets<'_>) -> Result<String, Error> {
    const ARN: &str = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:";
    let mut text = block.to_owned();
    for alarm in alarms {
        let indent = " ".repeat(12);
        let annotation = format!("\"annotations\": {{\"alarms\": [\n{indent}  \"{ARN}{}\"\n{indent}]}}", alarm.name);
        if text.contains(&annotation) {
            let rows = alarm.rows(sets)?;
            let metrics = format!("\"stat\": \"Sum\", \"period\": 300, \"metrics\": [\n{rows}\n{indent}]");
            text = text.replace(&annotation, &metrics);
        }
    }
    Ok(text)
}

/// Returns `true` if a line stands between two resources.
fn is_between(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("  #")
}

/// The properties of a resource: name, and text with the lines below it.
fn properties_of(text: &str) -> Vec<(&str, String)> {
    let mut properties: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let own =
            line.strip_prefix("      ").filter(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic()));
        if let Some((name, _)) = own.and_then(|rest| rest.split_once(':')) {
            properties.push((name, line.to_owned()));
        } else if let Some((_, text)) = properties.last_mut() {
            text.push_str(line);
        }
    }
    properties
}
