//! The index of earlier deployments and its successor: the table is never without one that the deployed function asks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use aws_sdk_cloudformation::types::{ChangeSetType, Tag};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::{
    DEVICES, DEVICES_STACK, assert_devices_deployed, deploy, deployed_devices, index, keys_index, new_devices, plan,
    template,
};

/// The stack of the function that lists the devices of a product.
pub(crate) const READER: &str = "firefly-func-api-devices-get";
const EARLIER: &str = "product_hex-index";
const LATER: &str = "product_hex-keys-index";

/// Returns the template of an earlier deployment's table.
fn earlier_template() -> String {
    template("dynamodb-devices").replace(LATER, EARLIER).replace("KEYS_ONLY", "ALL").replace("checkov", "earlier")
}

/// Returns the template of an earlier deployment's function.
pub(crate) fn earlier_reader() -> String {
    template("func-api-devices-get").replace(LATER, EARLIER)
}

fn devices_with(indexes: Value) -> Value {
    let mut table = new_devices();
    table["GlobalSecondaryIndexes"] = indexes;
    table
}

/// Puts the table of an earlier deployment with its stack.
pub(crate) fn put_earlier(cloud: &Cloud) {
    cloud.state().tables.put(&devices_with(json!([index(EARLIER, "product_hex")])), None, true);
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", &earlier_template(), "CREATE_COMPLETE");
}

fn put_reader(cloud: &Cloud, status: &str, template: &str) {
    cloud.state().stacks.retain(|stack| stack.name != READER);
    cloud.state().put_stack(READER, status, template, "CREATE_COMPLETE");
}

/// Returns the names of the table's indexes.
fn indexes(cloud: &Cloud) -> Value {
    cloud.state().tables.summary(DEVICES).unwrap()["indexes"].clone()
}

/// Returns the indexes of each update's template so far.
fn updated(cloud: &Cloud) -> Vec<Vec<String>> {
    let templates = cloud.state().templates.clone();
    let updates = templates.iter().filter(|(kind, _)| kind == "UPDATE").map(|(_, text)| {
        let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).unwrap();
        let indexes = template["Resources"]["DevicesTable"]["Properties"]["GlobalSecondaryIndexes"].as_sequence();
        indexes.unwrap().iter().map(|index| index["IndexName"].as_str().unwrap().to_owned()).collect()
    });
    updates.collect()
}

