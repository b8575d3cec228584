//! Policy documents are refused or judge requests as AWS IoT Core does.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../../../../../tests/truncation.rs"]
pub mod truncation;

mod documents;

use std::collections::BTreeMap;

use emulator_iot::policy::{Action, Policy, Request, Resource, Thing, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
const NAME: &str = "thing-1";

/// The policy of a device: its own client id while attached, and the topics under its name.
const DEVICE: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:eu-central-1:123456789012:client/${iot:Connection.Thing.ThingName}",
"Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}},
{"Effect":"Allow","Action":["iot:Publish","iot:Receive","iot:RetainPublish"],
"Resource":"arn:aws:iot:eu-central-1:123456789012:topic/site/${iot:Connection.Thing.ThingName}/*"},
{"Effect":"Allow","Action":"iot:Subscribe",
"Resource":"arn:aws:iot:eu-central-1:123456789012:topicfilter/site/${iot:Connection.Thing.ThingName}/*"}]}"#;

/// A request of the connection with this client id for the Thing `thing-1`.
struct Connection {
    client_id: &'static str,
    connect_attributes: &'static [&'static str],
    type_name: Option<&'static str>,
    attributes: BTreeMap<String, String>,
    attached: Option<bool>,
}

impl Connection {
    fn of(client_id: &'static str, attached: Option<bool>) -> Self {
        Self { client_id, connect_attributes: &[], type_name: None, attributes: BTreeMap::new(), attached }
    }

    fn request<'a>(&'a self, action: Action, resource: Resource<'a>) -> Request<'a> {
        let thing = |attached| Thing { name: NAME, type_name: self.type_name, attributes: &self.attributes, attached };
        let thing = self.attached.map(thing);
        let Self { client_id, connect_attributes, .. } = *self;
        Request { action, resource, client_id, connect_attributes, thing, account: ACCOUNT, region: REGION }
    }

    fn may(&self, policy: &Policy, action: Action, resource: Resource<'_>) -> bool {
        evaluate([policy], &self.request(action, resource))
    }
}

fn attached() -> Connection {
    Connection::of(NAME, Some(true))
}

/// A document of these statements.
fn policy(statements: Value) -> Policy {
    Policy::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string()).unwrap()
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

/// The ARN of a resource of the account.
fn arn(path: &str) -> String {
    format!("arn:aws:iot:{REGION}:{ACCOUNT}:{path}")
}

#[test]
fn a_device_may_use_its_own_name_and_nothing_else() {
    use Action::{Connect, Publish, Receive, RetainPublish, Subscribe};
    use Resource::{Client, Topic, TopicFilter};
    let device = Policy::parse(DEVICE).unwrap();
    let rows = [
        (Connect, Client(NAME), true),
        (Connect, Client("thing-2"), false),
        (Connect, Client("thing-1x"), false),
        (Connect, Client("*"), false),
        (Connect, Client("${iot:Connection.Thing.ThingName}"), false),
        (Publish, Topic("site/thing-1/temperature"), true),
        (Publish, Topic("site/thing-1/a/b/c"), true),
        (RetainPublish, Topic("site/thing-1/temperature"), true),
        (Receive, Topic("site/thing-1/command"), true),
        (Publish, Topic("site/thing-1"), false),
        (Publish, Topic("site/thing-2/temperature"), false),
        (Publish, Topic("Site/thing-1/temperature"), false),
        (Publish, Topic("/site/thing-1/temperature"), false),
        (Publish, Topic("$aws/things/thing-1/shadow/update"), false),
        (Receive, Topic("site/thing-2/command"), false),
        (RetainPublish, Topic("site/thing-2/temperature"), false),
        (Subscribe, TopicFilter("site/thing-1/#"), true),
        (Subscribe, TopicFilter("site/thing-1/+/x"), true),
        (Subscribe, TopicFilter("#"), false),
        (Subscribe, TopicFilter("+/+/+"), false),
        (Subscribe, TopicFilter("site/#"), false),
        (Subscribe, TopicFilter("site/+/command"), false),
        (Subscribe, TopicFilter("site/thing-2/#"), false),
        (Subscribe, TopicFilter("$aws/#"), false),
        (Subscribe, TopicFilter("$share/group/site/thing-1/#"), false),
        (Subscribe, Topic("site/thing-1/command"), false),
        (Publish, TopicFilter("site/thing-1/temperature"), false),
    ];
    for (action, resource, expected) in rows {
        assert_eq!(attached().may(&device, action, resource), expected, "{action:?} {resource:?}");
    }
    for (client_id, thing) in [(NAME, None), (NAME, Some(false)), ("thing-2", None), ("thing-2", Some(false))] {
        let stranger = Connection::of(client_id, thing);
        for (action, resource, _) in rows {
            assert!(!stranger.may(&device, action, resource), "{client_id} {thing:?} {action:?} {resource:?}");
        }
    }
}

