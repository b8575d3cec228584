//! The dashboard and the alarms watch what functions, services and stacks really emit.

mod emitted;
mod metric;
mod queries;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use firefly_local::stacks::{DEVICES_TABLE, REGISTRATION_KEYS_TABLE};
use firefly_render::Caller;
use firefly_templates::{TableTemplate, tagged};
use firefly_testkit::{TestCloud, new_device};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use super::document::{Document, root};
use super::routes;
use emitted::{Asked, Lines};
use metric::{Metric, functions};
use watched::{API_ID, Alarm, Watched};

/// Metrics that AWS publishes: namespace, names of the dimensions, names. Sources: API Gateway Developer Guide, "Monitor
/// HTTP API metrics"; Lambda Developer Guide, "Types of metrics for Lambda functions"; DynamoDB Developer Guide,
/// "DynamoDB metrics and dimensions".
const PUBLISHED: [(&str, &[&str], &[&str]); 4] = [
    ("AWS/ApiGateway", &["ApiId"], &["4xx", "5xx", "Count", "DataProcessed", "IntegrationLatency", "Latency"]),
    ("AWS/Lambda", &["FunctionName"], &["Duration", "Errors", "Invocations", "Throttles"]),
    ("AWS/DynamoDB", &["TableName"], &["ReadThrottleEvents", "WriteThrottleEvents"]),
    ("AWS/DynamoDB", &["GlobalSecondaryIndexName", "TableName"], &["ReadThrottleEvents", "WriteThrottleEvents"]),
];
/// Most metrics and expressions of an alarm. Source: CloudWatch User Guide, "Create an alarm based on a metric math
/// expression".
const ALARM_METRICS: usize = 10;
/// Columns of a dashboard.
const COLUMNS: u64 = 24;

/// The deployed names of the functions with such callers, by name.
fn deployed_functions(wanted: impl Fn(Caller) -> bool) -> Vec<String> {
    let routes = routes().into_iter().filter(|route| wanted(route.caller));
    routes.map(|route| format!("firefly-{}", route.function)).collect()
}

fn is_device(caller: Caller) -> bool {
    caller == Caller::Device
}

/// The metric that the filter of the access log counts.
fn filtered(watched: &Watched) -> Metric {
    let transformation = &watched.document.resource("ThrottledRequests")["Properties"]["MetricTransformations"][0];
    let text = |member: &str| transformation[member].as_str().unwrap().to_owned();
    Metric { namespace: text("MetricNamespace"), name: text("MetricName"), dimensions: BTreeMap::new() }
}

