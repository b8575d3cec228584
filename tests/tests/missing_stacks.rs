//! A function that is deployed before the stack of its table or bucket answers 500 until that is there.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use firefly_local::stacks::{DEVICES_TABLE, REGISTRATION_KEYS_TABLE};
use firefly_local::tables;
use firefly_templates::TableTemplate;
use firefly_testkit::TestCloud;
use firefly_testkit::faults::{Call, Fault, Faults, assert_outage};

/// Takes the table of a stack away.
async fn without(cloud: &TestCloud, table: &TableTemplate) {
    let dynamodb = cloud.dynamodb();
    dynamodb.update_table().table_name(&table.name).deletion_protection_enabled(false).send().await.unwrap();
    dynamodb.delete_table().table_name(&table.name).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_the_devices_table_is_500() {
    let cloud = TestCloud::start().await;
    let device = cloud.registered_device().await;
    let envelope = device.seal(b"{}", &[7; 12]).unwrap();
    let table = TableTemplate::parse(DEVICES_TABLE).unwrap();
    without(&cloud, &table).await;
    assert_outage("no devices table", &cloud.upload(&device, &envelope).await, 500);
    tables::create(cloud.dynamodb(), &table).await.unwrap();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 401, "a table that knows no device");
}

#[tokio::test(flavor = "multi_thread")]
async fn minting_without_the_keys_table_is_500() {
    let cloud = TestCloud::start().await;
    let table = TableTemplate::parse(REGISTRATION_KEYS_TABLE).unwrap();
    without(&cloud, &table).await;
    let answer = cloud.as_user("installer", &[], "POST", "/registration-keys").await;
    assert_outage("no keys table", &answer, 500);
    tables::create(cloud.dynamodb(), &table).await.unwrap();
    assert_eq!(cloud.as_user("installer", &[], "POST", "/registration-keys").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_the_bucket_is_500() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let envelope = device.seal(b"{}", &[7; 12]).unwrap();
    let (cloud, faults) = Faults::over(&engines).await;
    faults.every(Call::PutObject, Fault::xml_error(404, "NoSuchBucket"));
    assert_outage("no bucket", &cloud.upload(&device, &envelope).await, 500);
    faults.mend();
    assert_eq!(cloud.upload(&device, &envelope).await.status, 200);
}
