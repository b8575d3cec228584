//! The refusals of the command `data`, which come before the first change.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::{
    DEVICES, DEVICES_STACK, KEYS, assert_devices_deployed, cloud_with_other_stack, deploy, index, new_devices,
    old_devices, old_keys, plan, template,
};

/// Fails unless `data` and its plan are refused with a text, in one line, and nothing is changed.
async fn assert_refused(cloud: &Cloud, name: &str, expected: &str) {
    let error = deploy(cloud, name).await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}\n{expected}");
    assert!(!error.contains('\n'), "{error}");
    let planned = plan(cloud, name).await.unwrap_err().to_string();
    assert_eq!(planned, error);
    assert_eq!(cloud.changes(), [""; 0], "{error}");
}

async fn assert_table_refused(table: &Value, ttl: Option<&str>, expected: &str) {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(table, ttl, false);
    let name = if table["TableName"] == KEYS { "dynamodb-registration-keys" } else { "dynamodb-devices" };
    assert_refused(&cloud, name, expected).await;
    // Every state of the stack leads to the table.
    if name == "dynamodb-devices" {
        cloud.state().put_stack(DEVICES_STACK, "ROLLBACK_COMPLETE", template(name), "DELETE_SKIPPED");
        assert_refused(&cloud, name, expected).await;
    }
}

/// Like [`assert_table_refused`], for a table that `CreateTable` makes.
async fn assert_created_table_refused(table: Value, expected: &str) {
    let cloud = Cloud::start().await;
    cloud.state().tables.call("CreateTable", table).unwrap();
    assert_refused(&cloud, "dynamodb-devices", expected).await;
}

#[tokio::test]
async fn a_table_with_other_keys_is_refused() {
    let mut table = old_devices();
    table["AttributeDefinitions"][0]["AttributeName"] = json!("id");
    table["KeySchema"][0]["AttributeName"] = json!("id");
    assert_table_refused(
        &table,
        None,
        "the table firefly-devices cannot be adopted: its keys are id (S, HASH), the template's uuid (S, HASH); correct \
         that and run again, nothing was changed",
    )
    .await;

    let mut table = old_devices();
    table["AttributeDefinitions"].as_array_mut().unwrap().push(json!({"AttributeName": "at", "AttributeType": "N"}));
    table["KeySchema"].as_array_mut().unwrap().push(json!({"AttributeName": "at", "KeyType": "RANGE"}));
    assert_created_table_refused(table, "its keys are at (N, RANGE) and uuid (S, HASH)").await;
}

#[tokio::test]
async fn a_table_with_other_key_types_is_refused() {
    let mut table = old_devices();
    table["AttributeDefinitions"][0]["AttributeType"] = json!("B");
    assert_created_table_refused(table, "its keys are uuid (B, HASH), the template's uuid (S, HASH)").await;
}