/// The values that a dimension can have.
fn values_of(dimension: &str) -> BTreeSet<String> {
    let tables = [DEVICES_TABLE, REGISTRATION_KEYS_TABLE].map(|stack| TableTemplate::parse(stack).unwrap());
    match dimension {
        "ApiId" => [API_ID.to_owned()].into(),
        "FunctionName" => deployed_functions(|_| true).into_iter().collect(),
        "TableName" => tables.into_iter().map(|table| table.name).collect(),
        "GlobalSecondaryIndexName" => {
            tables.into_iter().flat_map(|table| table.indexes).map(|index| index.index_name).collect()
        }
        other => panic!("the dimension {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_watched_is_there_and_everything_that_is_measured_is_shown() {
    let watched = Watched::read();
    let emitted = emitted::metrics().await;
    let of_alarms = watched.alarms().into_iter().flat_map(|alarm| alarm.metrics.into_values());
    let named: BTreeSet<_> = watched.all_shown().into_iter().chain(of_alarms).collect();
    for metric in &named {
        if metric.namespace == "FireFly" {
            assert!(emitted.contains(metric) || *metric == filtered(&watched), "nobody writes {metric:?}");
            continue;
        }
        let published = PUBLISHED.iter().any(|(namespace, dimensions, names)| {
            metric.namespace == *namespace
                && metric.dimensions.keys().eq(*dimensions)
                && names.contains(&metric.name.as_str())
        });
        assert!(published, "AWS does not publish {metric:?}");
        for (dimension, value) in &metric.dimensions {
            assert!(values_of(dimension).contains(value), "{metric:?}");
        }
    }
    for search in watched.searches() {
        let dimensions: BTreeSet<_> = search.dimensions.iter().collect();
        let mut found = emitted.iter().filter(|it| it.namespace == search.namespace && it.name == search.name);
        let finds = found.any(|metric| metric.dimensions.keys().collect::<BTreeSet<_>>() == dimensions);
        assert!(finds, "the search for {} finds nothing", search.name);
    }

    // By function, or by what is theirs alone.
    let searched: BTreeSet<_> = watched.searches().into_iter().map(|search| search.name).collect();
    let shown: BTreeSet<_> = watched.all_shown().into_iter().map(|metric| metric.name).chain(searched).collect();
    for metric in &emitted {
        assert!(shown.contains(&metric.name), "the dashboard does not show {}", metric.name);
    }
    for name in ["AwsLatency", "ColdStarts"] {
        let writing = emitted.iter().filter(|metric| metric.name == name && metric.dimensions.len() == 1);
        let shown = watched.all_shown();
        assert_eq!(functions(writing), functions(shown.iter().filter(|metric| metric.name == name)), "{name}");
    }
    let refusing = emitted.iter().filter(|metric| metric.name == "SignaturesRefused");
    assert_eq!(functions(refusing), deployed_functions(is_device));
    // Each set of dimensions costs, so only the two metrics that have causes are counted by them.
    let by_cause: BTreeSet<_> = emitted.iter().filter(|metric| metric.dimensions.contains_key("Code")).collect();
    assert!(by_cause.iter().all(|metric| ["Failed", "Refused"].contains(&metric.name.as_str())), "{by_cause:?}");
}

#[test]
fn every_function_is_on_the_dashboard_and_in_the_alarms_of_all_functions() {
    let watched = Watched::read();
    let all = deployed_functions(|_| true);
    for title in ["Requests by function", "Duration p99 (ms)", "Function errors", "Throttled", "Cold starts"] {
        assert_eq!(functions(&watched.shown(title)), all, "{title}");
    }
    assert_eq!(watched.alarm("firefly-function-errors").functions("Errors"), all);
    assert_eq!(watched.alarm("firefly-throttled-functions").functions("Throttles"), all);
    let groups: Vec<_> = all.iter().map(|name| format!("SOURCE '/aws/lambda/{name}'")).collect();
    assert!(watched.log_query().starts_with(&format!("{} | fields ", groups.join(" | "))));

    let signed = deployed_functions(is_device);
    let alarm = watched.alarm("firefly-refused-signatures");
    assert_eq!(alarm.functions("SignaturesRefused"), signed);
    assert_eq!(alarm.functions("Requests"), signed);
    // `METRICS("refused")` are those whose id holds the word.
    for (id, metric) in &alarm.metrics {
        let word = if metric.name == "Requests" { "requests" } else { "refused" };
        assert_eq!(["refused", "requests"].map(|other| id.contains(other)), ["refused", "requests"].map(|o| o == word));
    }

    let tables = watched.alarm("firefly-throttled-tables").metrics.into_values().collect::<BTreeSet<_>>();
    let mut expected = BTreeSet::new();
    for table in [DEVICES_TABLE, REGISTRATION_KEYS_TABLE].map(|stack| TableTemplate::parse(stack).unwrap()) {
        let own = BTreeMap::from([("TableName".to_owned(), table.name)]);
        let indexes = table.indexes.into_iter().map(|index| ("GlobalSecondaryIndexName".to_owned(), index.index_name));
        let indexes: Vec<BTreeMap<_, _>> =
            indexes.map(|index| own.clone().into_iter().chain([index]).collect()).collect();
        for dimensions in [vec![own], indexes].concat() {
            for name in ["ReadThrottleEvents", "WriteThrottleEvents"] {
                let (namespace, name) = ("AWS/DynamoDB".to_owned(), name.to_owned());
                expected.insert(Metric { namespace, name, dimensions: dimensions.clone() });
            }
        }
    }
    assert_eq!(tables, expected);
}

#[test]
fn the_dashboard_shows_every_alarm_and_no_widget_covers_another() {
    let watched = Watched::read();
    let of_widgets = watched.widgets().iter().filter(|widget| widget["type"] == "alarm");
    let listed = of_widgets.flat_map(|widget| widget["properties"]["alarms"].as_array().unwrap());
    let listed: Vec<_> = listed.map(|name| name.as_str().unwrap()).collect();
    assert_eq!(listed, watched.alarms().iter().map(|alarm| alarm.name).collect::<Vec<_>>());

    let mut covered = BTreeSet::new();
    for widget in watched.widgets() {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|member| widget[member].as_u64().unwrap());
        assert!(width > 0 && height > 0 && x + width <= COLUMNS, "{widget}");
        for cell in (x..x + width).flat_map(|column| (y..y + height).map(move |row| (column, row))) {
            assert!(covered.insert(cell), "{} lies over another", widget["properties"]["title"]);
        }
        // A widget without a region stays empty, and no error says so.
        let drawn = widget["type"] != "metric" || widget["properties"]["region"].is_string();
        assert!(drawn, "{widget} has no region");
    }
}

/// Asserts the rules of every alarm.
fn assert_alarm(watched: &Watched, alarm: &Alarm<'_>) {
    let (name, properties) = (alarm.name, alarm.properties);
    assert!(name.starts_with("firefly-"), "{name}");
    // An operator reads it in a message: what has happened, where to look, what to do.
    let description = properties["AlarmDescription"].as_str().unwrap();
    assert!((150..=1_024).contains(&description.len()) && description.is_ascii(), "{name}: {}", description.len());
    let leads = ["Dashboard firefly-observability", "dashboard firefly-observability", "log group /aws/vendedlogs/"];
    assert!(leads.iter().any(|lead| description.contains(lead)), "{name} does not say where to look");
    for title in description.split('"').skip(1).step_by(2) {
        let begins = |widget: &Json| widget["properties"]["title"].as_str().is_some_and(|full| full.starts_with(title));
        assert!(watched.widgets().iter().any(begins), "{name}: there is no widget {title}");
    }

    for actions in ["AlarmActions", "OKActions"] {
        let choice = tagged(&properties[actions], "!If").unwrap();
        assert_eq!(choice[0].as_str(), Some("HasAlarmTopic"), "{name}");
        assert_eq!(tagged(&choice[1][0], "!Ref").and_then(Value::as_str), Some("AlarmTopicArn"), "{name}");
        assert_eq!(tagged(&choice[2], "!Ref").and_then(Value::as_str), Some("AWS::NoValue"), "{name}");
        // A composite alone notifies.
        assert!(alarm.groups.len() == 1 || alarm.groups.iter().all(|group| group.get(actions).is_none()), "{name}");
    }
    alarm.groups.iter().for_each(|group| assert_queries(name, group));

    // A metric that an expression does not name is not counted.
    let Some(expression) = alarm.expression else {
        assert_eq!(alarm.metrics.len(), 1, "{name}");
        return;
    };
    let named = |id: &str| expression.contains(id) || expression.contains("METRICS()");
    let grouped = |id: &str| ["refused", "requests"].iter().any(|word| id.contains(word) && named(word));
    assert!(alarm.metrics.keys().all(|id| named(id) || grouped(id)), "{name}: {expression}");
    // A rate, and a percentile, of next to nothing says nothing; counts are of what should not be.
    let judged = expression.contains('/') || expression.contains("latency");
    assert_eq!(expression.contains("${MinimumRequests}"), judged, "{name}: {expression}");
    for group in &alarm.groups {
        let (periods, datapoints) = (group["EvaluationPeriods"].as_u64(), group["DatapointsToAlarm"].as_u64());
        // A town comes back after a power cut within one period: of refusals by the throttle one is enough.
        let at_once = name == "firefly-throttled-requests";
        let several = periods > Some(1) && datapoints > Some(1);
        assert!(!judged || several != at_once, "{name}: {datapoints:?} of {periods:?}");
        assert!(!at_once || (periods, datapoints) == (Some(1), Some(1)), "{name}: {datapoints:?} of {periods:?}");
    }
}

/// Asserts the rules of the metrics of an alarm or of one of its groups.
fn assert_queries(name: &str, properties: &Value) {
    assert_eq!(properties["TreatMissingData"].as_str(), Some("notBreaching"), "{name}");
    let queries = properties["Metrics"].as_sequence().unwrap();
    assert!(queries.len() <= ALARM_METRICS, "{name}: {} metrics", queries.len());
    let returned: Vec<_> = queries.iter().filter(|query| query.get("ReturnData").is_none()).collect();
    assert_eq!(returned.len(), 1, "{name}");
    assert!(returned[0]["Label"].as_str().is_some(), "{name}");
    let hidden = queries.iter().filter_map(|query| query.get("ReturnData"));
    assert!(hidden.into_iter().all(|hidden| hidden.as_bool() == Some(false)), "{name}");
    let periods: BTreeSet<_> = queries.iter().filter_map(|query| query["MetricStat"]["Period"].as_u64()).collect();
    assert_eq!(periods.len(), 1, "{name}");
}

#[test]
fn every_alarm_says_what_to_do_and_goes_off_for_a_reason() {
    let watched = Watched::read();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n### Watching it\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let mut rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    for alarm in watched.alarms() {
        assert_alarm(&watched, &alarm);
        let name = format!("`{}`", alarm.name.trim_start_matches("firefly-"));
        assert!(rows.iter().any(|row| row.contains(&name)), "README does not say what {name} is");
    }
    rows.retain(|row| {
        let mut names = row.split(" | ").next().unwrap().trim_matches(['|', ' ']).split(", ");
        !names.all(|name| watched.alarms().iter().any(|alarm| format!("`{}`", &alarm.name[8..]) == name))
    });
    assert_eq!(rows, [""; 0], "README names alarms that are not there");
}

