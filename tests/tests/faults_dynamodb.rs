//! DynamoDB failing, call by call and route by route: what is answered, what is left behind, what a retry finds.

use firefly_core::device::DeviceId;
use firefly_device::{Identity, Response, SignedHeaders};
use firefly_tests::answer::{assert_failure, json};
use firefly_tests::faults::{Broken, Call, Fault, Faults, INTERNALS, Outage, assert_outage};
use firefly_tests::stored::{DEVICES, KEYS, item, number, text};
use firefly_tests::{TestCloud, new_device};

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
    Outage::each(&engines, Call::ScanKeys, Outage::of_dynamodb(), async |broken| {
        let list = async || broken.cloud.as_user("installer", &[], "GET", "/registration-keys").await;
        broken.assert_told(&list().await);
        broken.faults.mend();
        assert_eq!(json(&list().await)["registration_keys"][0]["key"], key.as_str(), "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_keys_is_whole_or_an_error() {
    let engines = TestCloud::start().await;
    // More than a page of 1 MB.
    for number_of in 0..4 {
        let padding = text("x".repeat(390_000));
        let key = text(format!("PAGE0{number_of}"));
        let sub = text("somebody else");
        let attributes =
            [("key", key), ("ttl", number(engines.now().get() + 60)), ("generated_by_sub", sub), ("padding", padding)];
        engines.put_item(KEYS, item(attributes)).await;
    }
    let (cloud, faults) = Faults::over(&engines).await;
    let failure = Fault::json_error(500, "InternalServerError");
    faults.next(Call::ScanKeys, [Fault::Pass, failure.clone(), failure.clone(), failure]);
    let answer = cloud.as_user("installer", &[], "GET", "/registration-keys").await;
    assert_outage("the second page", &answer, 503);
    assert_eq!(cloud.as_user("installer", &[], "GET", "/registration-keys").await.status, 200);
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
async fn a_wrong_key_that_cannot_be_counted_is_not_judged() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::CountWrongKey, Outage::of_dynamodb(), async |broken| {
        let device = new_device();
        broken.assert_told(&broken.cloud.register(&device, "WRONG1").await);
        assert!(engines.device_item(device.uuid()).await.is_none(), "{}", broken.case);
        broken.faults.mend();
        assert_eq!(broken.cloud.register(&device, "WRONG1").await.status, 401, "{}", broken.case);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_confirmed_whatever_befalls_the_keys() {
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

/// The device-signed routes: method, and what follows the device.
const SIGNED: [(&str, &str); 4] =
    [("GET", "registration"), ("POST", "backup"), ("GET", "backup"), ("DELETE", "backup")];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_be_read_is_told_so_and_nothing_is_done() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::GetDevice, Outage::of_dynamodb(), async |broken| {
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
            // Whatever the cause, it helps to try again.
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
async fn the_read_of_the_replay_record_is_only_a_hint() {
    let engines = TestCloud::start().await;
    Outage::each(&engines, Call::GetReplayRecord, Outage::of_dynamodb(), async |broken| {
        let device = BackedUp::new(&engines).await;
        for route in SIGNED {
            let signed = broken.cloud.sign(&device.identity);
            let answer = device.send_signed(&broken.cloud, &signed, route).await;
            assert_eq!(answer.status, 200, "{} {route:?}", broken.case);
            let replayed = device.send_signed(&broken.cloud, &signed, route).await;
            assert_failure(&broken.case, &replayed, 401, "replayed");
        }
    })
    .await;
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
        format!(r#"{{"Item":{{"uuid":{{"S":"{uuid}"}}}}}}"#),
        format!(r#"{{"Item":{{"uuid":{{"S":"{uuid}"}},"public_key":{{"S":"{INTERNALS}"}}}}}}"#),
        format!(r#"{{"Item":{{"uuid":{{"S":"{uuid}"}},"public_key":{{"N":"1"}}}}}}"#),
    ];
    for item in items {
        for route in SIGNED {
            faults.next(Call::GetDevice, [Fault::bytes(200, item.clone())]);
            let answer = device.send(&cloud, route).await;
            assert_outage(&format!("{route:?}: {item}"), &answer, 500);
        }
        faults.next(Call::GetDevice, [Fault::bytes(200, item.clone())]);
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

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_of_any_call_is_not_noticed() {
    let engines = TestCloud::start().await;
    let failures = [
        Fault::json_error(500, "InternalServerError"),
        Fault::json_error(400, "ThrottlingException"),
        Fault::DropCall,
        Fault::DropAnswer,
    ];
    let calls = [Call::GetDevice, Call::GetReplayRecord, Call::WriteReplayRecord, Call::UpdateDevice];
    let calls = [Call::GetKey, Call::WriteAndSpend, Call::PutKey].into_iter().chain(calls);
    let cases = calls.flat_map(|call| failures.clone().map(|failure| (call, failure)));
    let run = async |(call, failure)| {
        let (cloud, faults) = Faults::over(&engines).await;
        let case = format!("{call:?}: {failure:?}");
        faults.next(call, [failure]);
        let key = cloud.as_user("installer", &[], "POST", "/registration-keys").await.member("key").unwrap();
        let device = new_device();
        assert_eq!(cloud.register(&device, &key).await.status, 204, "{case}");
        assert!(engines.key_item(&key).await.is_none(), "{case}");
        let envelope = device.seal(b"configuration", &[2; 12]).unwrap();
        assert_eq!(cloud.upload(&device, &envelope).await.status, 200, "{case}");
        assert_eq!(&cloud.restore(&device).await.body[..], &envelope[..], "{case}");
        let deleted = cloud.signed(&cloud.sign(&device), "DELETE", "backup", &[], None).await;
        assert_eq!(deleted.status, 200, "{case}");
        assert!(faults.count(call) > 1, "{case}");
    };
    futures::future::join_all(cases.map(run)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_recorded_nonce_is_recognised() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = engines.registered_device().await;
    // No record yet, a record with room, and a record whose oldest nonce is to be dropped.
    for (case, wait, nonces) in [("absent", 0, 1), ("insert", 0, 2), ("turnover", 61, 1)] {
        engines.advance(wait);
        let (signed, before) = (cloud.sign(&device), faults.count(Call::WriteReplayRecord));
        faults.next(Call::WriteReplayRecord, [Fault::DropAnswer]);
        let status = async || cloud.signed(&signed, "GET", "registration", &[], None).await;
        assert_eq!(status().await.status, 200, "{case}");
        assert_eq!(faults.count(Call::WriteReplayRecord) - before, 2, "{case}");
        let record = engines.replay_record(device.uuid()).await.unwrap();
        assert_eq!(record["nonces"].as_m().unwrap().len(), nonces, "{case}");
        assert_failure(case, &status().await, 401, "replayed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_comes_while_the_first_repeats_its_lost_write_is_refused() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let device = engines.registered_device().await;
    let signed = cloud.sign(&device);
    // The second try is held until the copy has been judged.
    faults.next(Call::WriteReplayRecord, [Fault::DropAnswer, Fault::Hold(Box::new(Fault::Pass))]);
    let copy = async {
        faults.arrived(Call::WriteReplayRecord, 2).await;
        let answer = engines.signed(&signed, "GET", "registration", &[], None).await;
        faults.release();
        answer
    };
    let (first, copy) = tokio::join!(cloud.signed(&signed, "GET", "registration", &[], None), copy);
    assert_eq!(first.status, 200);
    assert_failure("the copy", &copy, 401, "replayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_registration_is_recognised() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let (device, key) = (new_device(), engines.mint().await);
    faults.next(Call::WriteAndSpend, [Fault::DropAnswer]);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    // The engine knows the repeated transaction by its ClientRequestToken: nothing had to be read again.
    assert_eq!((faults.count(Call::WriteAndSpend), faults.count(Call::GetDevice)), (2, 1));
    assert!(engines.key_item(key.as_str()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_registration_is_found_in_the_table_once_its_token_is_forgotten() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    let (device, key) = (new_device(), engines.mint().await);
    // What DynamoDB answers to the repeated transaction when it does not recognise it.
    let unrecognised = Fault::cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"]);
    faults.next(Call::WriteAndSpend, [Fault::DropAnswer, unrecognised]);
    assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    assert_eq!((faults.count(Call::WriteAndSpend), faults.count(Call::GetDevice)), (2, 2));
    assert!(engines.key_item(key.as_str()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_new_key_draws_another() {
    let engines = TestCloud::start().await;
    let (cloud, faults) = Faults::over(&engines).await;
    faults.next(Call::PutKey, [Fault::DropAnswer]);
    let key = cloud.mint().await;
    // The write, its repetition, which finds the key taken, and that of the key answered.
    assert_eq!(faults.count(Call::PutKey), 3);
    assert!(keys_of(&engines, "installer").await.contains(&key.as_str().to_owned()));
    assert_eq!(cloud.register(&new_device(), key.as_str()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_never_answered_do_not_hold_up_what_does_not_depend_on_them() {
    let engines = TestCloud::start().await;
    for_each_held(&engines, [Call::GetReplayRecord, Call::UpdateDevice], async |cloud, device| {
        let envelope = device.identity.seal(b"third", &[3; 12]).unwrap();
        assert_eq!(cloud.upload(&device.identity, &envelope).await.status, 200);
        assert_eq!(engines.stored_backup(device.identity.uuid()).await.unwrap().0, envelope);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_never_answered_are_given_up_within_the_deadline() {
    let engines = TestCloud::start().await;
    for_each_held(&engines, [Call::GetDevice, Call::WriteReplayRecord], async |cloud, device| {
        assert_outage("held", &device.send(cloud, ("POST", "backup")).await, 503);
        device.assert_untouched("held").await;
    })
    .await;
}

/// Runs `check` for each of these calls at the same time, in a cloud in which that call is never answered.
async fn for_each_held<const N: usize>(
    engines: &TestCloud,
    calls: [Call; N],
    check: impl AsyncFn(&TestCloud, &BackedUp<'_>),
) {
    let run = async |call| {
        let (cloud, faults) = Faults::over(engines).await;
        let device = BackedUp::new(engines).await;
        faults.every(call, Fault::Hold(Box::new(Fault::DropCall)));
        check(&cloud, &device).await;
        assert!(faults.count(call) > 0, "{call:?}");
    };
    futures::future::join_all(calls.map(run)).await;
}

/// A registered device with a backup.
struct BackedUp<'a> {
    engines: &'a TestCloud,
    identity: Identity,
    envelope: Vec<u8>,
}

impl<'a> BackedUp<'a> {
    async fn new(engines: &'a TestCloud) -> Self {
        let identity = engines.registered_device().await;
        let envelope = identity.seal(b"before", &[0; 12]).unwrap();
        assert_eq!(engines.upload(&identity, &envelope).await.status, 200);
        Self { engines, identity, envelope }
    }

    /// Sends a freshly signed request; an upload is of another envelope than the stored one.
    async fn send(&self, cloud: &TestCloud, route: (&str, &str)) -> Response {
        self.send_signed(cloud, &cloud.sign(&self.identity), route).await
    }

    async fn send_signed(&self, cloud: &TestCloud, signed: &SignedHeaders, (method, what): (&str, &str)) -> Response {
        let other = self.identity.seal(b"after", &[9; 12]).unwrap();
        cloud.signed(signed, method, what, &[], (method == "POST").then_some(&other[..])).await
    }

    /// Asserts that each request succeeds.
    async fn assert_served(&self, broken: &Broken) {
        for route in SIGNED {
            assert_eq!(self.send(&broken.cloud, route).await.status, 200, "{} {route:?}", broken.case);
        }
    }

    /// Asserts that the device and its backup are as they were.
    async fn assert_untouched(&self, case: &str) {
        let uuid = self.identity.uuid();
        assert_eq!(self.engines.stored_backup(uuid).await.unwrap().0, self.envelope, "{case}");
        assert_eq!(backup_date(self.engines, uuid).await, Some(self.engines.now().to_string()), "{case}");
        assert_eq!(self.engines.object_versions(uuid).await.len(), 1, "{case}");
    }
}

/// `last_backup_date` of a device.
async fn backup_date(engines: &TestCloud, device: DeviceId) -> Option<String> {
    let item = engines.device_item(device).await.unwrap();
    item.get("last_backup_date").map(|date| date.as_s().unwrap().clone())
}

/// The keys that a user has made.
async fn keys_of(engines: &TestCloud, sub: &str) -> Vec<String> {
    let items = engines.items(KEYS, "key").await.into_iter();
    items.filter(|(_, item)| item["generated_by_sub"].as_s().unwrap() == sub).map(|(key, _)| key).collect()
}
