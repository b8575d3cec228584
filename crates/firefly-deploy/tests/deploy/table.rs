//! The command `data` for a table whose stack is in order: creation, update, no change, and reading back.

use serde_json::json;

use crate::cloud::Cloud;
use crate::{
    DEVICES, DEVICES_STACK, KEYS, KEYS_STACK, assert_devices_deployed, deploy, deployed_keys, new_devices,
    no_environment, plan, stack, status, template,
};

/// Returns the template of an earlier deployment: the same table with fewer settings.
fn earlier_template() -> String {
    let text = template("dynamodb-devices");
    text.replace("      DeletionProtectionEnabled: true\n", "").replace("checkov", "earlier")
}

#[tokio::test]
async fn an_absent_table_is_created() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"]);

    deploy(&cloud, "dynamodb-registration-keys").await.unwrap();
    assert_eq!(cloud.state().tables.summary(KEYS), Some(deployed_keys()));
    assert_eq!(status(&cloud, KEYS_STACK).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test]
async fn an_empty_change_set_is_success() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    cloud.state().calls.clear();
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]);
    assert!(cloud.lines().contains(&format!("{DEVICES_STACK}: no changes")));
}

#[tokio::test]
async fn an_existing_stack_is_updated() {
    let cloud = Cloud::start().await;
    let mut table = new_devices();
    table["DeletionProtectionEnabled"] = json!(false);
    cloud.state().tables.put(&table, None, true);
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_ROLLBACK_COMPLETE", &earlier_template(), "CREATE_COMPLETE");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn a_missing_index_is_an_update_of_its_own() {
    let cloud = Cloud::start().await;
    let text = earlier_template();
    let (start, end) = (text.find("      GlobalSecondaryIndexes").unwrap(), text.find("      PointInTime").unwrap());
    let text = text
        .replace(&text[start..end], "")
        .replace("        - AttributeName: product_hex\n          AttributeType: S\n", "");
    let mut table = new_devices();
    table["GlobalSecondaryIndexes"] = json!([]);
    table["DeletionProtectionEnabled"] = json!(false);
    table["AttributeDefinitions"].as_array_mut().unwrap().remove(0);
    table.as_object_mut().unwrap().remove("GlobalSecondaryIndexes");
    cloud.state().tables.put(&table, None, true);
    cloud.state().put_stack(DEVICES_STACK, "CREATE_COMPLETE", &text, "CREATE_COMPLETE");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert_eq!(cloud.changes().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count(), 2);
}

#[tokio::test]
async fn waits_are_shown_and_have_a_limit() {
    let cloud = Cloud::start().await;
    cloud.set_lag(3);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    let lines = cloud.lines();
    for line in ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"] {
        assert!(lines.contains(&format!("{DEVICES_STACK}: {line}")), "{lines:?}");
    }

    let cloud = Cloud::start().await;
    cloud.set_lag(50);
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "firefly-dynamodb-devices: change set was still busy after 0 minutes (CREATE_IN_PROGRESS): run again to go on \
         waiting, --wait-minutes for longer"
    );
    // The next run goes on. The change set that the first has left is never executed.
    cloud.set_lag(0);
    cloud.state().change_sets[0].then = ["CREATE_COMPLETE".to_owned()].into();
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn a_table_that_is_being_changed_is_waited_for() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    cloud.state().tables.states.insert(DEVICES.to_owned(), ["UPDATING", "UPDATING"].into());
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    let lines = cloud.lines();
    assert!(lines.contains(&format!("{DEVICES_STACK}: table {DEVICES} is UPDATING")), "{lines:?}");
    // While an index is filled, its table is ACTIVE.
    cloud.state().tables.index_states = ["CREATING", "CREATING"].into();
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    let filled = format!("{DEVICES_STACK}: table {DEVICES} is ACTIVE, its index product_hex-keys-index CREATING");
    assert!(cloud.lines().contains(&filled), "{:?}", cloud.lines());
}

#[tokio::test]
async fn a_setting_changed_behind_the_stack_fails_the_read_back() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    cloud.state().tables.recovery.clear();
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "deployed, but the table firefly-devices was changed behind CloudFormation's back: point-in-time recovery off → \
         on; set it so and run again"
    );
}

#[tokio::test]
async fn a_missing_output_or_table_fails_the_read_back() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    cloud.state().stack(DEVICES_STACK).unwrap().outputs.remove("TableArn");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("has no output TableArn"), "{error}");

    let cloud = Cloud::start().await;
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", template("dynamodb-devices"), "CREATE_COMPLETE");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("is gone or not usable"), "{error}");
}

#[tokio::test]
async fn the_plan_of_each_path_touches_nothing() {
    let cloud = Cloud::start().await;
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert_eq!(
        text,
        "firefly-dynamodb-devices: the stack does not exist; the table firefly-devices does not exist\n  1. create the \
         stack with the table firefly-devices\n  2. read back outputs and table\n"
    );
    assert_eq!(cloud.changes(), [""; 0]);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    cloud.state().calls.clear();
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert!(text.contains("the stack is CREATE_COMPLETE; the table firefly-devices exists"), "{text}");
    assert!(text.contains("  1. apply the template\n"), "{text}");
    cloud.state().stack(DEVICES_STACK).unwrap().status = "UPDATE_IN_PROGRESS".to_owned();
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert!(text.contains("1. wait while UPDATE_IN_PROGRESS\n  2. look again and decide\n"), "{text}");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn cloudformation_works_with_the_role_given() {
    let cloud = Cloud::start().await;
    // Continues a rollback, updates, then deletes.
    cloud.state().tables.put(&new_devices(), None, true);
    let text = template("dynamodb-devices").replace("checkov", "earlier");
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_ROLLBACK_FAILED", &text, "UPDATE_COMPLETE");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    firefly_deploy::delete(&cloud.account().await, stack("dynamodb-devices"), &no_environment(), true).await.unwrap();
    let role = Some("arn:aws:iam::123456789012:role/firefly-cloudformation".to_owned());
    assert_eq!(cloud.state().roles, [role.clone(), role.clone(), role]);
}
