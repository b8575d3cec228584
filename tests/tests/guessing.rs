//! Wrong registration keys are counted per source address.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_testkit::{START, TestCloud, new_device};

/// The start of the hour that test clouds start in, in epoch seconds.
const WINDOW: u64 = START / 3_600 * 3_600;

async fn try_wrong_key(cloud: &TestCloud) -> u16 {
    cloud.register(&new_device(), "WRONG0").await.status
}

/// Lays down a count of wrong keys.
async fn set_wrong_keys(cloud: &TestCloud, whose: &str, count: u64) {
    let put = cloud.dynamodb().put_item().table_name("firefly-registration-keys");
    let put = put.item("key", AttributeValue::S(format!("wrong-keys#{WINDOW}#{whose}")));
    put.item("wrong_keys", AttributeValue::N(count.to_string())).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_121st_wrong_key_of_an_address_is_429() {
    let cloud = TestCloud::start().await;
    let honest = cloud.mint().await;
    let mut statuses = Vec::new();
    for _ in 0..300 {
        statuses.push(try_wrong_key(&cloud).await);
    }
    assert_eq!(statuses[..120], [401; 120]);
    assert_eq!(statuses[120..], [429; 180]);
    // Even a live key is not looked at, and nothing is spent.
    let device = new_device();
    let refused = cloud.register(&device, honest.as_str()).await;
    let retry_after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((refused.status, retry_after), (429, WINDOW + 3_600 - START));
    assert!(cloud.key_item(honest.as_str()).await.is_some());
    assert!(cloud.device_item(device.uuid()).await.is_none());
    cloud.advance(retry_after - 1);
    assert_eq!(try_wrong_key(&cloud).await, 429);
    cloud.advance(1);
    assert_eq!(try_wrong_key(&cloud).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn good_registrations_are_not_counted_as_wrong_keys() {
    let cloud = TestCloud::start().await;
    for _ in 0..125 {
        let device = cloud.registered_device().await;
        // The device registers again with a key that is spent, as after a lost answer.
        assert_eq!(cloud.register(&device, "WRONG0").await.status, 204);
    }
    assert_eq!(try_wrong_key(&cloud).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_wrong_key_is_429_once_all_addresses_have_many() {
    let cloud = TestCloud::start().await;
    for shard in 0..4 {
        set_wrong_keys(&cloud, &format!("all-{shard}"), 1_300).await;
    }
    let statuses = [(); 6].map(|()| try_wrong_key(&cloud));
    let mut answered = Vec::new();
    for status in statuses {
        answered.push(status.await);
    }
    assert_eq!(answered, [401, 401, 401, 401, 401, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installer_who_has_not_guessed_is_not_locked_out_by_strangers() {
    let cloud = TestCloud::start().await;
    for shard in 0..4 {
        set_wrong_keys(&cloud, &format!("all-{shard}"), 1_000_000).await;
    }
    set_wrong_keys(&cloud, "192.0.2.1", 1_000).await;
    assert_eq!(try_wrong_key(&cloud).await, 401);
    cloud.registered_device().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_wrong_keys_are_not_listed_as_keys() {
    let cloud = TestCloud::start().await;
    try_wrong_key(&cloud).await;
    let counted = cloud.item("firefly-registration-keys", "key", &format!("wrong-keys#{WINDOW}#127.0.0.1")).await;
    let counted = counted.unwrap();
    assert_eq!(counted["wrong_keys"], AttributeValue::N("1".to_owned()));
    assert_eq!(counted["ttl"], AttributeValue::N((WINDOW + 3_600).to_string()));
    let list = cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    assert_eq!(&list.body[..], b"{\"registration_keys\":[]}");
}
