//! A template that cannot be resolved, or contradicts itself, is refused with the place of the fault.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::BTreeMap;

use firefly_templates::{BucketTemplate, FunctionTemplate, Source, TableTemplate};

const DEVICES_TABLE: Source<'static> =
    Source { name: "dynamodb-devices", text: include_str!("../../../stacks/dynamodb-devices.yaml") };
const DEVICES_GET: Source<'static> =
    Source { name: "func-api-devices-get", text: include_str!("../../../lambdas/func-api-devices-get/template.yaml") };

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let ids = [("ApiId", "local"), ("AuthorizerId", "jwt")];
    ids.iter().chain(given).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The bucket template is the smallest in which every intrinsic function can stand: `name` is its bucket's name.
fn bucket_name(conditions: &str, name: &str) -> Result<String, String> {
    let yaml = format!(
        "Parameters:\n  Given: {{Type: String}}\n  Other: {{Type: String, Default: other}}\n  Bad: {{Type: Number, Default: x}}\n\
         Conditions: {conditions}\n\
         Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {name}\n\
         \x20 Role: {{Type: AWS::IAM::Role, Properties: {{RoleName: r}}}}\n\
         \x20 Group: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: !Ref Group}}}}\n"
    );
    let given = values(&[("Given", "given")]);
    BucketTemplate::parse(Source { name: "sample", text: &yaml }, &given)
        .map(|bucket| bucket.name)
        .map_err(|error| error.to_string())
}