#[tokio::test]
async fn the_earlier_index_stays_until_the_deployed_function_asks_the_later_one() {
    let cloud = Cloud::start().await;
    put_earlier(&cloud);
    let kept = format!("the index {EARLIER} stays until the stack {READER} asks {LATER}");
    let (old, new) = (earlier_reader(), template("func-api-devices-get"));
    for (status, reader) in [
        ("", ""),
        ("UPDATE_COMPLETE", old.as_str()),
        ("UPDATE_IN_PROGRESS", new),
        ("UPDATE_ROLLBACK_COMPLETE", new),
        ("ROLLBACK_COMPLETE", new),
    ] {
        if !status.is_empty() {
            put_reader(&cloud, status, reader);
        }
        let text = plan(&cloud, "dynamodb-devices").await.unwrap();
        assert!(text.contains(&kept), "{status}: {text}");
        deploy(&cloud, "dynamodb-devices").await.unwrap();
        assert_eq!(indexes(&cloud), json!([EARLIER, LATER]), "{status}");
        let said = format!("{DEVICES_STACK}: {kept}; then run `data dynamodb-devices` again");
        assert_eq!(cloud.lines().iter().filter(|line| **line == said).count(), 1, "{status}");
        cloud.clear_lines();
        let mut state = cloud.state();
        let stack = state.stack(DEVICES_STACK).unwrap();
        assert!(stack.template.contains("Outputs:") && stack.outputs.contains_key("TableArn"), "{status}");
        assert_eq!(stack.status, "UPDATE_COMPLETE", "{status}");
    }
    // The settings, then the later index; the runs after the first have nothing to change.
    assert_eq!(updated(&cloud)[..2], [vec![EARLIER.to_owned()], vec![LATER.to_owned(), EARLIER.to_owned()]]);
    let executed = |cloud: &Cloud| cloud.changes().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count();
    assert_eq!(executed(&cloud), 2);

    put_reader(&cloud, "UPDATE_COMPLETE", new);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert_eq!(executed(&cloud), 3);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn the_later_index_is_filled_before_the_earlier_one_is_dropped() {
    let cloud = Cloud::start().await;
    put_earlier(&cloud);
    put_reader(&cloud, "CREATE_COMPLETE", template("func-api-devices-get"));
    cloud.state().tables.filling = 3;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(updated(&cloud), [names(&[EARLIER]), names(&[LATER, EARLIER]), names(&[LATER])]);
    let lines = cloud.lines();
    assert!(lines.iter().any(|line| line.ends_with("CREATING")), "{lines:?}");
}

#[tokio::test]
async fn an_index_that_is_filled_for_longer_than_the_wait_is_waited_for_by_the_next_run() {
    let cloud = Cloud::start().await;
    put_earlier(&cloud);
    put_reader(&cloud, "CREATE_COMPLETE", template("func-api-devices-get"));
    cloud.state().tables.filling = 30;
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.starts_with("firefly-devices was still busy after 0 minutes (ACTIVE, its index "), "{error}");
    assert!(error.ends_with("run again to go on waiting, --wait-minutes for longer"), "{error}");
    assert_eq!(indexes(&cloud), json!([EARLIER, LATER]));
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn a_table_with_either_index_or_both_is_adopted() {
    let (earlier, later) = (index(EARLIER, "product_hex"), keys_index());
    for live in [json!([earlier]), json!([later]), json!([earlier, later])] {
        for deployed in [false, true] {
            let cloud = Cloud::start().await;
            cloud.state().tables.put(&devices_with(live.clone()), None, true);
            if deployed {
                put_reader(&cloud, "UPDATE_COMPLETE", template("func-api-devices-get"));
            }
            deploy(&cloud, "dynamodb-devices").await.unwrap();
            let has_earlier = live[0] == earlier && !deployed;
            if has_earlier {
                assert_eq!(indexes(&cloud), json!([EARLIER, LATER]), "{live}");
                put_reader(&cloud, "CREATE_COMPLETE", template("func-api-devices-get"));
                deploy(&cloud, "dynamodb-devices").await.unwrap();
            }
            assert_devices_deployed(&cloud);
            assert!(cloud.state().tables.has_item(DEVICES, "uuid"), "{live}");
        }
    }
}

#[tokio::test]
async fn an_index_that_nothing_has_taken_the_place_of_is_dropped_at_once() {
    let cloud = Cloud::start().await;
    let mut table = devices_with(json!([index("class-index", "device_class"), index(EARLIER, "product_hex")]));
    let definition = json!({"AttributeName": "device_class", "AttributeType": "S"});
    table["AttributeDefinitions"].as_array_mut().unwrap().push(definition);
    cloud.state().tables.put(&table, None, true);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_eq!(indexes(&cloud), json!([EARLIER, LATER]));
}

/// Updates the devices stack with a template, as SAM does with that of a root stack, and returns its state.
async fn update(cloud: &Cloud, number: usize, template: &str) -> String {
    let client = cloud.cloudformation();
    let made = client.create_change_set().stack_name(DEVICES_STACK).change_set_type(ChangeSetType::Update);
    let made = made.tags(Tag::builder().key("Application").value("firefly").build());
    let made = made.change_set_name(format!("samcli-deploy{number}")).template_body(template).send().await.unwrap();
    client.execute_change_set().change_set_name(made.id.unwrap()).send().await.unwrap();
    crate::status(cloud, DEVICES_STACK).unwrap()
}

/// The README's commands, with what `sam deploy` would deploy of the stack each time.
fn readme_deploys(dir: &Path) -> Vec<String> {
    let readme = include_str!("../../../../README.md");
    let script = readme.split("<!-- earlier index: ").nth(1).unwrap().split("```sh\n").nth(1).unwrap();
    let script = script.split("\n```").next().unwrap();
    fs::create_dir_all(dir.join("stacks")).unwrap();
    fs::create_dir_all(dir.join("bin")).unwrap();
    fs::write(dir.join("stacks/dynamodb-devices.yaml"), template("dynamodb-devices")).unwrap();
    let sam = "#!/bin/sh\n[ \"$1\" = deploy ] || exit 0\ncp stacks/dynamodb-devices.yaml deployed-$(ls deployed-* 2>/dev/null | wc -l)\n";
    for (name, text) in [("sam", sam), ("aws", "#!/bin/sh\n")] {
        let path = dir.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap());
    let ran = Command::new("sh").args(["-e", "-c", script]).current_dir(dir).env("PATH", path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let deployed = |number| fs::read_to_string(dir.join(format!("deployed-{number}"))).ok();
    (0..).map_while(deployed).collect()
}

#[tokio::test]
async fn a_root_deployment_takes_two_deploys() {
    let at_once = Cloud::start().await;
    put_earlier(&at_once);
    assert_eq!(update(&at_once, 1, template("dynamodb-devices")).await, "UPDATE_ROLLBACK_COMPLETE");

    let dir = tempfile::tempdir().unwrap();
    let deploys = readme_deploys(dir.path());
    assert_eq!(deploys.len(), 2);
    assert_eq!(deploys[1], template("dynamodb-devices"));
    let cloud = Cloud::start().await;
    put_earlier(&cloud);
    for (number, template) in deploys.iter().enumerate() {
        assert_eq!(update(&cloud, number, template).await, "UPDATE_COMPLETE");
        assert_eq!(indexes(&cloud), if number == 0 { json!([EARLIER, LATER]) } else { json!([LATER]) });
    }
    assert_eq!(cloud.state().tables.summary(DEVICES), Some(deployed_devices()));
}
