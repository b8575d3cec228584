//! The command `data` from every state in which an earlier run, or somebody else, can have left a stack.

use crate::cloud::Cloud;
use crate::{
    DEVICES, DEVICES_STACK, assert_devices_deployed, deploy, deployed_devices, new_devices, old_devices, plan, status,
    template,
};

const OWN: &str = "firefly-deploy-1795000000-1";

/// Starts a cloud with a devices table of an older deployment, which has data.
async fn with_table() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    cloud
}

/// Starts a cloud with the devices stack in a state, after a creation that left or did not leave its table.
async fn with_stack(status: &str, resources: &str, table: bool) -> Cloud {
    let cloud = Cloud::start().await;
    if table {
        cloud.state().tables.put(&old_devices(), None, false);
    }
    cloud.state().put_stack(DEVICES_STACK, status, template("dynamodb-devices"), resources);
    cloud
}

#[tokio::test]
async fn an_empty_shell_is_deleted_and_never_executed() {
    for left in ["CREATE_COMPLETE", "FAILED", ""] {
        for table in [true, false] {
            let cloud = if table { with_table().await } else { Cloud::start().await };
            cloud.state().put_stack(DEVICES_STACK, "REVIEW_IN_PROGRESS", "", "");
            if !left.is_empty() {
                cloud.state().put_change_set(DEVICES_STACK, OWN, left);
            }
            let text = plan(&cloud, "dynamodb-devices").await.unwrap();
            let next = if table { "2. import the table" } else { "2. create the stack" };
            assert!(text.contains("1. delete the empty stack") && text.contains(next), "{text}");
            assert_eq!(cloud.changes(), [""; 0]);
            deploy(&cloud, "dynamodb-devices").await.unwrap();
            assert_devices_deployed(&cloud);
            let changes = cloud.changes();
            let deletion = changes.iter().position(|call| call.ends_with("DeleteStack")).unwrap();
            assert!(!changes[..deletion].iter().any(|call| call.ends_with("ExecuteChangeSet")), "{changes:?}");
            assert_eq!(changes[..deletion].iter().any(|call| call.ends_with("DeleteChangeSet")), !left.is_empty());
            assert_eq!(cloud.state().tables.has_item(DEVICES, "uuid"), table);
        }
    }
}

#[tokio::test]
async fn a_change_set_still_being_made_is_waited_for() {
    let cloud = with_table().await;
    cloud.state().put_stack(DEVICES_STACK, "REVIEW_IN_PROGRESS", "", "");
    {
        let mut state = cloud.state();
        let left = state.put_change_set(DEVICES_STACK, OWN, "CREATE_PENDING");
        left.then = ["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"].map(str::to_owned).into();
    }
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    let lines = cloud.lines();
    assert!(lines.iter().any(|line| line.contains("CREATE_IN_PROGRESS")), "{lines:?}");
}

#[tokio::test]
async fn an_execution_that_has_begun_is_waited_for() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    cloud.state().put_stack(DEVICES_STACK, "REVIEW_IN_PROGRESS", template("dynamodb-devices"), "CREATE_COMPLETE");
    {
        let mut state = cloud.state();
        state.put_change_set(DEVICES_STACK, OWN, "CREATE_COMPLETE").execution = "EXECUTE_IN_PROGRESS".to_owned();
        let stack = state.stack(DEVICES_STACK).unwrap();
        stack.then = ["REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"].map(str::to_owned).into();
        stack.outputs = [("TableName", DEVICES), ("TableArn", "arn")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    }
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_eq!(cloud.state().tables.summary(DEVICES), Some(deployed_devices()));
    // Neither the stack nor the executed change set is deleted. Nothing is to be done after it.
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]);
}

