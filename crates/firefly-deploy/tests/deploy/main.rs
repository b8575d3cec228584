//! firefly-deploy against a stand-in for AWS.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod adoption;
mod bucket;
mod cloud;
mod command;
mod delete;
mod environment;
mod graph;
mod interruption;
mod params;
mod prepare;
mod recovery;
mod refusal;
mod replacement;
mod table;

use std::collections::BTreeMap;

use firefly_deploy::graph::Stack;
use firefly_deploy::{DataError, deploy_data, plan_data};
use serde_json::{Value, json};

use cloud::Cloud;

const DEVICES: &str = "firefly-devices";
const DEVICES_STACK: &str = "firefly-dynamodb-devices";
const KEYS: &str = "firefly-registration-keys";
const KEYS_STACK: &str = "firefly-dynamodb-registration-keys";
const BACKUPS: &str = "firefly-device-backups-123456789012-eu-central-1";
const BACKUPS_STACK: &str = "firefly-s3-device-backups";

fn stack(name: &str) -> &'static Stack {
    Stack::named(name).unwrap()
}

fn template(name: &str) -> &'static str {
    stack(name).template
}

fn no_environment() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// Runs `data`.
async fn deploy(cloud: &Cloud, name: &str) -> Result<(), DataError> {
    deploy_data(&cloud.account().await, stack(name), &no_environment()).await
}

/// Runs `data --dry-run`.
async fn plan(cloud: &Cloud, name: &str) -> Result<String, DataError> {
    plan_data(&cloud.account().await, stack(name), &no_environment()).await
}

/// Returns a devices table as older deployments have made it: provisioned, without index, recovery or protection.
fn old_devices() -> Value {
    json!({
        "TableName": DEVICES,
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 4},
        "AttributeDefinitions": [{"AttributeName": "uuid", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "uuid", "KeyType": "HASH"}],
    })
}

/// Returns the devices table of the template, without the settings that CreateTable does not have.
fn new_devices() -> Value {
    json!({
        "TableName": DEVICES,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "product_hex", "AttributeType": "S"},
            {"AttributeName": "uuid", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "uuid", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [keys_index()],
        "DeletionProtectionEnabled": true,
    })
}

/// Returns the index of the template.
fn keys_index() -> Value {
    let mut index = index("product_hex-keys-index", "product_hex");
    index["Projection"]["ProjectionType"] = json!("KEYS_ONLY");
    index
}

fn index(name: &str, key: &str) -> Value {
    json!({
        "IndexName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    })
}

fn old_keys() -> Value {
    json!({
        "TableName": KEYS,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
    })
}

/// Returns the summary of the devices table when it is deployed.
fn deployed_devices() -> Value {
    json!({
        "billing": "PAY_PER_REQUEST",
        "indexes": ["product_hex-keys-index"],
        "protection": true,
        "ttl": null,
        "recovery": true,
    })
}

fn deployed_keys() -> Value {
    json!({"billing": "PAY_PER_REQUEST", "indexes": [], "protection": true, "ttl": "ttl", "recovery": true})
}

/// Starts a cloud whose devices table belongs to the stack `firefly-DevicesTable-1ABC`.
async fn cloud_with_other_stack() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    let text = template("dynamodb-devices");
    cloud.state().put_stack("firefly-DevicesTable-1ABC", "CREATE_COMPLETE", text, "CREATE_COMPLETE");
    cloud
}

/// Returns the state of a stack that exists.
fn status(cloud: &Cloud, name: &str) -> Option<String> {
    cloud.state().stack(name).map(|stack| stack.status.clone())
}

/// Fails unless the devices stack and table are deployed.
fn assert_devices_deployed(cloud: &Cloud) {
    let mut state = cloud.state();
    assert_eq!(state.tables.summary(DEVICES), Some(deployed_devices()));
    let stack = state.stack(DEVICES_STACK).expect("the stack exists");
    assert!(matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE"), "{}", stack.status);
    assert_eq!(stack.outputs.get("TableName").map(String::as_str), Some(DEVICES));
    assert!(stack.outputs.contains_key("TableArn"));
    assert_eq!(stack.template, template("dynamodb-devices"));
    assert!(state.change_sets.is_empty());
}
