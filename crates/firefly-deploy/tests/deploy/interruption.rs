//! A run may end anywhere: the next one completes it.

use serde_json::{Value, json};

use crate::cloud::{Bucket, Cloud};
use crate::replacement::{READER, earlier_reader, put_earlier};
use crate::{
    BACKUPS, BACKUPS_STACK, DEVICES, DEVICES_STACK, KEYS, KEYS_STACK, new_devices, no_environment, old_devices,
    old_keys, stack, template,
};

/// A command that is run.
#[derive(Clone, Copy)]
enum Run {
    Deploy,
    Delete,
    DeleteKeepingData,
}

impl Run {
    async fn once(self, cloud: &Cloud, name: &str, run: u64) -> Result<(), String> {
        let (account, stack) = (cloud.account_of_run(run).await, stack(name));
        match self {
            Self::Deploy => {
                firefly_deploy::deploy_data(&account, stack, &no_environment()).await.map_err(|e| e.to_string())
            }
            Self::Delete => {
                firefly_deploy::delete(&account, stack, &no_environment(), false).await.map_err(|e| e.to_string())
            }
            Self::DeleteKeepingData => {
                firefly_deploy::delete(&account, stack, &no_environment(), true).await.map_err(|e| e.to_string())
            }
        }
    }
}

/// Returns the final state: existing stacks with resources and outputs, tables with their data, buckets.
fn outcome(cloud: &Cloud) -> Value {
    let state = cloud.state();
    let stacks = state.stacks.iter().filter(|stack| !stack.is_deleted()).map(|stack| {
        let mut resources: Vec<_> = stack.resources.iter().map(|one| (&one.logical_id, &one.physical_id)).collect();
        resources.sort_unstable();
        // A run that completes another may end in an update, where the other would have ended in a creation.
        let well = matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE");
        json!([stack.name, well, resources, stack.outputs, stack.template])
    });
    let stacks: Vec<_> = stacks.collect();
    let own = state.change_sets.iter().filter(|change_set| change_set.name.starts_with("firefly-deploy-")).count();
    let tables = [(DEVICES, "uuid"), (KEYS, "key")];
    let tables = tables.map(|(name, key)| json!([state.tables.summary(name), state.tables.has_item(name, key)]));
    let buckets = state
        .buckets
        .iter()
        .map(|(name, bucket)| json!([name, bucket.properties, bucket.policy.is_some(), bucket.objects]));
    json!([stacks, own, tables, buckets.collect::<Vec<_>>(), state.log_groups])
}

/// Loses the answer to each call in turn, runs again, and expects the final state of a run without a loss.
async fn assert_converges(what: Run, name: &str, prepare: impl Fn(&Cloud)) {
    let whole = Cloud::start().await;
    whole.set_lag(1);
    prepare(&whole);
    whole.lose(None);
    what.once(&whole, name, 1).await.unwrap();
    let (calls, expected) = (whole.made(), outcome(&whole));
    assert!(calls > 3, "{calls} calls");
    for call in 1..=calls {
        let cloud = Cloud::start().await;
        cloud.set_lag(1);
        prepare(&cloud);
        cloud.lose(Some(call));
        tokio::select! {
            result = what.once(&cloud, name, 1) => panic!("call {call} of {calls} was not lost: {result:?}"),
            () = cloud.lost() => {}
        }
        cloud.lose(None);
        let again = what.once(&cloud, name, 2).await;
        let log = || cloud.state().calls.clone();
        again.unwrap_or_else(|error| panic!("after call {call} of {calls}: {error}\n{:#?}", log()));
        assert_eq!(outcome(&cloud), expected, "after call {call} of {calls}: {:#?}", log());
    }
}

#[tokio::test]
async fn a_created_table_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-registration-keys", |_| {}).await;
}

#[tokio::test]
async fn an_adopted_table_that_lacks_everything_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&old_devices(), None, false);
    })
    .await;
}