#[tokio::test]
async fn a_foreign_change_set_is_left_alone() {
    let cloud = with_table().await;
    cloud.state().put_stack(DEVICES_STACK, "REVIEW_IN_PROGRESS", "", "");
    cloud.state().put_change_set(DEVICES_STACK, OWN, "FAILED");
    cloud.state().put_change_set(DEVICES_STACK, "samcli-deploy1795000000", "CREATE_COMPLETE");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the stack firefly-dynamodb-devices is REVIEW_IN_PROGRESS with the change set samcli-deploy1795000000, which \
         firefly-deploy did not make: execute or delete it and run again"
    );
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn every_operation_in_progress_is_waited_for() {
    let ends = [
        ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"),
        ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"),
        ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"),
    ];
    for (busy, end) in ends {
        let cloud = Cloud::start().await;
        cloud.state().tables.put(&new_devices(), None, true);
        let resources = match end {
            "ROLLBACK_COMPLETE" | "DELETE_COMPLETE" => "DELETE_SKIPPED",
            _ => "CREATE_COMPLETE",
        };
        let without_metadata = template("dynamodb-devices").replace("checkov", "earlier");
        cloud.state().put_stack(DEVICES_STACK, busy, &without_metadata, resources).then =
            [busy.to_owned(), end.to_owned()].into();
        deploy(&cloud, "dynamodb-devices").await.unwrap_or_else(|error| panic!("{busy}: {error}"));
        assert_devices_deployed(&cloud);
        assert!(cloud.state().tables.has_item(DEVICES, "uuid"), "{busy}");
        assert!(cloud.lines().contains(&format!("{DEVICES_STACK}: {busy}")), "{busy}");
    }
}

#[tokio::test]
async fn an_import_without_its_second_step_gets_it() {
    let cloud = with_table().await;
    // The first step has left the table as it was, without outputs and metadata.
    let text = "Resources:\n  DevicesTable:\n    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain\n    Properties:\n      \
                TableName: firefly-devices\n      BillingMode: PROVISIONED\n      KeySchema: [{AttributeName: uuid, \
                KeyType: HASH}]\n";
    cloud.state().put_stack(DEVICES_STACK, "IMPORT_COMPLETE", text, "IMPORT_COMPLETE");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert!(!cloud.changes().iter().any(|call| call.ends_with("DeleteStack")));
}

#[tokio::test]
async fn an_import_rolled_back_to_nothing_starts_over() {
    let cloud = with_table().await;
    cloud.state().put_stack(DEVICES_STACK, "IMPORT_ROLLBACK_COMPLETE", "", "");
    let text = plan(&cloud, "dynamodb-devices").await.unwrap();
    assert!(text.contains("1. delete the stack, keeping the table") && text.contains("2. import"), "{text}");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn an_import_rolled_back_to_an_earlier_stack_is_updated() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    let text = template("dynamodb-devices").replace("checkov", "earlier");
    cloud.state().put_stack(DEVICES_STACK, "IMPORT_ROLLBACK_COMPLETE", &text, "CREATE_COMPLETE");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert!(!cloud.changes().iter().any(|call| call.ends_with("DeleteStack")));
}

#[tokio::test]
async fn a_failed_creation_is_deleted_and_its_table_adopted() {
    for (status, resources) in [
        ("ROLLBACK_COMPLETE", "DELETE_SKIPPED"),
        ("ROLLBACK_FAILED", "CREATE_COMPLETE"),
        ("CREATE_FAILED", "CREATE_FAILED"),
    ] {
        let cloud = with_stack(status, resources, true).await;
        // The change set may be one that is still being made.
        cloud.state().tables.states.insert(DEVICES.to_owned(), ["ACTIVE", "CREATING", "CREATING"].into());
        deploy(&cloud, "dynamodb-devices").await.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_devices_deployed(&cloud);
        assert!(cloud.state().tables.has_item(DEVICES, "uuid"), "{status}");

        let cloud = with_stack(status, "DELETE_COMPLETE", false).await;
        deploy(&cloud, "dynamodb-devices").await.unwrap_or_else(|error| panic!("{status}: {error}"));
        assert_devices_deployed(&cloud);
    }
}

