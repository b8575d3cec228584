//! The metrics that the dashboard and the alarms name.

use std::collections::BTreeMap;

use firefly_templates::tagged;
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use super::metric::{Metric, functions};
use crate::document::Document;

/// The text of an alarm's ARN before its name.
const ALARM_ARN: &str = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:";
/// The value of the parameter `ApiId`.
pub(super) const API_ID: &str = "a1b2c3";

/// The stack of dashboard and alarms.
pub(super) struct Watched {
    pub(super) document: Document,
    /// The dashboard's body, alarms by their names.
    pub(super) dashboard: Json,
}

/// An alarm that notifies, with the metrics it counts.
pub(super) struct Alarm<'a> {
    pub(super) name: &'a str,
    pub(super) properties: &'a Value,
    /// The properties of the metric alarms: of this one, or of the groups below a composite.
    pub(super) groups: Vec<&'a Value>,
    /// The metrics of all groups by their ids.
    pub(super) metrics: BTreeMap<&'a str, Metric>,
    /// Text of the expression that is compared with the threshold, if it is not a metric alone.
    pub(super) expression: Option<&'a str>,
}

/// Metrics that a dashboard finds by `SEARCH('{namespace,dimensions…} MetricName="name"', …)`.
pub(super) struct Search {
    pub(super) namespace: String,
    pub(super) dimensions: Vec<String>,
    pub(super) name: String,
}

impl Watched {
    pub(super) fn read() -> Self {
        let document = Document::of_stack("observability");
        let body = tagged(&document.resource("Dashboard")["Properties"]["DashboardBody"], "!Sub").unwrap();
        let text = body.as_str().unwrap().replace(ALARM_ARN, "");
        let text = text.replace("${AWS::Region}", "eu-central-1").replace("${ApiId}", API_ID);
        let text = text.replace("${MinimumRequests}", "20");
        assert!(!text.contains("${"), "the dashboard has a reference to nothing");
        let dashboard = serde_json::from_str(&text).unwrap_or_else(|error| panic!("the dashboard: {error}"));
        Self { document, dashboard }
    }

    pub(super) fn alarms(&self) -> Vec<Alarm<'_>> {
        let of_type =
            |kind: &'static str| self.document.resources().filter(move |(_, it)| it["Type"].as_str() == Some(kind));
        let rules = of_type("AWS::CloudWatch::CompositeAlarm").map(|(id, composite)| (id, groups_of(composite)));
        let rules: BTreeMap<_, _> = rules.collect();
        let grouped: Vec<_> = rules.values().flatten().copied().collect();
        let alarms = self.document.resources().filter_map(|(id, resource)| {
            let groups = match resource["Type"].as_str() {
                Some("AWS::CloudWatch::Alarm") if !grouped.contains(&id) => vec![id],
                Some("AWS::CloudWatch::CompositeAlarm") => rules[id].clone(),
                _ => return None,
            };
            let groups = groups.into_iter().map(|id| &self.document.resource(id)["Properties"]).collect();
            Some(Alarm::read(&resource["Properties"], groups))
        });
        alarms.collect()
    }

    pub(super) fn alarm(&self, name: &str) -> Alarm<'_> {
        let found = self.alarms().into_iter().find(|alarm| alarm.name == name);
        found.unwrap_or_else(|| panic!("there is no alarm {name}"))
    }

    pub(super) fn widgets(&self) -> &[Json] {
        self.dashboard["widgets"].as_array().unwrap()
    }

    /// The metrics of the widget of this title.
    pub(super) fn shown(&self, title: &str) -> Vec<Metric> {
        let titled = |widget: &&Json| widget["properties"]["title"] == title;
        metrics(self.widgets().iter().find(titled).unwrap_or_else(|| panic!("no widget {title}")))
    }

    /// The metrics that the dashboard names, and those of the alarms that it draws.
    pub(super) fn all_shown(&self) -> Vec<Metric> {
        let drawn = self.widgets().iter().flat_map(|widget| {
            let names = widget["properties"]["annotations"]["alarms"].as_array().into_iter().flatten();
            names.flat_map(|name| self.alarm(name.as_str().unwrap()).metrics.into_values()).collect::<Vec<_>>()
        });
        self.widgets().iter().flat_map(metrics).chain(drawn).collect()
    }

    pub(super) fn searches(&self) -> Vec<Search> {
        let rows = self.widgets().iter().filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
        let expressions = rows.filter_map(|row| row[0]["expression"].as_str());
        expressions.filter(|expression| !expression.contains("METRICS(")).map(Search::parse).collect()
    }

    /// The query of the widget that shows the log.
    pub(super) fn log_query(&self) -> &str {
        let log = self.widgets().iter().find(|widget| widget["type"] == "log").unwrap();
        log["properties"]["query"].as_str().unwrap()
    }
}