#[test]
fn a_request_in_another_account_or_region_is_denied() {
    let (device, connection) = (Policy::parse(DEVICE).unwrap(), attached());
    let own = connection.request(Action::Connect, Resource::Client(NAME));
    assert!(evaluate([&device], &own));
    assert!(!evaluate([&device], &Request { account: "210987654321", ..own }));
    assert!(!evaluate([&device], &Request { region: "eu-central-2", ..own }));
    assert!(!evaluate([&device], &Request { region: "cn-north-1", ..own }));
    assert!(!evaluate([], &own));
}

#[test]
fn wildcards_cross_slashes_and_those_of_mqtt_are_ordinary_characters() {
    let rows = [
        ("topicfilter/a/*", "a/b/c", true),
        ("topicfilter/a/*", "a/", true),
        ("topicfilter/a/*", "a", false),
        ("topicfilter/a?b", "a/b", true),
        ("topicfilter/a?b", "a#b", true),
        ("topicfilter/a?b", "ab", false),
        ("topicfilter/a?b", "aüb", true),
        ("topicfilter/a/#", "a/#", true),
        ("topicfilter/a/#", "a/b", false),
        ("topicfilter/+/b", "+/b", true),
        ("topicfilter/+/b", "a/b", false),
        ("topicfilter/$aws/*", "$aws/things", true),
        ("topicfilter/${*}", "*", true),
        ("topicfilter/${*}", "a", false),
        ("topicfilter/${?}", "?", true),
        ("topicfilter/${?}", "a", false),
        ("topicfilter/${$}{iot:ClientId}", "${iot:ClientId}", true),
        ("topicfilter/${$}{iot:ClientId}", NAME, false),
        ("*", "a", true),
        ("topic/a", "a", false),
        ("client/*", "a", false),
        ("topicfilter/a:b", "a:b", true),
    ];
    for (pattern, filter, expected) in rows {
        let policy = policy(allow("iot:Subscribe", &arn(pattern)));
        let may = attached().may(&policy, Action::Subscribe, Resource::TopicFilter(filter));
        assert_eq!(may, expected, "{pattern} {filter}");
    }
    let everywhere = policy(allow("iot:Subscribe", "arn:aws:iot:*:*:topicfilter/a"));
    assert!(attached().may(&everywhere, Action::Subscribe, Resource::TopicFilter("a")));
    // A wildcard before the last part does not cross a colon.
    let short = policy(allow("iot:Subscribe", "arn:aws:iot:*:topicfilter/x:a"));
    assert!(!attached().may(&short, Action::Subscribe, Resource::TopicFilter("x:a")));
}

#[test]
fn actions_match_in_any_case_and_by_wildcard() {
    let rows = [
        ("iot:Publish", true),
        ("IOT:publish", true),
        ("iot:*", true),
        ("*", true),
        ("iot:P?blish", true),
        ("iot:Retain*", false),
        ("iot:Connect", false),
        ("greengrass:Discover", false),
    ];
    for (action, expected) in rows {
        let policy = policy(allow(action, "*"));
        assert_eq!(attached().may(&policy, Action::Publish, Resource::Topic("a")), expected, "{action}");
    }
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let (all, deny) = (
        policy(allow("iot:*", "*")),
        json!({ "Effect": "Deny", "Action": "iot:Publish", "Resource": arn("topic/a/*") }),
    );
    let (after, before) = (policy(json!([allow("*", "*"), deny])), policy(json!([deny, allow("*", "*")])));
    let alone = policy(deny);
    let connection = attached();
    for policies in [vec![&after], vec![&before], vec![&all, &alone], vec![&alone, &all]] {
        let may = |topic| evaluate(policies.clone(), &connection.request(Action::Publish, Resource::Topic(topic)));
        assert_eq!([may("a/b"), may("b")], [false, true]);
    }
}

