//! CloudFormation's operations on tables and buckets.
//!
//! An update applies the difference between two templates and ignores the live resource. An import changes nothing: it
//! only fails if the resource does not exist.

use serde_json::{Value, json};

use super::account::ACCOUNT;
use super::bucket::Bucket;
use super::document::{Declared, TemplateDocument};
use super::stack::{Resource, Stack};
use super::state::State;

/// Imports resources that exist.
///
/// User Guide, "Import AWS resources into a CloudFormation stack": "CloudFormation doesn't check that the template
/// configuration matches the actual configuration".
pub(crate) fn import(state: &State, stack: &mut Stack, document: &TemplateDocument) -> Result<(), String> {
    for (logical_id, declared) in document.resources() {
        let name = declared.physical_id(&stack.name, &logical_id);
        let exists = match declared.kind.as_str() {
            "AWS::DynamoDB::Table" => state.tables.exists(&name),
            _ => state.buckets.contains_key(&name),
        };
        if !exists {
            return Err(format!("Resource {name} does not exist"));
        }
        stack.resource(&logical_id, &name, &declared.kind, "IMPORT_COMPLETE", "");
    }
    Ok(())
}

/// Applies the difference between the stack's template and a new one.
pub(crate) fn apply(state: &mut State, stack: &mut Stack, document: &TemplateDocument) -> Result<(), String> {
    let old = if stack.template.is_empty() {
        Default::default()
    } else {
        TemplateDocument::new(&stack.template, &stack.parameters).resources()
    };
    let new = document.resources();
    // A bucket goes before its policy: `DeviceBackupsBucket` sorts before `DeviceBackupsBucketPolicy`.
    for (logical_id, declared) in &new {
        let name = declared.physical_id(&stack.name, logical_id);
        let status = match old.get(logical_id) {
            None => {
                create(state, &name, declared)?;
                "CREATE_COMPLETE"
            }
            Some(before) => {
                update(state, &name, before, declared)?;
                "UPDATE_COMPLETE"
            }
        };
        stack.resource(logical_id, &name, &declared.kind, status, "");
    }
    assert!(old.keys().all(|logical_id| new.contains_key(logical_id)), "no test removes a resource from a template");
    Ok(())
}

fn create(state: &mut State, name: &str, declared: &Declared) -> Result<(), String> {
    match declared.kind.as_str() {
        "AWS::DynamoDB::Table" => create_table(state, name, &declared.properties),
        "AWS::S3::Bucket" => {
            if state.buckets.contains_key(name) {
                return Err(format!("{name} already exists"));
            }
            let properties = declared.properties.clone();
            state
                .buckets
                .insert(name.to_owned(), Bucket { owner: ACCOUNT.to_owned(), properties, ..Bucket::default() });
            Ok(())
        }
        "AWS::S3::BucketPolicy" => {
            let bucket = state.buckets.get_mut(name).ok_or_else(|| format!("{name} does not exist"))?;
            if bucket.policy.is_some() {
                return Err(format!("The bucket policy already exists on bucket {name}."));
            }
            bucket.policy = Some(declared.properties["PolicyDocument"].to_string());
            Ok(())
        }
        other => panic!("{other}"),
    }
}

/// The properties that CreateTable takes by the same name.
const TABLE: [&str; 6] = [
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "DeletionProtectionEnabled",
];

fn create_table(state: &mut State, name: &str, properties: &Value) -> Result<(), String> {
    let mut request = json!({"TableName": name});
    for property in TABLE.into_iter().filter(|property| !properties[property].is_null()) {
        request[property] = properties[property].clone();
    }
    state.tables.call("CreateTable", request).map_err(|error| error.to_string())?;
    set_ttl(state, name, &properties["TimeToLiveSpecification"])?;
    set_recovery(state, name, properties);
    Ok(())
}

fn set_ttl(state: &mut State, name: &str, specification: &Value) -> Result<(), String> {
    if specification.is_null() {
        return Ok(());
    }
    // Amazon DynamoDB API Reference, UpdateTimeToLive: one change an hour, and only to another value.
    if !state.tables.ttl_changed.insert(name.to_owned()) {
        return Err("Time to live has been modified multiple times within a fixed interval".to_owned());
    }
    let live = state.tables.summary(name).map(|table| table["ttl"].clone());
    if live.is_some_and(|live| live == specification["AttributeName"]) {
        return Err("TimeToLive is already enabled".to_owned());
    }
    let request = json!({"TableName": name, "TimeToLiveSpecification": specification});
    state.tables.call("UpdateTimeToLive", request).map(|_| ()).map_err(|error| error.to_string())
}

