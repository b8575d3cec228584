//! The command `data` for a table that exists without its stack.

use serde_json::{Value, json};

use crate::cloud::{BOOTSTRAP_STACK, Cloud};
use crate::{
    DEVICES, DEVICES_STACK, KEYS, KEYS_STACK, assert_devices_deployed, deploy, deployed_keys, index, new_devices,
    old_devices, old_keys, plan, status, template,
};

#[tokio::test]
async fn a_table_with_data_is_adopted_and_keeps_them() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud.set_lag(2);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    // The stand-in applies only the difference between two templates: a setting that the import claimed without the
    // table having it would be missing now.
    assert_devices_deployed(&cloud);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
    let lines = cloud.lines();
    assert!(lines.contains(&format!("{DEVICES_STACK}: IMPORT_COMPLETE")), "{lines:?}");
    assert_eq!(cloud.changes().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count(), 3);
    // Every operation of CloudFormation has the role.
    assert!(cloud.state().roles.iter().all(Option::is_some));
}

#[tokio::test]
async fn time_to_live_is_turned_on_once() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_keys(), None, false);
    deploy(&cloud, "dynamodb-registration-keys").await.unwrap();
    assert_eq!(cloud.state().tables.summary(KEYS), Some(deployed_keys()));
    assert_eq!(status(&cloud, KEYS_STACK).as_deref(), Some("UPDATE_COMPLETE"));
    assert!(cloud.state().tables.has_item(KEYS, "key"));
}

#[tokio::test]
async fn a_setting_that_the_table_has_is_not_set_again() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_keys(), Some("ttl"), true);
    deploy(&cloud, "dynamodb-registration-keys").await.unwrap();
    assert_eq!(cloud.state().tables.summary(KEYS), Some(deployed_keys()));
    assert!(cloud.state().tables.ttl_changed.is_empty());

    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    // The template's metadata is a difference even so: without one, the outputs would never appear.
    assert_eq!(cloud.changes().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count(), 2);
}

#[tokio::test]
async fn surplus_indexes_go_one_at_a_time() {
    let cloud = Cloud::start().await;
    let mut table = old_devices();
    let mut old_index = index("registering_application-index", "registering_application");
    old_index["ProvisionedThroughput"] = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
    let mut other_index = index("class-index", "device_class");
    other_index["ProvisionedThroughput"] = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
    table["GlobalSecondaryIndexes"] = json!([old_index, other_index]);
    for name in ["registering_application", "device_class"] {
        let definition = json!({"AttributeName": name, "AttributeType": "S"});
        table["AttributeDefinitions"].as_array_mut().unwrap().push(definition);
    }
    cloud.state().tables.put(&table, None, false);
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert!(
        text.contains("apply the template in 4 updates: billing PROVISIONED 5 reads and 4 writes → PAY_PER_REQUEST")
    );
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    // The import, the settings, one index made, two gone.
    assert_eq!(cloud.changes().iter().filter(|call| call.ends_with("ExecuteChangeSet")).count(), 5);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn a_table_being_made_is_waited_for() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud.state().tables.states.insert(DEVICES.to_owned(), ["CREATING", "CREATING", "UPDATING"].into());
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert!(text.contains("1. wait while table firefly-devices is CREATING"), "{text}");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn the_plan_of_an_adoption_tells_every_step_and_touches_nothing() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert_eq!(
        text,
        "firefly-dynamodb-devices: the stack does not exist; the table firefly-devices exists\n  1. import the table \
         firefly-devices as it is\n  2. apply the template in 2 updates: billing PROVISIONED 5 reads and 4 writes → \
         PAY_PER_REQUEST; deletion protection off → on; indexes none → product_hex-keys-index on product_hex (S, \
         HASH), projection KEYS_ONLY; point-in-time recovery off → on\n  3. read back outputs and table\n"
    );
    assert_eq!(cloud.changes(), [""; 0]);
    assert!(cloud.state().stacks.iter().all(|stack| stack.name == BOOTSTRAP_STACK));
}

#[tokio::test]
async fn a_stack_that_was_deleted_does_not_own_the_table_it_left() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud.state().put_stack(
        "firefly-DevicesTable-OLD",
        "DELETE_COMPLETE",
        template("dynamodb-devices"),
        "DELETE_SKIPPED",
    );
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn the_import_claims_only_the_table_s_own_settings() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, true);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    let templates = cloud.state().templates.clone();
    let kinds: Vec<_> = templates.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["IMPORT", "UPDATE", "UPDATE"]);
    let import: Value = serde_yaml_ng::from_str(&templates[0].1).unwrap();
    let sections: Vec<_> = import.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(sections, ["AWSTemplateFormatVersion", "Description", "Resources"]);
    let mut properties = old_devices();
    properties["DeletionProtectionEnabled"] = json!(false);
    properties["PointInTimeRecoverySpecification"] = json!({"PointInTimeRecoveryEnabled": true});
    assert_eq!(
        import["Resources"],
        json!({"DevicesTable": {
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties,
        }})
    );
    // The settings without the index, then the template as it stands.
    assert!(!templates[1].1.contains("product_hex") && templates[1].1.contains("Outputs:"));
    assert_eq!(templates[2].1, template("dynamodb-devices"));
}