#[test]
fn a_value_of_a_variable_is_no_wildcard_and_no_variable() {
    let topics = policy(allow("iot:Publish", &arn("topic/${iot:ClientId}/x")));
    for (client_id, topic, expected) in [
        ("*", "*/x", true),
        ("*", "another/x", false),
        ("?", "a/x", false),
        ("${iot:Connection.Thing.ThingName}", "thing-1/x", false),
        ("a/b", "a/b/x", true),
    ] {
        let connection = Connection::of(client_id, Some(true));
        assert_eq!(connection.may(&topics, Action::Publish, Resource::Topic(topic)), expected, "{client_id} {topic}");
    }
}

#[test]
fn a_variable_of_the_thing_has_a_value_while_it_is_attached() {
    let named = |name: &str| policy(allow("iot:Publish", &arn(&format!("topic/${{iot:Connection.Thing.{name}}}"))));
    let mut connection = attached();
    let may =
        |connection: &Connection, name, topic| connection.may(&named(name), Action::Publish, Resource::Topic(topic));
    for (name, topic) in [("ThingTypeName", "relay"), ("Attributes[hall]", "7"), ("ThingTypeName", "")] {
        assert!(!may(&connection, name, topic), "{name}");
    }
    connection.type_name = Some("relay");
    connection.attributes.insert("hall".to_owned(), "7".to_owned());
    let rows = [("ThingTypeName", "relay"), ("Attributes[hall]", "7"), ("ThingName", NAME), ("IsAttached", "true")];
    for (name, topic) in rows {
        assert!(may(&connection, name, topic), "{name}");
        assert!(!may(&connection, name, "another"), "{name}");
    }
    assert!(!may(&connection, "Attributes[Hall]", "7"));
    connection.attached = Some(false);
    for (name, topic) in rows {
        assert!(!may(&connection, name, topic), "{name}");
    }
    assert!(may(&connection, "IsAttached", "false"));
}

/// IAM invalidates a statement whose variable it cannot resolve.
#[test]
fn a_deny_with_a_variable_without_a_value_denies_nothing() {
    let deny = json!({ "Effect": "Deny", "Action": "iot:Publish",
        "Resource": arn("topic/${iot:Connection.Thing.Attributes[hall]}*") });
    let policy = policy(json!([allow("iot:Publish", "*"), deny]));
    let mut connection = attached();
    assert!(connection.may(&policy, Action::Publish, Resource::Topic("7/x")));
    connection.attributes.insert("hall".to_owned(), "7".to_owned());
    assert!(!connection.may(&policy, Action::Publish, Resource::Topic("7/x")));
}

