//! A tree of 25 functions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use firefly_templates::{Document, tagged};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use crate::tree::Tree;

/// Functions beside the nine, one in two called by devices: 12 device functions of 25.
const MORE: usize = 16;
const FUNCTIONS: usize = 25;

/// A tree of 25 functions, which no test changes.
fn tree() -> &'static Tree {
    static TREE: LazyLock<Tree> = LazyLock::new(grown);
    &TREE
}

fn grown() -> Tree {
    let tree = Tree::of_nine();
    for number in 0..MORE {
        let letter = char::from(b'a' + u8::try_from(number).unwrap());
        let caller = if number % 2 == 0 { "device" } else { "super_user" };
        tree.succeeds(&["add", &format!("func-api-{letter}-get"), "--caller", caller]);
    }
    tree.succeeds(&["--check"]);
    tree
}

fn deployed(tree: &Tree, wanted: &str) -> BTreeSet<String> {
    let read = firefly_render::Tree::read(tree.root()).unwrap();
    let functions = read.functions().iter().filter(|function| match wanted {
        "device" => function.caller == firefly_render::Caller::Device,
        "grants" => !function.grants.is_empty(),
        _ => true,
    });
    functions.map(|function| format!("firefly-{}", function.name)).collect()
}

/// The functions that a metric alarm counts, by metric.
fn counted(alarm: &Value) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let queries = alarm["Properties"]["Metrics"].as_sequence().unwrap();
    assert!(queries.len() <= 10, "{} metrics and expressions", queries.len());
    for query in queries.iter().filter(|query| query.get("MetricStat").is_some()) {
        let metric = &query["MetricStat"]["Metric"];
        let function = metric["Dimensions"][0]["Value"].as_str().unwrap().to_owned();
        found.entry(metric["MetricName"].as_str().unwrap().to_owned()).or_default().push(function);
    }
    found
}

#[test]
fn alarms_of_25_functions_are_groups_under_a_composite_that_alone_notifies() {
    let tree = tree();
    let one = Document::parse(&Tree::of_nine().read("stacks/observability.yaml")).unwrap();
    let many = Document::parse(&tree.read("stacks/observability.yaml")).unwrap();
    for (id, name, groups, metrics, wanted) in [
        ("FunctionErrorsAlarm", "firefly-function-errors", 3, &["Errors"][..], "all"),
        ("ThrottledFunctionsAlarm", "firefly-throttled-functions", 3, &["Throttles"], "all"),
        ("RefusedSignaturesAlarm", "firefly-refused-signatures", 3, &["Requests", "SignaturesRefused"], "device"),
        ("UnknownDevicesAlarm", "firefly-unknown-devices", 2, &["UnknownDevices"], "device"),
        ("MalformedRecordsAlarm", "firefly-malformed-records", 2, &["MalformedRecords"], "device"),
    ] {
        let before = one.entry("Resources", id).unwrap();
        let composite = many.entry("Resources", id).unwrap();
        assert_eq!(composite["Type"].as_str(), Some("AWS::CloudWatch::CompositeAlarm"));
        for property in ["AlarmName", "AlarmDescription", "AlarmActions", "OKActions"] {
            assert_eq!(composite["Properties"][property], before["Properties"][property], "{id}: {property}");
        }
        let ids: Vec<_> = (1..=groups).map(|number| format!("{id}{number}")).collect();
        let rule: Vec<_> = ids.iter().map(|id| format!("ALARM(\"${{{id}}}\")")).collect();
        let written = tagged(&composite["Properties"]["AlarmRule"], "!Sub").and_then(Value::as_str);
        assert_eq!(written, Some(rule.join(" OR ").as_str()));
        assert!(many.entry("Resources", &format!("{id}{}", groups + 1)).is_none());

        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, group) in ids.iter().enumerate() {
            let group = many.entry("Resources", group).unwrap();
            let properties = &group["Properties"];
            assert_eq!(group["Type"].as_str(), Some("AWS::CloudWatch::Alarm"));
            assert_eq!(properties["AlarmName"].as_str(), Some(format!("{name}-{}", number + 1).as_str()));
            assert!(properties.get("AlarmActions").is_none() && properties.get("OKActions").is_none());
            for property in
                ["ComparisonOperator", "Threshold", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData"]
            {
                assert_eq!(properties[property], before["Properties"][property], "{id}: {property}");
            }
            assert_eq!(properties["Metrics"][0], before["Properties"]["Metrics"][0], "{id}");
            counted(group).into_iter().for_each(|(metric, functions)| all.entry(metric).or_default().extend(functions));
        }
        assert!(all.keys().eq(metrics), "{all:?}");
        for functions in all.values() {
            assert!(functions.iter().eq(&deployed(tree, wanted)), "{id}: {functions:?}");
        }
    }
    // An alarm that does not count by function is as before.
    for (id, resource) in one.resources().filter(|(id, _)| !id.ends_with("FunctionsAlarm") && *id != "Dashboard") {
        let grouped = ["FunctionErrorsAlarm", "RefusedSignaturesAlarm", "UnknownDevicesAlarm", "MalformedRecordsAlarm"]
            .contains(&id);
        assert!(grouped || many.entry("Resources", id) == Some(resource), "{id}");
    }
}