impl<'a> Alarm<'a> {
    fn read(properties: &'a Value, groups: Vec<&'a Value>) -> Self {
        let name = properties["AlarmName"].as_str().unwrap();
        let (mut metrics, mut expression) = (BTreeMap::new(), None);
        for (index, group) in groups.iter().enumerate() {
            let (own, watched) = counted(name, group);
            assert!(index == 0 || expression == watched, "{name}: groups are judged alike");
            expression = watched;
            for (id, metric) in own {
                assert!(metrics.insert(id, metric).is_none(), "{name}: an id twice");
            }
        }
        Self { name, properties, groups, metrics, expression }
    }

    /// The values of the dimension `FunctionName` of the metrics of this name.
    pub(super) fn functions(&self, name: &str) -> Vec<&str> {
        let mut names = functions(self.metrics.values().filter(|metric| metric.name == name));
        names.sort_unstable();
        names
    }
}

/// The logical ids of the alarms that a composite stands for: `!Sub ALARM("${A}") OR ALARM("${B}")`.
fn groups_of(composite: &Value) -> Vec<&str> {
    let rule = tagged(&composite["Properties"]["AlarmRule"], "!Sub").unwrap().as_str().unwrap();
    let alarm = |part: &str| part.strip_prefix("ALARM(\"${").is_some_and(|rest| rest.ends_with("}\")"));
    assert!(rule.split(" OR ").all(alarm), "{rule}");
    rule.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
}

/// The metrics of a metric alarm by their ids, and the text of its expression.
fn counted<'a>(name: &str, properties: &'a Value) -> (BTreeMap<&'a str, Metric>, Option<&'a str>) {
    let (mut metrics, mut expression) = (BTreeMap::new(), None);
    for query in properties["Metrics"].as_sequence().unwrap() {
        let watched = query.get("ReturnData").is_none();
        if let Some(text) = query.get("Expression") {
            assert!(watched && expression.is_none(), "{name}: one expression, which is what is watched");
            expression = tagged(text, "!Sub").unwrap_or(text).as_str();
            continue;
        }
        let metric = &query["MetricStat"]["Metric"];
        let dimensions = metric["Dimensions"].as_sequence().into_iter().flatten().map(|dimension| {
            let value = &dimension["Value"];
            let value = match tagged(value, "!Ref") {
                Some(parameter) => parameter.as_str().filter(|name| *name == "ApiId").map(|_| API_ID),
                None => value.as_str(),
            };
            (dimension["Name"].as_str().unwrap().to_owned(), value.unwrap().to_owned())
        });
        let metric = Metric {
            namespace: metric["Namespace"].as_str().unwrap().to_owned(),
            name: metric["MetricName"].as_str().unwrap().to_owned(),
            dimensions: dimensions.collect(),
        };
        assert!(metrics.insert(query["Id"].as_str().unwrap(), metric).is_none(), "{name}: an id twice");
    }
    (metrics, expression)
}

impl Search {
    fn parse(expression: &str) -> Self {
        let parsed = expression.strip_prefix("SEARCH('{").and_then(|rest| rest.split_once("} MetricName=\""));
        let (schema, rest) = parsed.unwrap_or_else(|| panic!("{expression} is no search by name"));
        let name = rest.strip_suffix("\"', 'Sum', 300)").unwrap_or_else(|| panic!("{expression}"));
        let mut schema = schema.split(',').map(str::to_owned);
        Self { namespace: schema.next().unwrap(), dimensions: schema.collect(), name: name.to_owned() }
    }
}

/// The metrics that a widget names one by one: `[namespace, name, dimension, value, …, options]`, where `.` repeats the
/// value of the row before. Source: CloudWatch API Reference, "Dashboard Body Structure and Syntax".
fn metrics(widget: &Json) -> Vec<Metric> {
    let mut before: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for row in widget["properties"]["metrics"].as_array().into_iter().flatten() {
        let texts = row.as_array().unwrap().iter().map_while(Json::as_str);
        let texts: Vec<_> =
            texts.enumerate().map(|(position, text)| if text == "." { before[position] } else { text }).collect();
        if texts.is_empty() {
            continue;
        }
        let dimensions = texts[2..].chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned()));
        found.push(Metric {
            namespace: texts[0].to_owned(),
            name: texts[1].to_owned(),
            dimensions: dimensions.collect(),
        });
        before = texts;
    }
    found
}
