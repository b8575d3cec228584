//! `extra.yaml`: merged into the template by logical id.

use firefly_templates::{Document, tagged};
use serde_yaml_ng::Value;

use crate::tree::Tree;

const FILE: &str = "lambdas/func-api-health-get/extra.yaml";
const TEMPLATE: &str = "lambdas/func-api-health-get/template.yaml";
/// A new section, new entries, and members merged into the rendered function.
const EXTRA: &str = "Conditions:
  IsEurope: !Equals [!Ref AWS::Region, eu-central-1]
Resources:
  Function:
    Metadata:
      checkov:
        skip:
          - id: CKV_AWS_50
            comment: Tracing is off.
    Properties:
      Timeout: 7
      Environment:
        Variables:
          GREETING: 'yes'
      Layers:
        - !Ref More
  Topic:
    Type: AWS::SNS::Topic
    Condition: IsEurope
    Properties:
      TopicName: firefly-health
      Tags: []
Outputs:
  TopicArn:
    Value: !If [IsEurope, !Ref Topic, '']
";

fn with(extra: &str) -> Tree {
    let tree = Tree::copy();
    tree.write(FILE, extra);
    tree
}

#[test]
fn entries_are_added_and_merged() {
    let tree = with(EXTRA);
    tree.succeeds(&[]);
    tree.succeeds(&["--check"]);
    let text = tree.read(TEMPLATE);
    assert!(text.starts_with("# Rendered by firefly-render from function.toml and extra.yaml; do not edit.\n"));
    let template = Document::parse(&text).unwrap();
    let sections: Vec<_> = template.section_names().collect();
    let expected =
        ["AWSTemplateFormatVersion", "Transform", "Description", "Parameters", "Conditions", "Resources", "Outputs"];
    assert_eq!(sections, expected);
    let ids: Vec<_> = template.resources().map(|(id, _)| id).collect();
    let expected =
        ["FunctionLogGroup", "FunctionRole", "Function", "Integration", "Route", "InvokePermission", "Topic"];
    assert_eq!(ids, expected);
    let function = template.entry("Resources", "Function").unwrap();
    let properties = &function["Properties"];
    assert_eq!((properties["Timeout"].as_u64(), properties["MemorySize"].as_u64()), (Some(7), Some(256)));
    assert_eq!(properties["Environment"]["Variables"]["GREETING"].as_str(), Some("yes"));
    assert!(properties["Environment"]["Variables"].get("APP_CONFIG_ENV").is_some());
    let layers = properties["Layers"].as_sequence().unwrap();
    assert_eq!(layers.len(), 3);
    assert_eq!(tagged(&layers[2], "!Ref").and_then(Value::as_str), Some("More"));
    let skips = function["Metadata"]["checkov"]["skip"].as_sequence().unwrap();
    assert_eq!((skips.len(), skips[4]["id"].as_str()), (5, Some("CKV_AWS_50")));
    // `yes` is a boolean in YAML 1.1, which CloudFormation reads.
    assert!(text.contains("          GREETING: 'yes'\n") && text.contains("      Tags: []\n"), "{text}");
    assert!(text.contains("  HasSharedLayer: !Not [!Equals [!Ref SharedLayerArn, '']]\n"));
    assert!(template.entry("Conditions", "IsEurope").is_some() && template.entry("Outputs", "TopicArn").is_some());

    // Without it the template is as before.
    std::fs::remove_file(tree.path(FILE)).unwrap();
    tree.succeeds(&[]);
    assert!(tree.snapshot() == Tree::copy().snapshot());
}

#[test]
fn a_broken_extra_is_refused() {
    let sections = "Conditions, Mappings, Outputs, Resources";
    for (text, problem) in [
        ("Parameters:\n  X: {Type: String}\n", format!(", Parameters: is no section to add to; there are {sections}")),
        ("Resource:\n  X: 1\n", format!(", Resource: is no section to add to; there are {sections}")),
        ("Resources:\n", ", Resources: has no entries; allowed are some, each under its logical id".to_owned()),
        ("Resources: []\n", ", Resources: has no entries; allowed are some, each under its logical id".to_owned()),
        (
            "Resources:\n  my-topic: {Type: AWS::SNS::Topic}\n",
            ", Resources.my-topic: is no logical id; allowed are letters and digits".to_owned(),
        ),
        ("", ": a mapping of sections is needed".to_owned()),
        ("- a\n", ": a mapping of sections is needed".to_owned()),
    ] {
        with(text).fails(&[], &[&format!("{FILE}{problem}")]);
    }
    let tree = with("Resources: [");
    let output = tree.run(&[]);
    let stderr = crate::tree::text(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.starts_with(&format!("firefly-render: {FILE}: not YAML: ")));
}

#[test]
fn an_extra_that_changes_what_function_toml_says_is_refused() {
    let made = "is made of function.toml; allowed is a change there";
    for id in ["FunctionRole", "Integration", "InvokePermission", "Route"] {
        let text = format!("Resources:\n  {id}:\n    Properties: {{}}\n");
        with(&text).fails(&[], &[&format!("{FILE}, Resources.{id}: {made}")]);
    }
    let text = "Resources:\n  Function:\n    Type: AWS::Lambda::Function\n";
    let problem = "Resources.Function.Type: is that of a rendered resource; allowed are its other members";
    with(text).fails(&[], &[&format!("{FILE}, {problem}")]);
    let text = "Resources:\n  Other:\n    Type: AWS::ApiGatewayV2::Route\n    Properties: {RouteKey: GET /devices}\n";
    let problem = "Resources.Other.Type: is a second route; allowed is a function of its own for each";
    with(text).fails(&[], &[&format!("{FILE}, {problem}")]);
    with("Resources:\n  1: {Type: AWS::SNS::Topic}\n")
        .fails(&[], &[&format!("{FILE}: \"1\" is not a name; allowed are texts")]);
}
