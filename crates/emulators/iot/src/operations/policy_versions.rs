//! The versions of policies.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::input::Input;
use crate::record::{Change, PolicyRecord, PolicyVersion};
use crate::refusal::{Kind, Refusal};
use crate::view::{Done, View, timestamp};

use super::policies::check_document;

/// Most versions of a policy (AWS IoT Core quotas).
const MAX_VERSIONS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePolicyVersion {
    policy_document: String,
}

pub(crate) fn create(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let name = input.policy_name()?;
    let CreatePolicyVersion { policy_document: document } = input.json()?;
    let is_default = input.flag("setAsDefault")?;
    check_document(&document)?;
    let mut record = view.policy(name)?.record.clone();
    if record.versions.len() >= MAX_VERSIONS {
        let message = format!("The policy {name} already has the maximum number of versions ({MAX_VERSIONS})");
        return Err(Refusal::new(Kind::VersionsLimitExceeded, message));
    }
    let number = record.next_version;
    record.next_version += 1;
    if is_default {
        record.default_version = number;
    }
    record.modified = view.now;
    let answer = json!({
        "policyArn": view.place.policy_arn(name),
        "policyDocument": document,
        "policyVersionId": number.to_string(),
        "isDefaultVersion": is_default,
    });
    record.versions.insert(number, PolicyVersion { document, created: view.now });
    Ok(Done::changed(Change::Policy(record), answer))
}

pub(crate) fn get(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let record = &view.policy(input.policy_name()?)?.record;
    let (number, version) = find(record, input)?;
    Ok(Done::read(json!({
        "policyArn": view.place.policy_arn(&record.name),
        "policyName": record.name,
        "policyDocument": version.document,
        "policyVersionId": number.to_string(),
        "isDefaultVersion": number == record.default_version,
        "creationDate": timestamp(version.created),
        "lastModifiedDate": timestamp(version.created),
        "generationId": record.generation_id,
    })))
}

pub(crate) fn list(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let record = &view.policy(input.policy_name()?)?.record;
    let item = |(number, version): (&u64, &PolicyVersion)| {
        json!({
            "versionId": number.to_string(),
            "isDefaultVersion": *number == record.default_version,
            "createDate": timestamp(version.created),
        })
    };
    let versions: Vec<_> = record.versions.iter().rev().map(item).collect();
    Ok(Done::read(json!({ "policyVersions": versions })))
}

pub(crate) fn set_default(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let record = &view.policy(input.policy_name()?)?.record;
    let (default_version, _) = find(record, input)?;
    let record = PolicyRecord { default_version, modified: view.now, ..record.clone() };
    Ok(Done::changed(Change::Policy(record), Value::Null))
}

pub(crate) fn delete(view: &View<'_>, input: &Input) -> Result<Done, Refusal> {
    let mut record = view.policy(input.policy_name()?)?.record.clone();
    let (number, _) = find(&record, input)?;
    if number == record.default_version {
        return Err(Refusal::new(Kind::DeleteConflict, "Cannot delete the default version of a policy"));
    }
    record.versions.remove(&number);
    Ok(Done::changed(Change::Policy(record), Value::Null))
}

/// The version that the path names.
fn find<'a>(record: &'a PolicyRecord, input: &Input) -> Result<(u64, &'a PolicyVersion), Refusal> {
    let text = input.capture(1);
    let number: u64 = text
        .parse()
        .ok()
        .filter(|number: &u64| number.to_string() == text)
        .ok_or_else(|| Refusal::invalid(format!("{text:?} is not a policyVersionId")))?;
    let version = record.versions.get(&number);
    let absent = || Refusal::not_found(format!("The policy {} has no version {number}", record.name));
    version.map(|version| (number, version)).ok_or_else(absent)
}
