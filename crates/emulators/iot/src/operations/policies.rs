//! Policies, and the endpoint of the broker.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::Input;
use crate::page::Page;
use crate::policy::Policy;
use crate::record::{Change, PolicyRecord, PolicyVersion};
use crate::refusal::{Kind, Refusal};
use crate::view::{Done, View, timestamp};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePolicy {
    policy_document: String,
    tags: Option<Vec<Value>>,
}

pub(crate) fn create(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.policy_name()?;
    let CreatePolicy { policy_document: document, tags } = input.json()?;
    if tags.is_some_and(|tags| !tags.is_empty()) {
        return Err(Refusal::invalid("The emulator has no tags"));
    }
    check_document(&document)?;
    let arn = view.place.policy_arn(name);
    if view.state.policy(name).is_some() {
        let message = format!("Policy cannot be created - name already exists (name={name})");
        return Err(Refusal::exists(message, name, arn));
    }
    let answer = json!({ "policyName": name, "policyArn": arn, "policyDocument": document, "policyVersionId": "1" });
    let record = PolicyRecord {
        name: name.to_owned(),
        versions: BTreeMap::from([(1, PolicyVersion { document, created: view.now })]),
        default_version: 1,
        next_version: 2,
        created: view.now,
        modified: view.now,
        generation_id: uuid::Uuid::new_v4().to_string(),
    };
    Ok(Done::changed(Change::Policy(record), answer))
}

pub(crate) fn get(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let record = &view.policy(input.policy_name()?)?.record;
    let document = record.versions.get(&record.default_version).map(|version| version.document.as_str());
    Ok(Done::read(json!({
        "policyName": record.name,
        "policyArn": view.place.policy_arn(&record.name),
        "policyDocument": document,
        "defaultVersionId": record.default_version.to_string(),
        "creationDate": timestamp(record.created),
        "lastModifiedDate": timestamp(record.modified),
        "generationId": record.generation_id,
    })))
}

pub(crate) fn delete(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.policy_name()?;
    let record = &view.policy(name)?.record;
    if record.versions.len() > 1 {
        let message =
            format!("Cannot delete the policy because it has one or more policy versions attached (name={name})");
        return Err(Refusal::new(Kind::DeleteConflict, message));
    }
    if !view.certificates_of_policy(name).is_empty() {
        let message =
            format!("The policy cannot be deleted as the policy is attached to one or more principals (name={name})");
        return Err(Refusal::new(Kind::DeleteConflict, message));
    }
    Ok(Done::changed(Change::PolicyDeleted(name.to_owned()), Value::Null))
}

pub(crate) fn list(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let (page, ascending) = (Page::of_policies(input)?, input.flag("isAscendingOrder")?);
    let item = |name: &String| {
        let item = json!({ "policyName": name, "policyArn": view.place.policy_arn(name) });
        (name.clone(), item)
    };
    let names = view.state.policies().keys();
    Ok(Done::read(match ascending {
        true => page.by_key("policies", true, names.map(item)),
        false => page.by_key("policies", false, names.rev().map(item)),
    }))
}

/// DescribeEndpoint.
pub(crate) fn endpoint(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    match input.query("endpointType") {
        Some("iot:Data-ATS") => Ok(Done::read(json!({ "endpointAddress": view.data_endpoint }))),
        other => {
            let message = format!("Endpoint type {} is not supported", other.unwrap_or("iot:Data"));
            Err(Refusal::invalid(message))
        }
    }
}

/// Refuses a document that is not a policy.
pub(super) fn check_document(document: &str) -> Result<(), Refusal> {
    let parsed = Policy::parse(document);
    parsed
        .map(drop)
        .map_err(|error| Refusal::new(Kind::MalformedPolicy, format!("Policy document is malformed: {error}")))
}