#[test]
fn every_threshold_that_can_be_set_is_used_and_readme_gives_its_default() {
    let watched = Watched::read();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let row = readme.lines().find(|line| line.contains("| `MINIMUM_REQUESTS`, ")).unwrap();
    let mut defaults = Vec::new();
    for (name, parameter) in watched.document.section("Parameters") {
        if parameter["Type"].as_str() != Some("Number") {
            continue;
        }
        let used = watched.alarms().into_iter().any(|alarm| {
            let is_it = |group: &&Value| tagged(&group["Threshold"], "!Ref").and_then(Value::as_str) == Some(name);
            alarm.groups.iter().any(is_it)
                || alarm.expression.is_some_and(|text| text.contains(&format!("${{{name}}}")))
        });
        assert!(used, "{name} sets nothing");
        defaults.push(parameter["Default"].as_u64().unwrap().to_string());
    }
    assert!(row.contains(&format!("| {} |", defaults.join(", "))), "{row}");
}

#[test]
fn requests_throttled_by_the_api_are_counted_in_its_access_log() {
    let watched = Watched::read();
    let filter = &watched.document.resource("ThrottledRequests")["Properties"];
    let gateway = Document::of_stack("api-gateway");
    let group = &gateway.resource("AccessLogGroup")["Properties"]["LogGroupName"];
    assert_eq!(filter["LogGroupName"], *group);
    let format = gateway.resource("Stage")["Properties"]["AccessLogSettings"]["Format"].as_str().unwrap();
    let format: Json = serde_json::from_str(format).unwrap();
    let pattern = filter["FilterPattern"].as_str().unwrap();
    let members: Vec<_> = pattern.split("$.").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(members.len(), 2);
    for (member, variable) in members.iter().zip(["$context.status", "$context.integrationLatency"]) {
        assert_eq!(format[member], variable, "{pattern}");
    }
    // A text in the log: API Gateway writes `-` for an absent value.
    assert!(pattern.contains("= \"429\"") && pattern.contains("= \"-\""), "{pattern}");
}

/// The widget of failures asks for members that a failure's line has.
#[tokio::test]
async fn the_failures_that_are_listed_are_those_that_functions_log() {
    let lines = queries::logged();
    let cloud = TestCloud::start().await;
    let device = new_device();
    let headers = cloud.sign(&device);
    let restoring = Asked::without_devices(&cloud, &Lines::default(), "func-api-devices-backup-get");
    restoring.answers(500, |event| event.signed(&headers)).await;

    let logged = lines.parsed();
    let own = |line: &&Json| line["span"]["device"] == device.uuid().to_string();
    let failure = logged.iter().find(|line| line["level"] == "ERROR" && own(line)).unwrap();
    let watched = Watched::read();
    let mut commands = watched.log_query().split(" | ").filter(|command| !command.starts_with("SOURCE "));
    let fields = commands.next().unwrap().strip_prefix("fields @timestamp, ").unwrap();
    for field in fields.split(", ") {
        let value = field.split('.').fold(failure, |value, member| &value[member]);
        assert!(!value.is_null(), "{failure} has no {field}");
    }
    assert_eq!(commands.next(), Some("filter level = 'ERROR'"));
}