#[tokio::test]
async fn an_adopted_table_without_time_to_live_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-registration-keys", |cloud| {
        cloud.state().tables.put(&old_keys(), None, false);
    })
    .await;
}

#[tokio::test]
async fn an_adopted_bucket_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "s3-device-backups", |cloud| {
        let bucket = Bucket { objects: vec!["0f7a".to_owned()], ..Bucket::default() };
        cloud.state().buckets.insert(BACKUPS.to_owned(), bucket);
    })
    .await;
}

#[tokio::test]
async fn an_updated_table_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        let mut table = new_devices();
        table["DeletionProtectionEnabled"] = json!(false);
        cloud.state().tables.put(&table, None, true);
        let text = template("dynamodb-devices").replace("      DeletionProtectionEnabled: true\n", "");
        cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", &text, "CREATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_replaced_index_converges_after_any_interruption() {
    for reader in [template("func-api-devices-get").to_owned(), earlier_reader()] {
        assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
            put_earlier(cloud);
            cloud.state().tables.filling = 2;
            cloud.state().put_stack(READER, "UPDATE_COMPLETE", &reader, "CREATE_COMPLETE");
        })
        .await;
    }
}

#[tokio::test]
async fn an_unchanged_table_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&new_devices(), None, true);
        let text = template("dynamodb-devices");
        cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", text, "CREATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_from_a_shell_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&old_devices(), None, false);
        cloud.state().put_stack(DEVICES_STACK, "REVIEW_IN_PROGRESS", "", "");
        cloud.state().put_change_set(DEVICES_STACK, "firefly-deploy-1795000000-1", "FAILED");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_from_a_failed_creation_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&old_devices(), None, false);
        let text = template("dynamodb-devices");
        cloud.state().put_stack(DEVICES_STACK, "ROLLBACK_COMPLETE", text, "DELETE_SKIPPED");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_from_a_failed_deletion_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-registration-keys", |cloud| {
        cloud.state().tables.put(&old_keys(), Some("ttl"), false);
        let text = template("dynamodb-registration-keys").replace("    DeletionPolicy: Retain\n", "");
        cloud.state().put_stack(KEYS_STACK, "DELETE_FAILED", &text, "DELETE_FAILED");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_from_a_failed_rollback_converges_after_any_interruption() {
    assert_converges(Run::Deploy, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&new_devices(), None, true);
        let text = template("dynamodb-devices").replace("checkov", "earlier");
        cloud.state().put_stack(DEVICES_STACK, "UPDATE_ROLLBACK_FAILED", &text, "UPDATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_table_converges_after_any_interruption() {
    assert_converges(Run::Delete, "dynamodb-devices", |cloud| {
        let mut table = new_devices();
        table["DeletionProtectionEnabled"] = json!(false);
        cloud.state().tables.put(&table, None, true);
        let text = template("dynamodb-devices");
        cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", text, "CREATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_stack_that_keeps_its_table_or_bucket_converges_after_any_interruption() {
    assert_converges(Run::DeleteKeepingData, "dynamodb-devices", |cloud| {
        cloud.state().tables.put(&new_devices(), None, true);
        let text = template("dynamodb-devices");
        cloud.state().put_stack(DEVICES_STACK, "UPDATE_COMPLETE", text, "CREATE_COMPLETE");
    })
    .await;
    assert_converges(Run::Delete, "s3-device-backups", |cloud| {
        cloud.state().buckets.insert(BACKUPS.to_owned(), Bucket::default());
        let text = template("s3-device-backups");
        cloud.state().put_stack(BACKUPS_STACK, "CREATE_COMPLETE", text, "CREATE_COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_function_with_its_log_group_converges_after_any_interruption() {
    assert_converges(Run::Delete, "func-api-health-get", |cloud| {
        cloud.state().log_groups.insert("/aws/lambda/firefly-func-api-health-get".to_owned());
        cloud.state().put_stack("firefly-func-api-health-get", "CREATE_COMPLETE", "", "");
    })
    .await;
}
