//! The command `delete` for stacks with and without data.

use firefly_deploy::DeleteError;
use serde_json::json;

use crate::cloud::Cloud;
use crate::{
    BACKUPS, BACKUPS_STACK, DEVICES, DEVICES_STACK, assert_devices_deployed, cloud_with_other_stack, deploy,
    new_devices, no_environment, old_devices, stack, status, template,
};

async fn delete(cloud: &Cloud, name: &str, keep_data: bool) -> Result<(), DeleteError> {
    firefly_deploy::delete(&cloud.account().await, stack(name), &no_environment(), keep_data).await
}

/// Starts a cloud with the devices stack and its table, which has data.
async fn with_devices(protected: bool) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, true);
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    if !protected {
        unprotect(&cloud);
    }
    cloud.state().calls.clear();
    cloud
}

fn unprotect(cloud: &Cloud) {
    let request = json!({"TableName": DEVICES, "DeletionProtectionEnabled": false});
    cloud.state().tables.call("UpdateTable", request).unwrap();
}

#[tokio::test]
async fn a_needed_stack_is_not_deleted() {
    let cloud = with_devices(false).await;
    cloud.state().put_stack("firefly-func-api-devices-get", "CREATE_COMPLETE", "", "");
    cloud.state().put_stack("firefly-func-api-devices-backup-post", "DELETE_IN_PROGRESS", "", "");
    cloud.state().put_stack("firefly-func-api-health-get", "CREATE_COMPLETE", "", "");
    for keep_data in [false, true] {
        let error = delete(&cloud, "dynamodb-devices", keep_data).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "the stack firefly-dynamodb-devices is needed by firefly-func-api-devices-backup-post (DELETE_IN_PROGRESS), \
             firefly-func-api-devices-get (CREATE_COMPLETE): delete them first"
        );
    }
    let error = delete(&cloud, "api-gateway", false).await.unwrap_err().to_string();
    assert!(error.contains("firefly-func-api-health-get (CREATE_COMPLETE), firefly-func-api-devices"), "{error}");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_protected_table_is_not_deleted_and_nothing_is_touched() {
    let cloud = with_devices(true).await;
    let error = delete(&cloud, "dynamodb-devices", false).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "DELETE_FAILED: the table firefly-devices has deletion protection, nothing was touched: turn it off in the console \
         or with `aws dynamodb update-table --table-name firefly-devices --no-deletion-protection-enabled` and run again, \
         or keep the table with --keep-data"
    );
    assert_eq!(cloud.changes(), [""; 0]);
    unprotect(&cloud);
    delete(&cloud, "dynamodb-devices", false).await.unwrap();
    assert_eq!(status(&cloud, DEVICES_STACK), None);
    assert!(!cloud.state().tables.exists(DEVICES));
}

#[tokio::test]
async fn an_unprotected_table_is_deleted_with_its_stack() {
    let cloud = with_devices(false).await;
    cloud.set_lag(2);
    delete(&cloud, "dynamodb-devices", false).await.unwrap();
    assert_eq!(status(&cloud, DEVICES_STACK), None);
    assert!(!cloud.state().tables.exists(DEVICES));
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:DeleteStack", "dynamodb:DeleteTable"]);
    // The second run finds nothing left.
    delete(&cloud, "dynamodb-devices", false).await.unwrap();
    assert_eq!(cloud.changes().len(), 2);
}

#[tokio::test]
async fn kept_data_are_adopted_by_the_next_deploy() {
    let cloud = with_devices(true).await;
    delete(&cloud, "dynamodb-devices", true).await.unwrap();
    assert_eq!(status(&cloud, DEVICES_STACK), None);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
    let changes = cloud.changes();
    assert_eq!(changes, ["cloudformation:DeleteStack"]);
    let lines = cloud.lines();
    assert!(lines.contains(&format!("{DEVICES_STACK}: the table {DEVICES} stays as it is")), "{lines:?}");
    deploy(&cloud, "dynamodb-devices").await.unwrap();
    assert_devices_deployed(&cloud);
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn keeping_data_is_refused_if_the_stack_would_delete_them() {
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&old_devices(), None, false);
    let text = template("dynamodb-devices").replace("    DeletionPolicy: Retain\n", "");
    cloud.state().put_stack(DEVICES_STACK, "CREATE_COMPLETE", &text, "CREATE_COMPLETE");
    let error = delete(&cloud, "dynamodb-devices", true).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the stack firefly-dynamodb-devices would delete its table firefly-devices, nothing was touched: run \
         `firefly-deploy data dynamodb-devices` first, which gives it DeletionPolicy Retain"
    );
    assert_eq!(cloud.changes(), [""; 0]);
    // CloudFormation may keep a template as JSON.
    cloud.state().stack(DEVICES_STACK).unwrap().template =
        "{\n\t\"Resources\": {\"DevicesTable\": {\"Type\": \"AWS::DynamoDB::Table\", \"DeletionPolicy\": \"Retain\"}}}"
            .to_owned();
    delete(&cloud, "dynamodb-devices", true).await.unwrap();
    assert!(cloud.state().tables.has_item(DEVICES, "uuid"));
}