#[test]
fn intrinsic_functions_resolve_in_their_short_and_long_forms() {
    let conditions = "{Yes: !Equals [!Ref Given, given], No: !Not [!Condition Yes], \
                       LongNo: {'Fn::Not': [{Condition: Yes}]}, \
                       Both: !And [!Condition Yes, !Condition No], Any: !Or [!Condition Both, {Condition: Yes}], \
                       LongBoth: {'Fn::And': [{'Fn::Equals': [{Ref: Given}, other]}, {Condition: Yes}]}}";
    let cases = [
        ("!Ref Given", "given"),
        ("{Ref: Given}", "given"),
        ("!Ref Other", "other"),
        ("!Ref Role", "r"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Sub 'a-${Given}-${AWS::AccountId}-${!Given}'", "a-given-000000000000-${Given}"),
        ("{'Fn::Sub': '${Role}/${Role.Arn}'}", "r/arn:aws:iam::000000000000:role/r"),
        ("!Sub ['${Mine}-${Other}', {Mine: !If [Yes, !Ref Given, no]}]", "given-other"),
        ("!GetAtt Role.Arn", "arn:aws:iam::000000000000:role/r"),
        ("{'Fn::GetAtt': [Role, Arn]}", "arn:aws:iam::000000000000:role/r"),
        ("!If [Yes, a, !Ref Nowhere]", "a"),
        ("!If [No, a, b]", "b"),
        ("{'Fn::If': [LongNo, a, b]}", "b"),
        ("!If [Both, a, b]", "b"),
        ("!If [LongBoth, a, b]", "b"),
        ("!If [Any, a, b]", "a"),
        ("!If [No, !Ref AWS::NoValue, !If [Yes, deep, b]]", "deep"),
    ];
    for (name, expected) in cases {
        assert_eq!(bucket_name(conditions, name).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn an_unresolvable_value_is_refused_with_its_place() {
    let place = "template sample, Resources.Bucket.Properties.BucketName: ";
    let circle = "{A: !Condition B, B: !Not [!Condition A], Odd: !Not [!Ref Given, !Ref Given], Text: given, \
                   Lists: !Equals [[a], [a]], Alone: !And [!Condition A], Many: !Contains [[a], a]}";
    let cases = [
        ("!Ref Nowhere", "Nowhere is no parameter, resource or pseudo-parameter of the template"),
        ("!Ref AWS::StackName", "AWS::StackName is no parameter, resource or pseudo-parameter of the template"),
        ("!Ref [Given]", "Ref takes a name"),
        ("!Ref Bad", "the parameter Bad is of type Number and cannot be \"x\""),
        ("!Ref Group", "Group refers to itself"),
        ("!Sub '${Nowhere}'", "Nowhere is no parameter, resource or pseudo-parameter of the template"),
        ("!Sub '${Given'", "Fn::Sub takes a text, or a text and a mapping of single values, with closed ${…}"),
        ("!Sub ['${Given}']", "Fn::Sub takes a text, or a text and a mapping of single values, with closed ${…}"),
        ("!Sub '${Role.Id}'", "the attribute Role.Id is not known here"),
        ("!GetAtt Bucket.DomainName", "the attribute Bucket.DomainName is not known here"),
        ("!GetAtt Nowhere.Arn", "Nowhere.Arn is no parameter, resource or pseudo-parameter of the template"),
        ("!GetAtt Role", "Fn::GetAtt takes a resource and an attribute"),
        ("!If [Nowhere, a, b]", "Nowhere is no condition of the template"),
        ("!If [A, a]", "Fn::If takes a condition's name and two values"),
        ("!If [A, a, b]", "A refers to itself"),
        ("!If [Odd, a, b]", "Fn::Not takes one condition"),
        ("!If [Text, a, b]", "a condition takes a condition function"),
        ("!If [Lists, a, b]", "Fn::Equals takes two single values"),
        ("!If [Alone, a, b]", "Fn::And takes two to ten conditions"),
        ("!If [Many, a, b]", "the function Contains is not supported here"),
        ("!Join ['-', [a, b]]", "the function Join is not supported here"),
        ("{'Fn::ImportValue': x}", "the function ImportValue is not supported here"),
        ("[a, b]", "invalid type: sequence, expected a string"),
    ];
    for (name, expected) in cases {
        assert_eq!(bucket_name(circle, name), Err(format!("{place}{expected}")), "{name}");
    }
    let absent = bucket_name("{}", "!Ref AWS::NoValue");
    assert_eq!(absent, Err("template sample, Resources.Bucket.Properties: missing field `BucketName`".to_owned()));
}

fn refusal(from: &str, to: &str) -> String {
    assert!(DEVICES_GET.text.contains(from), "the template has no {from:?}");
    let text = DEVICES_GET.text.replacen(from, to, 1);
    FunctionTemplate::parse(Source { text: &text, ..DEVICES_GET }, &values(&[])).unwrap_err().to_string()
}

#[test]
fn a_function_template_at_odds_with_itself_is_refused() {
    let name = DEVICES_GET.name;
    let cases = [
        ("Timeout: 25", "Timeout: soon", "Function.Properties.Timeout: invalid type: string \"soon\", expected u64"),
        ("      MemorySize: 256\n", "", "Function.Properties: missing field `MemorySize`"),
        (
            "        - arm64",
            "        - arm64\n        - x86_64",
            "Function.Properties.Architectures: one architecture is needed",
        ),
        (
            "LogGroup: !Ref FunctionLogGroup",
            "LogGroup: elsewhere",
            "Function.Properties.LoggingConfig.LogGroup: is \"elsewhere\" where \
             \"/aws/lambda/firefly-func-api-devices-get\" belongs",
        ),
        (
            "RouteKey: GET /devices",
            "RouteKey: $default",
            "Route.Properties.RouteKey: \"$default\" is not a method and a path",
        ),
        (
            "AuthorizationType: JWT",
            "AuthorizationType: NONE",
            "Route.Properties.AuthorizationType: NONE with an AuthorizerId is neither NONE nor JWT as deployed here",
        ),
        (
            "Target: !Sub integrations/${Integration}",
            "Target: integrations/other",
            "Route.Properties.Target: is \"integrations/other\" where \"integrations/Integration\" belongs",
        ),
        (
            "- Effect: Allow\n                Action:\n                  - dynamodb:BatchGetItem",
            "- Effect: Deny\n                Action:\n                  - dynamodb:BatchGetItem",
            "FunctionRole.Properties.Policies[0].PolicyDocument.Statement[2].Effect: is \"Deny\" where \"Allow\" belongs",
        ),
        (
            "                Resource: !GetAtt FunctionLogGroup.Arn",
            "                Resource: x\n                Condition: {Bool: {a: b}}",
            "FunctionRole.Properties.Policies[0].PolicyDocument.Statement[0].Condition: unknown field `Condition`, \
             expected one of `Effect`, `Action`, `Resource`",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(refusal(from, to), format!("template {name}, Resources.{expected}"));
    }
    let absent = refusal("Type: AWS::ApiGatewayV2::Route\n", "Type: AWS::ApiGatewayV2::Stage\n");
    let expected = "one resource of type AWS::ApiGatewayV2::Route is needed, 0 are there";
    assert_eq!(absent, format!("template {name}, Resources: {expected}"));
}

#[test]
fn a_missing_parameter_and_a_broken_text_are_refused() {
    let source = DEVICES_GET;
    let missing = FunctionTemplate::parse(source, &BTreeMap::new()).unwrap_err().to_string();
    let expected = "Resources.Integration.Properties.ApiId: the parameter ApiId has neither a value nor a default";
    assert_eq!(missing, format!("template {}, {expected}", source.name));

    for (yaml, expected) in [
        ("a: [", "not YAML: "),
        ("- a", "a mapping of sections is needed"),
        ("", "a mapping of sections is needed"),
        ("a: 1\na: 2", "not YAML: duplicate entry with key \"a\""),
        ("a: 1", "Resources: one resource of type AWS::DynamoDB::Table is needed, 0 are there"),
    ] {
        let refused = TableTemplate::parse(Source { name: "sample", text: yaml }).unwrap_err().to_string();
        assert!(refused.starts_with("template sample, ") && refused.contains(expected), "{yaml:?}: {refused}");
    }
}

#[test]
fn a_table_of_words_that_dynamodb_does_not_know_is_refused() {
    let members = [
        ("KeyType: HASH", "KeyType: HUSH", "KeySchema[0].KeyType"),
        ("AttributeType: S", "AttributeType: X", "AttributeDefinitions[0].AttributeType"),
        ("BillingMode: PAY_PER_REQUEST", "BillingMode: FREE", "BillingMode"),
        ("ProjectionType: KEYS_ONLY", "ProjectionType: SOME", "GlobalSecondaryIndexes[0].Projection.ProjectionType"),
    ];
    for (from, to, member) in members {
        assert!(DEVICES_TABLE.text.contains(from));
        let yaml = DEVICES_TABLE.text.replacen(from, to, 1);
        let source = Source { text: &yaml, ..DEVICES_TABLE };
        let refused = TableTemplate::parse(source).unwrap_err().to_string();
        let place = format!("template dynamodb-devices, Resources.DevicesTable.Properties.{member}: ");
        assert!(refused.starts_with(&place), "{refused}");
    }
}
