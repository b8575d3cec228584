//! Documents that are refused.

use emulator_iot::policy::{Action, MalformedPolicy, Policy, Resource};
use serde_json::{Value, json};

use super::truncation::{assert_no_other_length, text};
use super::{DEVICE, allow, arn, attached};

#[test]
fn a_document_has_no_other_length() {
    assert_no_other_length(DEVICE.as_bytes(), b" \t\r\n", text(Policy::parse));
}

/// The refusal of a document whose one statement has these members in place of its own.
fn refusal(members: Value) -> String {
    let mut statement = json!({ "Sid": "s", "Effect": "Allow", "Action": "iot:Publish", "Resource": "*" });
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            statement.as_object_mut().unwrap().remove(name);
        } else {
            statement[name] = value.clone();
        }
    }
    let document = json!({ "Version": "2012-10-17", "Id": "i", "Statement": statement }).to_string();
    Policy::parse(&document).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn a_service_by_wildcard_is_refused() {
    for action in ["*:*", "*:Connect", "io?:Publish", "i*:Publish"] {
        assert_eq!(refusal(json!({ "Action": action })), format!("the action \"{action}\" is not one of AWS IoT"),);
    }
}

#[test]
fn a_statement_that_aws_iot_does_not_know_is_refused() {
    assert_eq!(refusal(json!({})), "accepted");
    let rows = [
        (json!({ "Action": null }), "Action is empty"),
        (json!({ "Action": [] }), "Action is empty"),
        (json!({ "Resource": null }), "Resource is empty"),
        (json!({ "Resource": [] }), "Resource is empty"),
        (json!({ "Action": null, "NotAction": "iot:Publish" }), "NotAction is not an element of AWS IoT policies"),
        (json!({ "Resource": null, "NotResource": ["*"] }), "NotResource is not an element of AWS IoT policies"),
        (json!({ "Action": "iot:Conect" }), "the action \"iot:Conect\" is not one of AWS IoT"),
        (json!({ "Action": "Connect" }), "the action \"Connect\" is not one of AWS IoT"),
        (json!({ "Action": "iot:${iot:ClientId}" }), "the action \"iot:${iot:ClientId}\" is not one of AWS IoT"),
        (json!({ "Resource": "topic/a" }), "The resource [topic/a] is not in valid ARN format"),
        (json!({ "Resource": "arn:aws:iot:*" }), "The resource [arn:aws:iot:*] is not in valid ARN format"),
        (
            json!({ "Resource": "arn:aws:iot:r::topic/a" }),
            "The resource [arn:aws:iot:r::topic/a] is not in valid ARN format",
        ),
        (
            json!({ "Resource": arn("topic/${iot:ClientId") }),
            "the policy variable in \"topic/${iot:ClientId\" is not known",
        ),
        (
            json!({ "Resource": arn("topic/${aws:SourceIp}") }),
            "the policy variable in \"topic/${aws:SourceIp}\" is not known",
        ),
        (
            json!({ "Resource": arn("topic/${iot:clientid}") }),
            "the policy variable in \"topic/${iot:clientid}\" is not known",
        ),
        (
            json!({ "Condition": { "Bool": { "aws:SourceIp": "true" } } }),
            "the condition Bool on aws:SourceIp is not supported",
        ),
        (
            json!({ "Condition": { "Bool": { "iot:ConnectAttributes": "true" } } }),
            "the condition Bool on iot:ConnectAttributes is not supported",
        ),
        (
            json!({ "Condition": { "Null": { "iot:Connection.Thing.IsAttached": "true" } } }),
            "the condition Null on iot:Connection.Thing.IsAttached is not supported",
        ),
        (
            json!({ "Condition": { "ForSome:Bool": { "iot:Connection.Thing.IsAttached": "true" } } }),
            "the condition ForSome:Bool on iot:Connection.Thing.IsAttached is not supported",
        ),
        (
            json!({ "Condition": { "Bool": { "iot:Connection.Thing.IsAttached": "yes" } } }),
            "\"yes\" is neither true nor false",
        ),
        (json!({ "Condition": { "Bool": { "iot:Connection.Thing.IsAttached": [] } } }), "Condition is empty"),
    ];
    for (members, expected) in rows {
        assert_eq!(refusal(members.clone()), expected, "{members}");
    }
    for members in
        [json!({ "Effect": "allow" }), json!({ "Effect": null }), json!({ "Principal": "*" }), json!({ "Action": 1 })]
    {
        let refused = refusal(members.clone());
        assert!(refused.starts_with("Invalid policy syntax. "), "{members}: {refused}");
    }
}

#[test]
fn a_document_of_another_form_is_refused() {
    let statement = allow("iot:Publish", "*").to_string();
    let valid = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    Policy::parse(&valid).unwrap();
    let syntax = [
        format!(r#"{{"Statement":{statement}}}"#),
        r#"{"Version":"2012-10-17"}"#.to_owned(),
        format!(r#"{{"Version":"2012-10-17","Version":"2012-10-17","Statement":{statement}}}"#),
        format!(r#"{{"Version":"2012-10-17","Statement":{statement},"Statement":{statement}}}"#),
        format!(r#"{{"Version":"2012-10-17","Statement":{statement},"Other":1}}"#),
        valid.replace(r#""Effect""#, r#""Effect":"Deny","Effect""#),
        valid.replace(r#""Effect""#, r#""Condition":{"Bool":{},"Bool":{}},"Effect""#),
        format!("[{valid}]"),
        "\"text\"".to_owned(),
        String::new(),
        "[".repeat(2_000),
    ];
    for document in syntax {
        assert!(matches!(Policy::parse(&document), Err(MalformedPolicy::Syntax { .. })), "{document}");
    }
    let empty = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#);
    assert_eq!(empty, Err(MalformedPolicy::Empty { member: "Statement" }));
    let version = Policy::parse(&valid.replace("2012-10-17", "2020-01-01"));
    assert_eq!(version, Err(MalformedPolicy::Version { version: "2020-01-01".to_owned() }));
    let old = DEVICE.replace("2012-10-17", "2008-10-17");
    assert_eq!(Policy::parse(&old), Err(MalformedPolicy::VariablesInOldVersion));
    assert!(attached().may(
        &Policy::parse(&valid.replace("2012", "2008")).unwrap(),
        Action::Publish,
        Resource::Topic("a")
    ));
}

#[test]
fn white_space_does_not_count_in_the_length() {
    let document = |name: usize, spaces: usize| {
        let text = json!({ "Version": "2012-10-17", "Statement": allow("iot:Publish", &arn(&format!("topic/{}", "ü".repeat(name)))) });
        format!("{text}{}", " ".repeat(spaces))
    };
    let other = document(0, 0).chars().count();
    Policy::parse(&document(2_048 - other, 5_000)).unwrap();
    let error = Policy::parse(&document(2_049 - other, 0)).unwrap_err();
    assert_eq!(error, MalformedPolicy::TooLong { count: 2_049, limit: 2_048 });
    assert!(Policy::parse(&document(1, 404_600)).is_err());
}
