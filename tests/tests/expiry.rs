//! Expired registration keys are really deleted, by the engine's own clock.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_testkit::TestCloud;

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_leaves_the_table_and_a_live_one_stays() {
    let cloud = TestCloud::start().await;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let table = cloud.dynamodb();
    for (key, ttl) in [("EXPIRD", now - 60), ("LIVING", now + 600)] {
        let put = table.put_item().table_name("firefly-registration-keys");
        let put = put.item("key", AttributeValue::S(key.to_owned())).item("ttl", AttributeValue::N(ttl.to_string()));
        put.send().await.unwrap();
    }
    // DynamoDB does not tell when it deletes: the table has to be asked again.
    let started = Instant::now();
    while cloud.key_item("EXPIRD").await.is_some() {
        assert!(started.elapsed() < Duration::from_secs(60), "the expired key is still there");
    }
    assert!(cloud.key_item("LIVING").await.is_some());
}