#[tokio::test]
async fn a_failed_deletion_is_continued() {
    let text = template("dynamodb-devices").replace("    DeletionPolicy: Retain\n", "");
    for keep_data in [true, false] {
        let cloud = Cloud::start().await;
        cloud.state().tables.put(&old_devices(), None, false);
        cloud.state().put_stack(DEVICES_STACK, "DELETE_FAILED", &text, "DELETE_FAILED");
        delete(&cloud, "dynamodb-devices", keep_data).await.unwrap();
        assert_eq!(status(&cloud, DEVICES_STACK), None);
        assert_eq!(cloud.state().tables.exists(DEVICES), keep_data);
    }
    let cloud = Cloud::start().await;
    cloud.state().put_stack("firefly-shared-layer", "DELETE_FAILED", "", "");
    delete(&cloud, "shared-layer", false).await.unwrap();
    assert_eq!(status(&cloud, "firefly-shared-layer"), None);
}

#[tokio::test]
async fn an_operation_in_progress_is_waited_for() {
    let cloud = Cloud::start().await;
    for (busy, end) in [("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"), ("DELETE_IN_PROGRESS", "DELETE_COMPLETE")] {
        let stack = "firefly-func-api-health-get";
        cloud.state().put_stack(stack, busy, "", "").then = [busy.to_owned(), end.to_owned()].into();
        delete(&cloud, "func-api-health-get", false).await.unwrap();
        assert_eq!(status(&cloud, stack), None);
        assert!(cloud.lines().contains(&format!("{stack}: {busy}")));
    }
    let deletions = cloud.changes().into_iter().filter(|call| call.ends_with("DeleteStack")).count();
    assert_eq!(deletions, 1);
}

#[tokio::test]
async fn a_left_over_log_group_is_deleted_with_or_without_a_stack() {
    let group = "/aws/lambda/firefly-func-api-health-get";
    for exists in [true, false] {
        let cloud = Cloud::start().await;
        cloud.state().log_groups.extend([group.to_owned(), format!("{group}-other")]);
        if exists {
            cloud.state().put_stack("firefly-func-api-health-get", "CREATE_COMPLETE", "", "");
        }
        delete(&cloud, "func-api-health-get", false).await.unwrap();
        assert_eq!(status(&cloud, "firefly-func-api-health-get"), None);
        assert_eq!(cloud.state().log_groups.iter().collect::<Vec<_>>(), [&format!("{group}-other")]);
        // And again.
        delete(&cloud, "func-api-health-get", false).await.unwrap();
    }
}

#[tokio::test]
async fn a_shell_or_a_failed_creation_is_deleted() {
    for status_left in ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED"] {
        let cloud = Cloud::start().await;
        cloud.state().put_stack("firefly-shared-layer", status_left, "", "");
        delete(&cloud, "shared-layer", false).await.unwrap();
        assert_eq!(status(&cloud, "firefly-shared-layer"), None, "{status_left}");
    }
}

#[tokio::test]
async fn the_bucket_stays_when_its_stack_is_deleted() {
    let cloud = Cloud::start().await;
    deploy(&cloud, "s3-device-backups").await.unwrap();
    cloud.state().buckets.get_mut(BACKUPS).unwrap().objects.push("0f7a".to_owned());
    delete(&cloud, "s3-device-backups", false).await.unwrap();
    assert_eq!(status(&cloud, BACKUPS_STACK), None);
    assert_eq!(cloud.state().buckets[BACKUPS].objects, ["0f7a"]);
    assert!(cloud.lines().contains(&format!("{BACKUPS_STACK}: the bucket {BACKUPS} stays as it is")));
    deploy(&cloud, "s3-device-backups").await.unwrap();

    // An earlier stack that does not retain an empty bucket would delete it.
    let text = template("s3-device-backups").replace("    DeletionPolicy: Retain\n", "");
    cloud.state().stack(BACKUPS_STACK).unwrap().template = text;
    let error = delete(&cloud, "s3-device-backups", false).await.unwrap_err().to_string();
    assert!(error.contains("would delete its bucket"), "{error}");
}