fn set_recovery(state: &mut State, name: &str, properties: &Value) {
    if properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true {
        state.tables.recovery.insert(name.to_owned());
    } else {
        state.tables.recovery.remove(name);
    }
}

fn update(state: &mut State, name: &str, old: &Declared, new: &Declared) -> Result<(), String> {
    let differs = |property: &str| old.properties[property] != new.properties[property];
    match new.kind.as_str() {
        "AWS::DynamoDB::Table" => {
            let index_updates = index_updates(&old.properties, &new.properties);
            let settings = ["BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled"];
            let changed: Vec<_> = settings.into_iter().filter(|property| differs(property)).collect();
            let (ttl, recovery) = (differs("TimeToLiveSpecification"), differs("PointInTimeRecoverySpecification"));
            if index_updates.len() > 1 || (!index_updates.is_empty() && (ttl || recovery || !changed.is_empty())) {
                return Err("Cannot perform more than one GSI creation or deletion in a single update".to_owned());
            }
            let mut request = json!({"TableName": name});
            for property in changed.iter().filter(|property| !new.properties[property].is_null()) {
                request[property] = new.properties[property].clone();
            }
            if !index_updates.is_empty() {
                // Amazon DynamoDB API Reference, UpdateTable, and the service's own words. CloudFormation does not wait
                // until an index is filled (cloudformation-coverage-roadmap, issue 1075).
                if !state.tables.index_states.is_empty() {
                    let refusal = "Only 1 online index can be created or deleted simultaneously per table";
                    return Err(format!("Subscriber limit exceeded: {refusal}"));
                }
                if index_updates[0].get("Create").is_some() {
                    state.tables.index_states = vec!["CREATING"; state.tables.filling].into();
                }
                request["GlobalSecondaryIndexUpdates"] = json!(index_updates);
                request["AttributeDefinitions"] = new.properties["AttributeDefinitions"].clone();
            }
            if request.as_object().unwrap().len() > 1 {
                state.tables.call("UpdateTable", request).map_err(|error| error.to_string())?;
            }
            if ttl {
                set_ttl(state, name, &new.properties["TimeToLiveSpecification"])?;
            }
            if recovery {
                set_recovery(state, name, &new.properties);
            }
        }
        "AWS::S3::Bucket" => {
            let bucket = state.buckets.get_mut(name).ok_or_else(|| format!("{name} does not exist"))?;
            for (property, value) in new.properties.as_object().unwrap() {
                if old.properties[property] != *value {
                    bucket.properties[property] = value.clone();
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Returns created and deleted indexes as UpdateTable's GlobalSecondaryIndexUpdates.
fn index_updates(old: &Value, new: &Value) -> Vec<Value> {
    let indexes = |properties: &Value| properties["GlobalSecondaryIndexes"].as_array().cloned().unwrap_or_default();
    let (old, new) = (indexes(old), indexes(new));
    let has = |indexes: &[Value], one: &Value| indexes.iter().any(|other| other["IndexName"] == one["IndexName"]);
    let made = new.iter().filter(|one| !has(&old, one)).map(|one| json!({"Create": one}));
    let lost = old.iter().filter(|one| !has(&new, one)).map(|one| json!({"Delete": {"IndexName": one["IndexName"]}}));
    made.chain(lost).collect()
}

/// Deletes a resource with its stack.
pub(crate) fn delete(state: &mut State, resource: &Resource) -> Result<(), String> {
    let name = &resource.physical_id;
    match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => {
            let deleted = state.tables.call("DeleteTable", json!({"TableName": name}));
            deleted.map(|_| ()).map_err(|error| error.to_string())
        }
        "AWS::S3::Bucket" => {
            if state.buckets.get(name).is_some_and(|bucket| !bucket.objects.is_empty()) {
                return Err("The bucket you tried to delete is not empty".to_owned());
            }
            state.buckets.remove(name);
            Ok(())
        }
        "AWS::S3::BucketPolicy" => {
            if let Some(bucket) = state.buckets.get_mut(name) {
                bucket.policy = None;
            }
            Ok(())
        }
        "AWS::Logs::LogGroup" => {
            state.log_groups.remove(name);
            Ok(())
        }
        // Amazon Cognito API Reference, DeleteUserPool and DeletionProtection.
        "AWS::Cognito::UserPool" => {
            if state.pools.get(name) == Some(&true) {
                return Err("The user pool cannot be deleted because deletion protection is activated. Deletion \
                            protection must be inactivated first."
                    .to_owned());
            }
            state.pools.remove(name);
            Ok(())
        }
        _ => Ok(()),
    }
}
