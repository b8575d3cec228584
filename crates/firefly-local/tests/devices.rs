//! The command `devices`, and the devices' table of an earlier version.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use firefly_runtime::{Aws, Environment};
use process::{Local, argument, assert_refused, data_dir, run, token};
use serde_json::Value;

const TABLE: &str = "firefly-devices";

/// A client of the engine of the cloud that runs in this directory.
fn engine(dir: &Path) -> Client {
    let printed = String::from_utf8(run(&["env", "--data-dir", argument(dir)]).stdout).unwrap();
    let variables = printed.lines().map(|line| {
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    });
    let environment = Environment::new(variables.collect::<BTreeMap<_, _>>());
    firefly_stores::dynamodb::client(&Aws::new(&environment).unwrap()).unwrap()
}

/// Puts a device of 350 KB that was backed up then.
async fn put(engine: &Client, uuid: &str, product_hex: &str, date: &str) {
    let padding = "x".repeat(350_000);
    let attributes =
        [("uuid", uuid), ("product_hex", product_hex), ("last_backup_date", date), ("mcu", padding.as_str())];
    let item = attributes.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    engine.put_item().table_name(TABLE).set_item(Some(HashMap::from(item))).send().await.unwrap();
}

/// The UUIDs that the command prints, sorted.
fn devices(dir: &Path, url: &str, further: &[&str]) -> Vec<String> {
    let output = run(&[&["devices", "--data-dir", argument(dir), "--url", url], further].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut uuids: Vec<_> = lines.map(|device| device["uuid"].as_str().unwrap().to_owned()).collect();
    uuids.sort();
    uuids
}

#[tokio::test]
async fn the_command_follows_the_list_to_its_end() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let engine = engine(dir.path());
    for number in 0..60 {
        put(&engine, &format!("new {number}"), "0x0000F1F1", "2026-11-02T00:00:00Z").await;
    }
    for (uuid, product_hex) in [("old 1", "0x0000F1F1"), ("old 2", "0x0000F1F2"), ("old 3", "0x0000F1F1")] {
        put(&engine, uuid, product_hex, "2026-10-31T23:59:59Z").await;
    }
    let (url, time) = (cloud.url(), ["--backup-before", "2026-11-01T00:00:00Z"]);
    // 21 MB, of which an answer looks at 16.
    assert_eq!(devices(dir.path(), url, &time), ["old 1", "old 2", "old 3"]);
    let of_product = [&time[..], &["--product-hex", "0x0000F1F1"]].concat();
    assert_eq!(devices(dir.path(), url, &of_product), ["old 1", "old 3"]);
    assert_eq!(devices(dir.path(), &format!("{url}/"), &[]).len(), 63);
    let developer = token(dir.path(), &["--group", "super_users"]);
    assert_eq!(devices(dir.path(), url, &["--product-hex", "0x0000F1F2", "--token", &developer]), ["old 2"]);
    drop(cloud);
}

#[test]
fn a_list_that_is_not_to_be_had_is_said_in_one_line() {
    let dir = data_dir();
    let at = |url: &str| ["devices", "--data-dir", argument(dir.path()), "--url", url].map(str::to_owned).to_vec();
    let refused = |arguments: Vec<String>, reasons: &[&str]| {
        assert_refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), reasons);
    };
    refused(at("http://127.0.0.1:1"), &["http://127.0.0.1:1/devices does not answer", "--url"]);
    let cloud = Local::start(dir.path(), &[]);
    let stranger = token(dir.path(), &[]);
    let with_token = |token: &str| [at(cloud.url()), vec!["--token".to_owned(), token.to_owned()]].concat();
    refused(with_token(&stranger), &["/devices answered 403 Forbidden: ", "super_users"]);
    refused(with_token("none"), &["/devices answered 401 Unauthorized: Unauthorized"]);
    for bad in [["--backup-before", "2026-11-01"], ["--product-hex", "F1F1"]] {
        let output = run(&[&["devices"], &bad[..]].concat());
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "{bad:?}");
    }
}

/// The names of the indexes of the devices' table.
async fn indexes(engine: &Client) -> Vec<String> {
    let table = engine.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    table.global_secondary_indexes().iter().map(|index| index.index_name().unwrap().to_owned()).collect()
}

/// Gives the table the indexes of an earlier version.
async fn as_earlier(engine: &Client) {
    let key = KeySchemaElement::builder().attribute_name("product_hex").key_type(KeyType::Hash).build().unwrap();
    let all = Projection::builder().projection_type(ProjectionType::All).build();
    let made = CreateGlobalSecondaryIndexAction::builder().index_name("product_hex-index").key_schema(key);
    let made = made.projection(all).build().unwrap();
    let dropped = DeleteGlobalSecondaryIndexAction::builder().index_name("product_hex-keys-index").build().unwrap();
    for update in [
        GlobalSecondaryIndexUpdate::builder().create(made).build(),
        GlobalSecondaryIndexUpdate::builder().delete(dropped).build(),
    ] {
        let definition = AttributeDefinition::builder().attribute_name("product_hex");
        let definition = definition.attribute_type(ScalarAttributeType::S).build().unwrap();
        let request = engine.update_table().table_name(TABLE).attribute_definitions(definition);
        request.global_secondary_index_updates(update).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_table_of_an_earlier_version_gets_the_index_of_its_stack_in_place_of_its_own() {
    let dir = data_dir();
    let cloud = Local::start(dir.path(), &[]);
    let device = cloud.registered_device(&token(dir.path(), &[])).await;
    assert_eq!(indexes(&engine(dir.path())).await, ["product_hex-keys-index"]);
    as_earlier(&engine(dir.path())).await;
    assert_eq!(indexes(&engine(dir.path())).await, ["product_hex-index"]);
    let of_product = ["--product-hex", "0xFF010001"];
    assert_eq!(devices(dir.path(), cloud.url(), &of_product), [device.uuid().to_string()]);
    assert!(cloud.interrupt().status.success());

    let cloud = Local::start(dir.path(), &[]);
    assert_eq!(indexes(&engine(dir.path())).await, ["product_hex-keys-index"]);
    assert_eq!(devices(dir.path(), cloud.url(), &of_product), [device.uuid().to_string()]);
    drop(cloud);
}