#[tokio::test]
async fn deleting_a_table_of_another_stack_is_refused() {
    let cloud = cloud_with_other_stack().await;
    let error = delete(&cloud, "dynamodb-devices", false).await.unwrap_err().to_string();
    assert!(error.contains("belongs to the stack firefly-DevicesTable-1ABC: delete that stack instead"), "{error}");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_table_that_is_not_active_is_waited_for_or_refused() {
    let cloud = with_devices(false).await;
    cloud.state().tables.states.insert(DEVICES.to_owned(), ["UPDATING", "UPDATING"].into());
    delete(&cloud, "dynamodb-devices", false).await.unwrap();
    assert!(!cloud.state().tables.exists(DEVICES));

    let cloud = with_devices(false).await;
    cloud.state().tables.states.insert(DEVICES.to_owned(), ["ARCHIVED"; 3].into());
    let error = delete(&cloud, "dynamodb-devices", false).await.unwrap_err().to_string();
    assert_eq!(error, "the table firefly-devices is ARCHIVED, nothing was touched: run again when it is ACTIVE");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_protected_user_pool_is_not_deleted_and_nothing_is_touched() {
    let cloud = Cloud::start().await;
    let protection = |value: &str| [("UserPoolDeletionProtection".to_owned(), value.to_owned())].into();
    cloud.state().put_stack("firefly-cognito", "CREATE_COMPLETE", "", "").parameters = protection("ACTIVE");
    let error = delete(&cloud, "cognito", false).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "DELETE_FAILED: the user pool of the stack firefly-cognito has deletion protection, nothing was touched: deploy \
         the stack with USER_POOL_DELETION_PROTECTION=INACTIVE and run again"
    );
    assert_eq!(cloud.changes(), [""; 0]);
    cloud.state().stack("firefly-cognito").unwrap().parameters = protection("INACTIVE");
    delete(&cloud, "cognito", false).await.unwrap();
    assert_eq!(status(&cloud, "firefly-cognito"), None);
}

#[tokio::test]
async fn a_deletion_that_fails_has_cloudformation_s_reasons() {
    let cloud = Cloud::start().await;
    cloud.state().put_stack("firefly-shared-layer", "CREATE_COMPLETE", "", "").protected = true;
    let error = delete(&cloud, "shared-layer", false).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cloudformation:DeleteStack: Stack [firefly-shared-layer] cannot be deleted while TerminationProtection is enabled \
         (ValidationError)"
    );

    // The table was protected after the program had looked at it.
    let cloud = Cloud::start().await;
    cloud.state().tables.put(&new_devices(), None, false);
    let text = template("dynamodb-devices").replace("    DeletionPolicy: Retain\n", "");
    let name = "firefly-shared-layer";
    cloud.state().put_stack(name, "CREATE_COMPLETE", &text, "CREATE_COMPLETE");
    let error = delete(&cloud, "shared-layer", false).await.unwrap_err().to_string();
    assert!(error.contains("the stack firefly-shared-layer is DELETE_FAILED: DevicesTable DELETE_FAILED: "), "{error}");
    assert!(error.contains("protect"), "{error}");
}

#[tokio::test]
async fn a_deletion_that_conflicts_with_another_is_tried_again() {
    const NAME: &str = "firefly-func-api-health-get";
    let function = |cloud: &Cloud| {
        let mut state = cloud.state();
        let stack = state.put_stack(NAME, "CREATE_COMPLETE", "", "");
        stack.resource("Route", "r1", "AWS::ApiGatewayV2::Route", "CREATE_COMPLETE", "");
    };
    for reason in [
        "Internal Failure",
        "Unable to complete operation due to concurrent modification. Please try again later. (ConflictException)",
        "Resource handler returned message: \"...\" (HandlerErrorCode: ResourceConflict)",
    ] {
        for failures in [1, 2] {
            let cloud = Cloud::start().await;
            function(&cloud);
            cloud.state().fail_deletion = vec![reason; failures].into();
            delete(&cloud, "func-api-health-get", false).await.unwrap();
            assert_eq!(status(&cloud, NAME), None, "{reason}");
            assert_eq!(cloud.changes().len(), failures + 1, "{reason}");
        }
        let cloud = Cloud::start().await;
        function(&cloud);
        cloud.state().fail_deletion = vec![reason; 3].into();
        let error = delete(&cloud, "func-api-health-get", false).await.unwrap_err().to_string();
        assert!(error.contains(&format!("is DELETE_FAILED: Route DELETE_FAILED: {reason}")), "{error}");
        assert_eq!(cloud.changes().len(), 3);
    }
    let cloud = Cloud::start().await;
    function(&cloud);
    cloud.state().fail_deletion = ["Access denied"].into();
    delete(&cloud, "func-api-health-get", false).await.unwrap_err();
    assert_eq!(cloud.changes().len(), 1);
}
