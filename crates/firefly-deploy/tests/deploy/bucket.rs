//! The command `data` for the bucket.

use std::collections::BTreeMap;

use firefly_deploy::deploy_data;
use serde_json::{Value, json};

use crate::cloud::{Bucket, Cloud};
use crate::{BACKUPS, BACKUPS_STACK, deploy, plan, stack, status, template};

const NAME: &str = "s3-device-backups";

/// Returns a bucket with other settings and with objects in it, as older deployments have made it.
fn old_bucket() -> Bucket {
    let properties = json!({
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        "LifecycleConfiguration": {"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 30}]},
    });
    Bucket { properties, objects: vec!["0f7a".to_owned()], ..Bucket::default() }
}

fn assert_deployed(cloud: &Cloud, name: &str) {
    let mut state = cloud.state();
    let bucket = &state.buckets[name];
    assert_eq!(bucket.properties["VersioningConfiguration"]["Status"], "Enabled");
    assert_eq!(bucket.properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced");
    assert_eq!(bucket.properties["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], true);
    let rules = bucket.properties["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    assert_eq!(
        rules.iter().map(|rule| rule["Id"].clone()).collect::<Vec<_>>(),
        ["expire-versions-beyond-ten", "expire-old-versions", "clean-incomplete-uploads"]
    );
    let policy: Value = serde_json::from_str(bucket.policy.as_deref().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    let stack = state.stack(BACKUPS_STACK).unwrap();
    assert!(matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE"), "{}", stack.status);
    assert_eq!(stack.outputs["BackupBucketName"], name);
}

async fn assert_refused(cloud: &Cloud, expected: &str) {
    let error = deploy(cloud, NAME).await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert_eq!(cloud.changes(), [""; 0]);
}

#[tokio::test]
async fn a_bucket_is_created_updated_and_left_alone() {
    let cloud = Cloud::start().await;
    let text = plan(&cloud, NAME).await.unwrap();
    assert!(text.contains(&format!("1. create the stack with the bucket {BACKUPS}")), "{text}");
    assert_eq!(cloud.changes(), [""; 0]);
    deploy(&cloud, NAME).await.unwrap();
    assert_deployed(&cloud, BACKUPS);
    deploy(&cloud, NAME).await.unwrap();
    assert!(cloud.lines().contains(&format!("{BACKUPS_STACK}: no changes")));

    // An earlier template without lifecycle.
    let text = template(NAME);
    let start = text.find("      LifecycleConfiguration").unwrap();
    let end = text.find("  DeviceBackupsBucketPolicy:").unwrap();
    let text = text.replace(&text[start..end], "");
    cloud.state().stack(BACKUPS_STACK).unwrap().template = text;
    cloud.state().buckets.get_mut(BACKUPS).unwrap().properties["LifecycleConfiguration"] = Value::Null;
    deploy(&cloud, NAME).await.unwrap();
    assert_deployed(&cloud, BACKUPS);
}

#[tokio::test]
async fn a_bucket_with_backups_is_adopted_and_keeps_them() {
    let cloud = Cloud::start().await;
    cloud.state().buckets.insert(BACKUPS.to_owned(), old_bucket());
    cloud.set_lag(2);
    let text = plan(&cloud, NAME).await.unwrap();
    assert!(text.contains(&format!("1. import the bucket {BACKUPS} as it is\n  2. apply the template: ")), "{text}");
    assert!(text.contains("object ownership ObjectWriter → BucketOwnerEnforced"), "{text}");
    assert!(text.contains("and current versions after 30 days → "), "{text}");
    deploy(&cloud, NAME).await.unwrap();
    assert_deployed(&cloud, BACKUPS);
    assert_eq!(cloud.state().buckets[BACKUPS].objects, ["0f7a"]);

    // The bucket is imported alone and by name only: no update would apply a setting that an import claims.
    let (kind, import) = cloud.state().templates[0].clone();
    assert_eq!(kind, "IMPORT");
    let (_, resources) = import.split_once("Resources:\n").unwrap();
    assert_eq!(
        resources,
        "  DeviceBackupsBucket:\n    Type: AWS::S3::Bucket\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: \
         Retain\n    Properties:\n      BucketName: !If\n      - HasDefaultBucket\n      - !Sub \
         firefly-device-backups-${AWS::AccountId}-${AWS::Region}\n      - !Ref BackupBucketName\n"
    );
}

#[tokio::test]
async fn a_bucket_has_the_name_of_the_environment() {
    let cloud = Cloud::start().await;
    let environment = BTreeMap::from([("BACKUP_BUCKET_NAME".to_owned(), "firefly-mine".to_owned())]);
    cloud.state().buckets.insert("firefly-mine".to_owned(), old_bucket());
    deploy_data(&cloud.account().await, stack(NAME), &environment).await.unwrap();
    assert_deployed(&cloud, "firefly-mine");
    assert!(!cloud.state().buckets.contains_key(BACKUPS));
    cloud.state().calls.clear();
    // Without the variable, a new, empty bucket would take its place.
    assert_refused(
        &cloud,
        &format!(
            "the stack {BACKUPS_STACK} holds the bucket firefly-mine, not {BACKUPS}: keep the name firefly-mine, or delete \
             the stack with `firefly-deploy delete s3-device-backups --keep-data` first"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_refused() {
    let cloud = Cloud::start().await;
    let foreign = Bucket { owner: "999999999999".to_owned(), ..old_bucket() };
    cloud.state().buckets.insert(BACKUPS.to_owned(), foreign);
    assert_refused(&cloud, "cannot be adopted: it is another account's, or these credentials may not list it").await;

    let cloud = Cloud::start().await;
    let elsewhere = Bucket { region: "us-east-1".to_owned(), ..old_bucket() };
    cloud.state().buckets.insert(BACKUPS.to_owned(), elsewhere);
    assert_refused(&cloud, "cannot be adopted: it is in another region").await;

    let cloud = Cloud::start().await;
    cloud.state().buckets.insert(BACKUPS.to_owned(), old_bucket());
    cloud.state().put_stack("firefly-DeviceBackups-1ABC", "CREATE_COMPLETE", template(NAME), "CREATE_COMPLETE");
    assert_refused(&cloud, "belongs to the stack firefly-DeviceBackups-1ABC").await;
}

#[tokio::test]
async fn a_bucket_with_a_policy_of_its_own_is_refused() {
    let cloud = Cloud::start().await;
    let policy = Some(json!({"Statement": [{"Effect": "Allow"}]}).to_string());
    cloud.state().buckets.insert(BACKUPS.to_owned(), Bucket { policy, ..old_bucket() });
    assert_refused(&cloud, "it has a policy of its own, which CloudFormation does not replace").await;
}

#[tokio::test]
async fn a_bucket_of_a_failed_deletion_is_kept_and_adopted() {
    let cloud = Cloud::start().await;
    let text = template(NAME).replace("    DeletionPolicy: Retain\n", "");
    cloud.state().buckets.insert(BACKUPS.to_owned(), old_bucket());
    cloud.state().put_stack(BACKUPS_STACK, "DELETE_FAILED", &text, "DELETE_COMPLETE");
    {
        let mut state = cloud.state();
        let reason = "The bucket you tried to delete is not empty";
        let stack = state.stack(BACKUPS_STACK).unwrap();
        stack.resource("DeviceBackupsBucket", BACKUPS, "AWS::S3::Bucket", "DELETE_FAILED", reason);
    }
    deploy(&cloud, NAME).await.unwrap();
    assert_deployed(&cloud, BACKUPS);
    assert_eq!(cloud.state().buckets[BACKUPS].objects, ["0f7a"]);
}

#[tokio::test]
async fn a_bucket_changed_behind_the_stack_fails_the_read_back() {
    let cloud = Cloud::start().await;
    deploy(&cloud, NAME).await.unwrap();
    {
        let mut state = cloud.state();
        let bucket = state.buckets.get_mut(BACKUPS).unwrap();
        bucket.policy = None;
        bucket.properties["VersioningConfiguration"]["Status"] = json!("Suspended");
    }
    let error = deploy(&cloud, NAME).await.unwrap_err().to_string();
    assert!(error.contains("policy none → TLS only; versioning Suspended → Enabled"), "{error}");
    assert_eq!(status(&cloud, BACKUPS_STACK).as_deref(), Some("CREATE_COMPLETE"));
}
