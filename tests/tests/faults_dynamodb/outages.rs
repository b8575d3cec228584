//! Every call of a kind fails.

use firefly_testkit::answer::{assert_failure, json};
use firefly_testkit::faults::{Call, Fault, Faults, INTERNALS, Outage, assert_outage};
use firefly_testkit::stored::{DEVICES, KEYS, item, number, text};
use firefly_testkit::{TestCloud, new_device};

use crate::{BackedUp, SIGNED, backup_date, keys_of};

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_minted_when_it_cannot_be_written() {
    let engines = TestCloud::start().await;
    let outages = [Outage::of_dynamodb(), Outage::further_of_dynamodb()].concat();
    Outage::each(&engines, Call::PutKey, outages, async |broken| {
        let mint = async || broken.cloud.as_user(&broken.case, &[], "POST", "/registration-keys").await;
        broken.assert_told(&mint().await);
        assert_eq!(keys_of(&engines, &broken.case).await.len(), usize::from(broken.outage.done), "{}", broken.case);
        broken.faults.mend();
        let answer = mint().await;
        assert_eq!(answer.status, 201, "{}", broken.case);
        assert_eq!(keys_of(&engines, &broken.case).await.len(), 1 + usize::from(broken.outage.done), "{}", broken.case);
        let registered = broken.cloud.register(&new_device(), &answer.member("key").unwrap()).await;
        assert_eq!(registered.status, 204, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_read_are_not_listed() {
    let engines = TestCloud::start().await;
    let key = engines.mint().await;
    let run = async |call| {
        Outage::each(&engines, call, Outage::of_dynamodb(), async |broken| {
            let list = async || broken.cloud.as_user("installer", &[], "GET", "/registration-keys").await;
            broken.assert_told(&list().await);
            broken.faults.mend();
            assert_eq!(json(&list().await)["registration_keys"][0]["key"], key.as_str(), "{}", broken.case);
        })
        .await;
    };
    futures::future::join_all([Call::GetLiveKeys, Call::GetKeys].map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_keys_is_whole_or_an_error() {
    let engines = TestCloud::start().await;
    // DynamoDB reads 100 keys at a time.
    for _ in 0..101 {
        engines.mint().await;
    }
    let (cloud, faults) = Faults::over(&engines).await;
    let failure = Fault::json_error(500, "InternalServerError");
    faults.next(Call::GetKeys, [Fault::Pass, failure.clone(), failure.clone(), failure]);
    let answer = cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    assert_outage("the second page", &answer, 503);
    let list = cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    assert_eq!((list.status, json(&list)["registration_keys"].as_array().map(Vec::len)), (200, Some(101)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_a_read_leaves_unprocessed_are_asked_for_again() {
    let engines = TestCloud::start().await;
    let key = engines.mint().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let left = serde_json::json!({ "Keys": [{ "key": { "S": key.as_str() } }], "ConsistentRead": true });
    let answer = serde_json::json!({ "Responses": {}, "UnprocessedKeys": { KEYS: left } });
    let unprocessed = Fault::bytes(200, answer.to_string());
    let list = async || cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    faults.next(Call::GetKeys, [unprocessed.clone(), unprocessed.clone()]);
    assert_eq!(json(&list().await)["registration_keys"][0]["key"], key.as_str());
    assert_eq!(faults.count(Call::GetKeys), 3);
    faults.every(Call::GetKeys, unprocessed);
    assert_outage("unprocessed each time", &list().await, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_registered_when_the_tables_fail() {
    let engines = TestCloud::start().await;
    let run = async |call| {
        Outage::each(&engines, call, Outage::of_dynamodb(), async |broken| {
            let (device, key) = (new_device(), engines.mint().await);
            let register = async || broken.cloud.register(&device, key.as_str()).await;
            broken.assert_told(&register().await);
            let done = call == Call::WriteAndSpend && broken.outage.done;
            assert_eq!(engines.device_item(device.uuid()).await.is_some(), done, "{}", broken.case);
            assert_eq!(engines.key_item(key.as_str()).await.is_none(), done, "{}", broken.case);
            broken.faults.mend();
            assert_eq!(register().await.status, 204, "{}", broken.case);
            assert!(engines.device_item(device.uuid()).await.is_some(), "{}", broken.case);
            assert!(engines.key_item(key.as_str()).await.is_none(), "{}", broken.case);
            let other = broken.cloud.register(&new_device(), key.as_str()).await;
            assert_eq!(other.status, 401, "{}", broken.case);
        })
        .await;
    };
    futures::future::join_all([Call::GetDevice, Call::GetKey, Call::GetWrongKeys, Call::WriteAndSpend].map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_cannot_be_recorded_is_503_and_no_key_is_judged() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::CountWrongKey, Outage::of_dynamodb(), async |broken| {
        let (device, key) = (new_device(), engines.mint().await);
        for key in ["WRONG1", key.as_str()] {
            // It helps to try again, for any of the causes.
            assert_outage(&broken.case, &broken.cloud.register(&device, key).await, 503);
        }
        assert!(engines.device_item(device.uuid()).await.is_none(), "{}", broken.case);
        assert!(engines.key_item(key.as_str()).await.is_some(), "{}", broken.case);
        broken.faults.mend();
        assert_eq!(broken.cloud.register(&device, "WRONG1").await.status, 401, "{}", broken.case);
        assert_eq!(broken.cloud.register(&device, key.as_str()).await.status, 204, "{}", broken.case);
    })
    .await;
}

/// The count of all addresses limits an address beyond its first five tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_count_of_all_addresses_refuses_the_sixth_try_and_none_before() {
    let failed = Fault::json_error(400, "AccessDeniedException");
    for call in [Call::GetAllWrongKeys, Call::CountAllWrongKeys] {
        let engines = TestCloud::start().await;
        let (cloud, faults) = Faults::over(&engines).await;
        faults.every(call, failed.clone());
        for _ in 0..4 {
            assert_eq!(cloud.register(&new_device(), "WRONG1").await.status, 401, "{call:?}");
        }
        let key = engines.mint().await;
        assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204, "{call:?}");
        assert_eq!(cloud.register(&new_device(), "WRONG1").await.status, 401, "{call:?}");
        for _ in 0..2 {
            let (device, key) = (new_device(), engines.mint().await);
            assert_outage(&format!("{call:?}"), &cloud.register(&device, key.as_str()).await, 503);
            assert!(engines.device_item(device.uuid()).await.is_none(), "{call:?}");
            assert!(engines.key_item(key.as_str()).await.is_some(), "{call:?}");
        }
        faults.mend();
        cloud.registered_device().await;
    }
}

/// Leaves the spent key's entry to lapse.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_204_though_what_follows_it_fails() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::UpdateLiveKeys, Outage::of_dynamodb(), async |broken| {
        let (device, key) = (new_device(), engines.mint().await);
        assert_eq!(broken.cloud.register(&device, key.as_str()).await.status, 204, "{}", broken.case);
        assert!(engines.device_item(device.uuid()).await.is_some(), "{}", broken.case);
        let list = engines.as_user("installer", &[], "GET", "/registration-keys").await;
        let listed = json(&list)["registration_keys"].as_array().unwrap().iter().any(|own| own["key"] == key.as_str());
        assert!(!listed, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_is_204_during_an_outage_of_the_keys() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let run = async |call| {
        Outage::each(&engines, call, Outage::of_dynamodb(), async |broken| {
            assert_eq!(broken.cloud.register(&device, "SPENT1").await.status, 204, "{}", broken.case);
        })
        .await;
    };
    futures::future::join_all([Call::GetKey, Call::GetWrongKeys].map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_be_read_is_told_so_and_nothing_is_done() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::GetDeviceWithRecord, Outage::of_dynamodb(), async |broken| {
        let device = BackedUp::new(&engines).await;
        for route in SIGNED {
            broken.assert_told(&device.send(&broken.cloud, route).await);
        }
        device.assert_untouched(&broken.case).await;
        broken.faults.mend();
        device.assert_served(broken).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_when_the_nonce_cannot_be_recorded() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::WriteReplayRecord, Outage::of_dynamodb(), async |broken| {
        let device = BackedUp::new(&engines).await;
        let requests = SIGNED.map(|route| (route, broken.cloud.sign(&device.identity)));
        for (route, signed) in &requests {
            // It helps to try again, for any of the causes.
            assert_outage(&broken.case, &device.send_signed(&broken.cloud, signed, *route).await, 503);
        }
        device.assert_untouched(&broken.case).await;
        broken.faults.mend();
        for (route, signed) in &requests {
            let again = device.send_signed(&broken.cloud, signed, *route).await;
            assert_eq!(again.status, if broken.outage.done { 401 } else { 200 }, "{} {route:?}", broken.case);
        }
        device.assert_served(broken).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unprocessed_keys_of_a_read_are_asked_for_again() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = BackedUp::new(&engines).await;
    let uuid = device.identity.uuid().to_string();
    for route in SIGNED {
        for left in [vec![uuid.clone()], vec![uuid.clone(), format!("{uuid}#replay")]] {
            faults.next(Call::GetDeviceWithRecord, [unprocessed(&left), unprocessed(&left)]);
            let (signed, before) = (cloud.sign(&device.identity), faults.count(Call::GetDeviceWithRecord));
            assert_eq!(device.send_signed(&cloud, &signed, route).await.status, 200, "{route:?} {left:?}");
            assert_eq!(faults.count(Call::GetDeviceWithRecord) - before, 3, "{route:?} {left:?}");
            let replayed = device.send_signed(&cloud, &signed, route).await;
            assert_failure("the copy", &replayed, 401, "replayed");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_while_a_read_stays_unprocessed() {
    let engines = TestCloud::start().await;
    let device = BackedUp::new(&engines).await;
    let uuid = device.identity.uuid().to_string();
    for left in [uuid.clone(), format!("{uuid}#replay")] {
        let (cloud, faults) = Faults::over(&engines).await;
        faults.every(Call::GetDeviceWithRecord, unprocessed(&[left]));
        for route in SIGNED {
            assert_outage("unprocessed", &device.send(&cloud, route).await, 503);
        }
        assert_eq!(faults.count(Call::WriteReplayRecord), 0);
    }
    device.assert_untouched("unprocessed").await;
}

/// BatchGetItem's answer when it has no capacity for these keys.
fn unprocessed(keys: &[String]) -> Fault {
    let keys: Vec<_> = keys.iter().map(|key| serde_json::json!({ "uuid": { "S": key } })).collect();
    let left = serde_json::json!({ "Keys": keys, "ConsistentRead": true });
    let answer = serde_json::json!({ "Responses": {}, "UnprocessedKeys": { DEVICES: left } });
    Fault::bytes(200, answer.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_backup_is_acknowledged_even_if_its_date_is_not_set() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::UpdateDevice, Outage::of_dynamodb(), async |broken| {
        let device = engines.registered_device().await;
        let envelope = device.seal(b"first", &[1; 12]).unwrap();
        let answer = broken.cloud.upload(&device, &envelope).await;
        assert_eq!(answer.status, 200, "{}", broken.case);
        assert_eq!(answer.member("last_backup_date"), Some(engines.now().to_string()), "{}", broken.case);
        assert_eq!(engines.stored_backup(device.uuid()).await.unwrap().0, envelope, "{}", broken.case);
        assert_eq!(backup_date(&engines, device.uuid()).await.is_some(), broken.outage.done, "{}", broken.case);
        broken.faults.mend();
        assert_eq!(broken.cloud.upload(&device, &envelope).await.status, 200, "{}", broken.case);
        assert_eq!(backup_date(&engines, device.uuid()).await, Some(engines.now().to_string()), "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_whose_date_is_not_cleared_is_to_be_repeated() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::UpdateDevice, Outage::of_dynamodb(), async |broken| {
        let device = BackedUp::new(&engines).await;
        broken.assert_told(&device.send(&broken.cloud, ("DELETE", "backup")).await);
        broken.faults.mend();
        assert_eq!(device.send(&broken.cloud, ("DELETE", "backup")).await.status, 200, "{}", broken.case);
        assert_eq!(backup_date(&engines, device.identity.uuid()).await, None, "{}", broken.case);
        assert_eq!(device.send(&broken.cloud, ("GET", "backup")).await.status, 404, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_cannot_be_read_are_not_listed() {
    let engines = TestCloud::start().await;
    let device = engines.registered_device().await;
    let by_product = format!("/devices?product_hex={}", device.product_hex());
    let run = async |(call, path)| {
        Outage::each(&engines, call, Outage::of_dynamodb(), async |broken| {
            let list = async || broken.cloud.as_user("admin", &["super_users"], "GET", path).await;
            broken.assert_told(&list().await);
            broken.faults.mend();
            assert_eq!(json(&list().await)["devices"][0]["uuid"], device.uuid().to_string(), "{}", broken.case);
        })
        .await;
    };
    futures::future::join_all([(Call::ScanDevices, "/devices"), (Call::QueryDevices, &by_product)].map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_not_a_device_is_an_error_that_names_nothing() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = BackedUp::new(&engines).await;
    let uuid = device.identity.uuid();
    let items = [
        format!(r#"{{"uuid":{{"S":"{uuid}"}}}}"#),
        format!(r#"{{"uuid":{{"S":"{uuid}"}},"public_key":{{"S":"{INTERNALS}"}}}}"#),
        format!(r#"{{"uuid":{{"S":"{uuid}"}},"public_key":{{"N":"1"}}}}"#),
    ];
    for item in items {
        for route in SIGNED {
            let batch = format!(r#"{{"Responses":{{"{DEVICES}":[{item}]}},"UnprocessedKeys":{{}}}}"#);
            faults.next(Call::GetDeviceWithRecord, [Fault::bytes(200, batch)]);
            let answer = device.send(&cloud, route).await;
            assert_outage(&format!("{route:?}: {item}"), &answer, 500);
        }
        faults.next(Call::GetDevice, [Fault::bytes(200, format!(r#"{{"Item":{item}}}"#))]);
        let key = engines.mint().await;
        assert_outage(&item, &cloud.register(&device.identity, key.as_str()).await, 500);
        assert!(engines.key_item(key.as_str()).await.is_some());
    }
    device.assert_untouched("a malformed item").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_record_that_cannot_be_read_back_admits_nothing() {
    let engines = TestCloud::start().await;
    let device = BackedUp::new(&engines).await;
    let key = text(format!("{}#replay", device.identity.uuid()));
    engines.put_item(DEVICES, item([("uuid", key), ("version", number(1)), ("nonces", text("broken"))])).await;
    for route in SIGNED {
        assert_outage(route.0, &device.send(&engines, route).await, 503);
    }
    device.assert_untouched("a malformed record").await;
}