#[test]
fn a_condition_is_met_by_its_values() {
    let is_attached = "iot:Connection.Thing.IsAttached";
    // The condition, and its result for a connection that is attached and for one that is not.
    let rows = [
        (json!({ "Bool": { is_attached: "true" } }), true, false),
        (json!({ "Bool": { is_attached: true } }), true, false),
        (json!({ "Bool": { is_attached: ["TRUE"] } }), true, false),
        (json!({ "Bool": { is_attached: "false" } }), false, true),
        (json!({ "Bool": { is_attached: ["true", "false"] } }), true, true),
        (json!({ "StringEquals": { is_attached: "true" } }), true, false),
        (json!({ "StringEquals": { is_attached: "tru*" } }), false, false),
        (json!({ "StringLike": { is_attached: "tru*" } }), true, false),
        (json!({ "StringLike": { is_attached: "${iot:Connection.Thing.ThingName}*" } }), false, false),
        (json!({ "ForAllValues:Bool": { is_attached: "true" } }), true, false),
        (json!({ "ForAnyValue:StringEquals": { is_attached: ["false", "x"] } }), false, true),
        (json!({ "Bool": { is_attached: "true" }, "StringEquals": { is_attached: "false" } }), false, false),
        (json!({ "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["LastWill"] } }), true, true),
        (json!({ "ForAnyValue:StringEquals": { "iot:ConnectAttributes": ["LastWill"] } }), false, false),
        (json!({ "StringLike": { "iot:ConnectAttributes": "*" } }), false, false),
        (json!({}), true, true),
    ];
    for (condition, when_attached, otherwise) in rows {
        let policy =
            policy(json!({ "Effect": "Allow", "Action": "iot:Connect", "Resource": "*", "Condition": condition }));
        let may = |attached| Connection::of(NAME, attached).may(&policy, Action::Connect, Resource::Client(NAME));
        let seen = [may(Some(true)), may(Some(false)), may(None)];
        assert_eq!(seen, [when_attached, otherwise, otherwise], "{condition}");
    }
}

#[test]
fn a_condition_is_met_by_any_or_all_connect_attributes() {
    const REQUESTS: [&[&str]; 4] = [&[], &["PersistentConnect"], &["LastWill"], &["PersistentConnect", "LastWill"]];
    // The condition, and its result for each request.
    let rows = [
        ("ForAnyValue:StringEquals", json!("LastWill"), [false, false, true, true]),
        ("ForAnyValue:StringEquals", json!(["PersistentConnect", "LastWill"]), [false, true, true, true]),
        ("ForAnyValue:StringLike", json!("*Connect"), [false, true, false, true]),
        ("ForAnyValue:StringEquals", json!("lastwill"), [false; 4]),
        ("ForAllValues:StringEquals", json!("PersistentConnect"), [true, true, false, false]),
        ("ForAllValues:StringEquals", json!(["PersistentConnect", "LastWill"]), [true; 4]),
        ("ForAllValues:StringEquals", json!("x"), [true, false, false, false]),
        ("StringEquals", json!("LastWill"), [false, false, true, true]),
    ];
    for (operator, values, expected) in rows {
        let condition = json!({ operator: { "iot:ConnectAttributes": values } });
        let statement = |effect: &str| json!({ "Effect": effect, "Action": "iot:Connect", "Resource": "*", "Condition": condition });
        let (allows, denies) = (policy(statement("Allow")), policy(json!([allow("*", "*"), statement("Deny")])));
        for (connect_attributes, expected) in REQUESTS.into_iter().zip(expected) {
            let connection = Connection { connect_attributes, ..attached() };
            let may = |policy| connection.may(policy, Action::Connect, Resource::Client(NAME));
            assert_eq!((may(&allows), may(&denies)), (expected, !expected), "{condition} {connect_attributes:?}");
        }
    }
}

/// Many `*` and a text that matches until its end: a search that tries every way does not come back.
#[test]
fn a_pattern_of_many_wildcards_is_judged() {
    let policy = policy(allow("iot:Publish", &arn(&format!("topic/{}b", "*a".repeat(900)))));
    let topic = "a".repeat(60_000);
    assert!(!attached().may(&policy, Action::Publish, Resource::Topic(&topic)));
}

/// The meaning of a pattern, character by character.
fn model(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => (0..=text.len()).any(|skipped| model(rest, &text[skipped..])),
        (['?', rest @ ..], [_, others @ ..]) => model(rest, others),
        ([one, rest @ ..], [other, others @ ..]) => one == other && model(rest, others),
        (_, []) => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_as_its_model(pattern in "[ab/*?]{1,8}", topic in "[ab/]{0,10}") {
        let policy = policy(allow("iot:Publish", &arn(&format!("topic/{pattern}"))));
        let characters = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = model(&characters(&pattern), &characters(&topic));
        prop_assert_eq!(attached().may(&policy, Action::Publish, Resource::Topic(&topic)), expected);
    }

    #[test]
    fn a_document_of_any_text_is_parsed_or_refused(text in ".{0,200}", at in 0..800_usize, with in ".") {
        let _ = Policy::parse(&text);
        let mut document: Vec<char> = DEVICE.chars().collect();
        let at = at % document.len();
        document.splice(at..=at, with.chars());
        let _ = Policy::parse(&document.into_iter().collect::<String>());
    }
}
