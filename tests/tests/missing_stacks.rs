//! A function that is deployed before the stack of its table or bucket answers 500 until that is there.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use firefly_local::template::{DEVICES_TABLE, REGISTRATION_KEYS_TABLE, TableTemplate};
use firefly_tests::TestCloud;
use firefly_tests::faults::{Call, Fault, Faults, assert_outage};

/// Takes the table of a stack away.
async fn without(cloud: &TestCloud, table: &TableTemplate) {
    let dynamodb = cloud.dynamodb();
    dynamodb.update_table().table_name(&table.name).deletion_protection_enabled(false).send().await.unwrap();
    dynamodb.delete_table().table_name(&table.name).send().await.unwrap();
}

/// Makes it again.
async fn with(cloud: &TestCloud, table: TableTemplate) {
    let create = cloud.dynamodb().create_table().table_name(table.name).billing_mode(table.billing);
    let create = create.set_key_schema(Some(table.key_schema)).set_attribute_definitions(Some(table.attributes));
    create
        .set_global_secondary_indexes(Some(table.indexes).filter(|indexes| !indexes.is_empty()))
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_devices_table_a_backup_is_a_failure_of_ours() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"{}", &[7; 12]).unwrap();
    let table = TableTemplate::parse(DEVICES_TABLE).unwrap();
    without(&cloud, &table).await;
    assert_outage("no devices table", &cloud.upload(&device, &envelope).await, 500);
    with(&cloud, table).await;
    assert_eq!(cloud.upload(&device, &envelope).await.status, 401, "a table that knows no device");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_keys_table_minting_is_a_failure_of_ours() {
    let cloud = TestCloud::start().await;
    let table = TableTemplate::parse(REGISTRATION_KEYS_TABLE).unwrap();
    without(&cloud, &table).await;
    let answer = cloud.as_user("installer", &[], "POST", "/registration-keys").await;
    assert_outage("no keys table", &answer, 500);
    with(&cloud, table).await;
    assert_eq!(cloud.as_user("installer", &[], "POST", "/registration-keys").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_bucket_a_backup_is_a_failure_of_ours() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let envelope = device.seal(b"{}", &[7; 12]).unwrap();
    let (cloud, faults) = Faults::over(&engines).await;
    faults.every(Call::PutObject, Fault::xml_error(404, "NoSuchBucket"));
    assert_outage("no bucket", &cloud.upload(&device, &envelope).await, 500);
    faults.mend();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
}