#[tokio::test]
async fn a_table_with_other_local_indexes_is_refused() {
    let mut table = old_devices();
    for (name, kind) in [("at", "N"), ("by", "S")] {
        table["AttributeDefinitions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"AttributeName": name, "AttributeType": kind}));
    }
    table["KeySchema"].as_array_mut().unwrap().push(json!({"AttributeName": "at", "KeyType": "RANGE"}));
    table["LocalSecondaryIndexes"] = json!([{
        "IndexName": "by-index",
        "KeySchema": [{"AttributeName": "uuid", "KeyType": "HASH"}, {"AttributeName": "by", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }]);
    // A local index needs a sort key, which is refused first.
    assert_created_table_refused(table, "cannot be adopted: its keys are").await;
}

#[tokio::test]
async fn an_index_of_the_same_name_with_other_keys_or_projection_is_refused() {
    let mut table = new_devices();
    table["GlobalSecondaryIndexes"][0]["Projection"]["ProjectionType"] = json!("ALL");
    assert_table_refused(
        &table,
        None,
        "its index product_hex-keys-index has product_hex (S, HASH), projection ALL, the template's product_hex (S, \
         HASH), projection KEYS_ONLY",
    )
    .await;

    let mut table = new_devices();
    table["GlobalSecondaryIndexes"] = json!([index("product_hex-keys-index", "device_class")]);
    table["AttributeDefinitions"][0]["AttributeName"] = json!("device_class");
    assert_table_refused(&table, None, "its index product_hex-keys-index has device_class (S, HASH)").await;
}

#[tokio::test]
async fn time_to_live_on_another_attribute_is_refused() {
    assert_table_refused(&old_keys(), Some("expires"), "its time to live is the attribute expires, the template's ttl")
        .await;
    assert_table_refused(&old_devices(), Some("ttl"), "its time to live is the attribute ttl, the template has none")
        .await;
}

#[tokio::test]
async fn a_table_in_an_unusable_state_is_refused() {
    for state in ["ARCHIVED", "ARCHIVING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"] {
        let cloud = Cloud::start().await;
        cloud.state().tables.put(&old_devices(), None, false);
        cloud.state().tables.states.insert(DEVICES.to_owned(), [state; 4].into());
        assert_refused(&cloud, "dynamodb-devices", &format!("it is {state}, not ACTIVE")).await;
    }
    // A table that is being changed is waited for, up to the limit.
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud.state().tables.states.insert(DEVICES.to_owned(), ["UPDATING"; 40].into());
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("was still busy after 0 minutes (table firefly-devices is UPDATING)"), "{error}");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_table_of_another_stack_is_refused() {
    let cloud = cloud_with_other_stack().await;
    let expected = "the table firefly-devices belongs to the stack firefly-DevicesTable-1ABC: delete that stack, keeping \
                    the table, and run again";
    assert_refused(&cloud, "dynamodb-devices", expected).await;
    for status in ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "UPDATE_COMPLETE"] {
        let cloud = cloud_with_other_stack().await;
        cloud.state().put_stack(DEVICES_STACK, status, "", "");
        assert_refused(&cloud, "dynamodb-devices", expected).await;
    }
}

#[tokio::test]
async fn an_unknown_state_of_the_stack_is_refused() {
    let cloud = Cloud::start().await;
    cloud.state().put_stack(DEVICES_STACK, "PONDERING", "", "");
    assert_refused(&cloud, "dynamodb-devices", "is PONDERING, which firefly-deploy does not know").await;
}

#[tokio::test]
async fn a_change_that_cloudformation_refuses_gives_its_reasons() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud.state().refuse_change = Some((
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck].",
        "Resource of type 'AWS::DynamoDB::Table' with identifier 'firefly-devices' already exists.",
    ));
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("EarlyValidation::ResourceExistenceCheck]."), "{error}");
    assert!(error.contains("DevicesTable: Resource of type 'AWS::DynamoDB::Table'"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    // The next run mends the shell that is left.
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn a_change_refused_without_validation_gives_its_status_reason() {
    let cloud = Cloud::start().await;
    cloud.state().refuse_change = Some(("Template error", ""));
    cloud.state().refuse.insert("cloudformation:DescribeEvents", ("AccessDenied", "not authorized"));
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("was refused: Template error; cloudformation:DescribeEvents: not authorized"), "{error}");
}

#[tokio::test]
async fn a_change_that_would_replace_the_table_is_not_made() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    // The stack believes that its table has another key.
    let text = template("dynamodb-devices").replace("uuid\n          KeyType", "product_hex\n          KeyType");
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", &text, "UPDATE_COMPLETE");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("CloudFormation would replace DevicesTable, which holds data"), "{error}");
    assert!(!cloud.changes().iter().any(|call| call.ends_with("ExecuteChangeSet")));
    assert!(cloud.state().change_sets.is_empty());
}

#[tokio::test]
async fn a_refusal_of_aws_is_one_line_with_advice() {
    let cases = [
        (
            "cloudformation:DescribeStackResources",
            ("ExpiredToken", "The security token included in the request is expired"),
            "cloudformation:DescribeStackResources: The security token included in the request is expired (ExpiredToken); the \
             credentials have expired: get new ones and run again",
        ),
        (
            "dynamodb:DescribeTable",
            ("UnrecognizedClientException", "The security token included in the request is invalid."),
            "dynamodb:DescribeTable: The security token included in the request is invalid. \
             (UnrecognizedClientException); AWS does not know these credentials: check AWS_ACCESS_KEY_ID and its secret",
        ),
        (
            "cloudformation:CreateChangeSet",
            ("AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized\nto perform: it"),
            "cloudformation:CreateChangeSet: User: arn:aws:iam::123456789012:user/x is not authorized to perform: it \
             (AccessDenied); use a role that may do it, such as the one the stack firefly-bootstrap makes",
        ),
        (
            "cloudformation:ExecuteChangeSet",
            ("Throttling", "Rate exceeded"),
            "cloudformation:ExecuteChangeSet: Rate exceeded (Throttling); run again in a minute",
        ),
    ];
    for (call, refusal, expected) in cases {
        let cloud = Cloud::start().await;
        cloud.state().refuse.insert(call, refusal);
        let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
        assert_eq!(error, expected);
        // The next run, with the fault corrected, mends the state that this one has left.
        cloud.state().refuse.clear();
        deploy(&cloud, "dynamodb-devices").await.unwrap();
        assert_devices_deployed(&cloud);
    }
}