#[test]
fn the_dashboard_of_25_functions_shows_each_and_draws_no_composite() {
    let tree = tree();
    let document = Document::parse(&tree.read("stacks/observability.yaml")).unwrap();
    let body = &document.entry("Resources", "Dashboard").unwrap()["Properties"]["DashboardBody"];
    let body: Json = serde_json::from_str(tagged(body, "!Sub").unwrap().as_str().unwrap()).unwrap();
    let widget = |title: &str| {
        let widgets = body["widgets"].as_array().unwrap();
        &widgets.iter().find(|widget| widget["properties"]["title"] == title).unwrap()["properties"]
    };
    let shown = |title: &str| -> BTreeSet<String> {
        let rows = widget(title)["metrics"].as_array().unwrap().iter().filter_map(|row| row[3].as_str());
        rows.filter(|name| name.starts_with("firefly-func-")).map(str::to_owned).collect()
    };
    for title in ["Requests by function", "Duration p99 (ms)", "Function errors", "Throttled", "Cold starts"] {
        assert_eq!(shown(title), deployed(tree, "all"), "{title}");
        assert_eq!(shown(title).len(), FUNCTIONS);
    }
    assert_eq!(shown("AWS calls p99 (ms)"), deployed(tree, "grants"));

    let drawn = widget("Refused signatures (percent)");
    assert!(drawn.get("annotations").is_none(), "a composite alarm cannot be drawn");
    let rows = drawn["metrics"].as_array().unwrap();
    assert_eq!(
        rows[0][0]["expression"],
        "IF(SUM(METRICS(\"requests\")) >= ${MinimumRequests}, 100 * SUM(METRICS(\"refused\")) / SUM(METRICS(\"requests\")), 0)"
    );
    assert_eq!((&rows[0][0]["label"], &drawn["stat"]), (&"Signed requests refused (percent)".into(), &"Sum".into()));
    assert_eq!(shown("Refused signatures (percent)"), deployed(tree, "device"));
    let ids: BTreeSet<_> = rows[1..].iter().map(|row| row[4]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2 * deployed(tree, "device").len());
    assert!(rows[1..].iter().all(|row| row[4]["visible"] == false));

    let log = body["widgets"].as_array().unwrap().iter().find(|widget| widget["type"] == "log").unwrap();
    let sources = log["properties"]["query"].as_str().unwrap().matches("SOURCE '/aws/lambda/firefly-func-api-").count();
    assert_eq!(sources, FUNCTIONS);
}

#[test]
fn nine_functions_fit_into_one_alarm_and_four_of_devices_into_the_one_of_signatures() {
    let tree = Tree::of_nine();
    let kinds = |tree: &Tree| {
        let document = Document::parse(&tree.read("stacks/observability.yaml")).unwrap();
        let kind = |id: &str| document.entry("Resources", id).unwrap()["Type"].as_str().unwrap().to_owned();
        ["FunctionErrorsAlarm", "ThrottledFunctionsAlarm", "RefusedSignaturesAlarm"].map(kind)
    };
    let (metric, composite) = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm");
    let may_put = |tree: &Tree| tree.read("stacks/bootstrap.yaml").contains("Action: cloudwatch:PutCompositeAlarm\n");
    assert_eq!((kinds(&tree), may_put(&tree)), ([metric; 3].map(str::to_owned), false));
    tree.succeeds(&["remove", "func-api-health-get"]);
    tree.succeeds(&["add", "func-api-x-get", "--caller", "device"]);
    assert_eq!((kinds(&tree), may_put(&tree)), ([metric, metric, composite].map(str::to_owned), true));
    tree.succeeds(&["add", "func-api-y-get"]);
    assert_eq!(kinds(&tree), [composite; 3]);
}

#[test]
fn the_root_makes_25_functions_in_three_chains() {
    let tree = tree();
    let root = Document::parse(&tree.read("template.yaml")).unwrap();
    let functions: BTreeMap<_, _> = root
        .resources()
        .filter(|(_, it)| it["Properties"]["Location"].as_str().unwrap().starts_with("lambdas/"))
        .collect();
    assert_eq!(functions.len(), FUNCTIONS);
    let before: Vec<_> = functions
        .values()
        .flat_map(|function| firefly_templates::texts(&function["DependsOn"]))
        .filter(|id| functions.contains_key(id))
        .collect();
    assert_eq!(before.len(), FUNCTIONS - 3);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), FUNCTIONS - 3, "nothing is followed by two");
}