#[tokio::test]
async fn a_stack_that_would_delete_the_table_is_not_deleted() {
    for (status, resources) in [
        ("ROLLBACK_FAILED", "CREATE_COMPLETE"),
        ("CREATE_FAILED", "CREATE_COMPLETE"),
        ("DELETE_FAILED", "CREATE_COMPLETE"),
    ] {
        let cloud = Cloud::start().await;
        cloud.state().tables.put(&old_devices(), None, false);
        let text = template("dynamodb-devices").replace("    DeletionPolicy: Retain\n", "");
        cloud.state().put_stack(DEVICES_STACK, status, &text, resources);
        let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
        assert!(error.contains("would delete DevicesTable with it"), "{error}");
        assert_eq!(cloud.changes(), [""; 0]);
    }
}

#[tokio::test]
async fn a_failed_rollback_is_continued_once() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    let text = template("dynamodb-devices").replace("checkov", "earlier");
    cloud.state().put_stack(DEVICES_STACK, "UPDATE_ROLLBACK_FAILED", &text, "UPDATE_COMPLETE");
    cloud.set_lag(2);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);

    let cloud = with_stack("UPDATE_ROLLBACK_FAILED", "UPDATE_COMPLETE", true).await;
    cloud.state().fail_rollback = Some("Internal Failure");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the stack firefly-dynamodb-devices is UPDATE_ROLLBACK_FAILED: DevicesTable UPDATE_FAILED: Internal Failure; \
         correct the cause and run again"
    );
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:ContinueUpdateRollback"]);
}

#[tokio::test]
async fn a_failed_deletion_is_ended_and_the_table_adopted() {
    // The table was protected, and its earlier template did not retain it.
    let text = template("dynamodb-devices").replace("    DeletionPolicy: Retain\n", "");
    let cloud = with_table().await;
    cloud.state().put_stack(DEVICES_STACK, "DELETE_FAILED", &text, "DELETE_FAILED");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
    assert_eq!(cloud.changes()[0], "cloudformation:DeleteStack");

    // Another resource of the stack could not be deleted: only that may be named.
    let cloud = with_stack("DELETE_FAILED", "DELETE_SKIPPED", true).await;
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}

#[tokio::test]
async fn a_failed_rollback_of_an_import_is_reported() {
    let cloud = with_stack("IMPORT_ROLLBACK_FAILED", "IMPORT_ROLLBACK_IN_PROGRESS", true).await;
    let kind = "AWS::DynamoDB::Table";
    {
        let mut state = cloud.state();
        let stack = state.stack(DEVICES_STACK).unwrap();
        stack.resource("DevicesTable", DEVICES, kind, "IMPORT_FAILED", "an earlier attempt");
        stack.event("IMPORT_IN_PROGRESS", "User Initiated");
        stack.resource("DevicesTable", DEVICES, kind, "IMPORT_FAILED", "Access denied");
        stack.event("IMPORT_ROLLBACK_FAILED", "");
    }
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the stack firefly-dynamodb-devices is IMPORT_ROLLBACK_FAILED: DevicesTable IMPORT_FAILED: Access denied; \
         correct the cause and run again"
    );
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn an_operation_that_fails_is_reported_and_mended_by_the_next_run() {
    // A creation: the stack is rolled back.
    let cloud = Cloud::start().await;
    cloud.state().fail_execution = Some("Resource handler returned message: \"Limit exceeded\"");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("is ROLLBACK_COMPLETE: DevicesTable CREATE_FAILED: Resource handler"), "{error}");
    assert_eq!(status(&cloud, DEVICES_STACK).as_deref(), Some("ROLLBACK_COMPLETE"));
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);

    // An import.
    let cloud = with_table().await;
    cloud.state().fail_execution = Some("Access denied");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("is IMPORT_ROLLBACK_COMPLETE: DevicesTable CREATE_FAILED: Access denied"), "{error}");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);

    // An update.
    cloud.state().stack(DEVICES_STACK).unwrap().template = template("dynamodb-devices").replace("checkov", "earlier");
    cloud.state().fail_execution = Some("Throttled");
    let error = deploy(&cloud, "dynamodb-devices").await.unwrap_err().to_string();
    assert!(error.contains("is UPDATE_ROLLBACK_COMPLETE: DevicesTable UPDATE_FAILED: Throttled"), "{error}");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
}
