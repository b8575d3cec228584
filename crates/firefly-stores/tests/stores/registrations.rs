//! `Registrations::register`: its order, its races, and the reasons for which its transaction is cancelled.

use emulator_kit::faults::Fault;
use firefly_core::registration::RegistrationKey;
use firefly_core::source_address::SourceAddress;
use firefly_stores::{RegisterError, Registered, StoreError};
use futures_util::future::join_all;

use crate::controller::Controller;
use crate::engines::{DEVICES, Engines, KEYS, NOW, item, number, text};

pub(crate) fn source() -> SourceAddress {
    SourceAddress::new("192.0.2.1".parse().unwrap())
}

pub(crate) fn key(text: &str) -> RegistrationKey {
    text.parse().unwrap()
}

/// Lays down a key that is live until `ttl`.
pub(crate) async fn put_key(engines: &Engines, key: &str, ttl: u64) {
    let made_by = ("generated_by_sub", text("anna"));
    engines.put(KEYS, item([("key", text(key)), ("ttl", number(ttl)), made_by])).await;
}

async fn register(engines: &Engines, controller: &Controller, text: &str) -> Result<Registered, RegisterError> {
    engines.registrations().register(&controller.new_device(), &key(text), source(), NOW).await
}

async fn is_registered(engines: &Engines, controller: &Controller) -> bool {
    let row = engines.item(DEVICES, &controller.id.to_string()).await;
    row.is_some_and(|row| row["public_key"] == text(&controller.public_key()))
}

async fn is_spent(engines: &Engines, key: &str) -> bool {
    engines.item(KEYS, key).await.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_written_with_its_key_s_maker_and_the_key_is_spent() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    assert_eq!(register(&engines, &controller, "ABC123").await.unwrap(), Registered::Now);
    assert!(is_spent(&engines, "ABC123").await);
    let row = engines.item(DEVICES, &controller.id.to_string()).await.unwrap();
    for (attribute, value) in [
        ("public_key", text(&controller.public_key())),
        ("product_hex", text("0xFF010001")),
        ("registration_date", text(&NOW.to_string())),
        ("registered_by_sub", text("anna")),
        ("registered_by_email", text("")),
    ] {
        assert_eq!(row[attribute], value, "{attribute}");
    }
    assert_eq!(row["mcu"].as_m().unwrap()["cores"], number(2));
    assert!(!row.contains_key("partitions"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_registered_spends_no_key_whatever_it_sends() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(DEVICES, controller.row()).await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    for key in ["ABC123", "WRONG0"] {
        assert_eq!(register(&engines, &controller, key).await.unwrap(), Registered::Before);
    }
    assert!(!is_spent(&engines, "ABC123").await);
    assert_eq!(engines.faults.count("TransactWriteItems") + engines.faults.count("UpdateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_a_spent_and_an_expired_key_are_not_live() {
    let engines = Engines::start().await;
    put_key(&engines, "SPENT0", NOW.get() + 1).await;
    register(&engines, &Controller::new(2), "SPENT0").await.unwrap();
    // A key ends with the first instant of its `ttl`.
    put_key(&engines, "ENDED0", NOW.get()).await;
    for key in ["WRONG0", "SPENT0", "ENDED0"] {
        let error = register(&engines, &Controller::new(1), key).await.unwrap_err();
        assert!(matches!(error, RegisterError::KeyNotLive), "{key}: {error}");
    }
    assert!(!is_registered(&engines, &Controller::new(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uuid_with_another_public_key_is_taken_once_the_key_is_live() {
    let engines = Engines::start().await;
    engines.put(DEVICES, Controller::new(1).row()).await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    let other = Controller::with_key(1, 2);
    let error = register(&engines, &other, "WRONG0").await.unwrap_err();
    assert!(matches!(error, RegisterError::KeyNotLive), "{error}");
    let error = register(&engines, &other, "ABC123").await.unwrap_err();
    assert!(matches!(error, RegisterError::RegisteredWithOtherKey), "{error}");
    assert!(!is_spent(&engines, "ABC123").await);
    assert!(is_registered(&engines, &Controller::new(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_devices_with_one_key_one_is_registered() {
    let engines = Engines::start().await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    let controllers: Vec<_> = (1..=20).map(Controller::new).collect();
    let results = join_all(controllers.iter().map(|controller| register(&engines, controller, "ABC123"))).await;
    for (controller, result) in controllers.iter().zip(&results) {
        assert!(matches!(result, Ok(Registered::Now) | Err(RegisterError::KeyNotLive)), "{result:?}");
        assert_eq!(is_registered(&engines, controller).await, result.is_ok());
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_copies_of_a_registration_all_succeed_and_one_key_is_spent() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    for key in ["ABC123", "DEF456"] {
        put_key(&engines, key, NOW.get() + 1).await;
    }
    let copies = (0..10).map(|copy| register(&engines, &controller, if copy % 2 == 0 { "ABC123" } else { "DEF456" }));
    let results: Vec<_> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().filter(|registered| **registered == Registered::Now).count(), 1);
    let spent = [is_spent(&engines, "ABC123").await, is_spent(&engines, "DEF456").await];
    assert_eq!(spent.iter().filter(|spent| **spent).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_public_keys_for_one_uuid_one_is_registered_and_the_other_keeps_its_key() {
    let engines = Engines::start().await;
    for key in ["ABC123", "DEF456"] {
        put_key(&engines, key, NOW.get() + 1).await;
    }
    let [one, other] = [Controller::with_key(1, 1), Controller::with_key(1, 2)];
    let (first, second) = tokio::join!(register(&engines, &one, "ABC123"), register(&engines, &other, "DEF456"));
    let won = [first.is_ok(), second.is_ok()];
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    for error in [first.err(), second.err()].into_iter().flatten() {
        assert!(matches!(error, RegisterError::RegisteredWithOtherKey), "{error}");
    }
    assert_eq!([is_spent(&engines, "ABC123").await, is_spent(&engines, "DEF456").await], won);
    assert_eq!([is_registered(&engines, &one).await, is_registered(&engines, &other).await], won);
}

/// Registers a device; `meanwhile` happens between its reads and its transaction.
async fn register_while(engines: &Engines, meanwhile: impl Future<Output = ()>) -> Result<Registered, RegisterError> {
    let calls = engines.faults.count("TransactWriteItems");
    engines.faults.next("TransactWriteItems", [Fault::Hold(Box::new(Fault::Pass))]);
    let change = async {
        engines.faults.arrived("TransactWriteItems", calls + 1).await;
        meanwhile.await;
        engines.faults.release();
    };
    let controller = Controller::new(1);
    tokio::join!(register(engines, &controller, "ABC123"), change).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_spent_or_ends_before_the_transaction_is_not_live() {
    for ttl in [None, Some(NOW.get())] {
        let engines = Engines::start().await;
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        let meanwhile = async {
            match ttl {
                None => engines.delete(KEYS, "ABC123").await,
                Some(ttl) => put_key(&engines, "ABC123", ttl).await,
            }
        };
        let error = register_while(&engines, meanwhile).await.unwrap_err();
        assert!(matches!(error, RegisterError::KeyNotLive), "{error}");
        assert!(!is_registered(&engines, &Controller::new(1)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uuid_that_is_taken_before_the_transaction_keeps_its_row_and_spends_no_key() {
    for public_key in [1, 2] {
        let engines = Engines::start().await;
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        let row = Controller::with_key(1, public_key).row();
        let result = register_while(&engines, engines.put(DEVICES, row.clone())).await;
        match result {
            Ok(Registered::Before) => assert_eq!(public_key, 1),
            Err(RegisterError::RegisteredWithOtherKey) => assert_eq!(public_key, 2),
            other => panic!("{other:?}"),
        }
        assert_eq!(engines.item(DEVICES, &Controller::new(1).id.to_string()).await, Some(row));
        assert!(!is_spent(&engines, "ABC123").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_lost_a_race_is_decided_again() {
    for reasons in [
        ["ConditionalCheckFailed", "None"],
        ["None", "ConditionalCheckFailed"],
        ["ConditionalCheckFailed", "ConditionalCheckFailed"],
        ["TransactionConflict", "None"],
        ["ConditionalCheckFailed", "TransactionConflict"],
    ] {
        let (engines, controller) = (Engines::start().await, Controller::new(1));
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        engines.faults.next("TransactWriteItems", [Fault::cancelled(&reasons), Fault::cancelled(&reasons)]);
        assert_eq!(register(&engines, &controller, "ABC123").await.unwrap(), Registered::Now, "{reasons:?}");
        assert_eq!(engines.faults.count("TransactWriteItems"), 3, "{reasons:?}");
        assert!(is_spent(&engines, "ABC123").await && is_registered(&engines, &controller).await, "{reasons:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_loses_every_race_is_an_outage() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    engines.faults.every("TransactWriteItems", Fault::cancelled(&["None", "TransactionConflict"]));
    let error = register(&engines, &controller, "ABC123").await.unwrap_err();
    let RegisterError::Store(StoreError::Unavailable { operation, cause }) = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("dynamodb:TransactWriteItems", "other writes came first each time"));
    assert_eq!(engines.faults.count("TransactWriteItems"), 12);
    assert!(!is_spent(&engines, "ABC123").await && !is_registered(&engines, &controller).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_cancelled_for_another_reason_is_not_repeated() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    for (fault, may_help) in [
        (Fault::cancelled(&["ThrottlingError", "None"]), true),
        (Fault::cancelled(&["ConditionalCheckFailed", "ProvisionedThroughputExceeded"]), true),
        (Fault::cancelled(&["None", "ValidationError"]), false),
        (Fault::cancelled(&["ItemCollectionSizeLimitExceeded", "None"]), false),
        (Fault::cancelled(&["None", "None"]), false),
        (Fault::cancelled(&[]), false),
        (Fault::json_error(400, "AccessDeniedException"), false),
        (Fault::json_error(400, "TransactionInProgressException"), true),
    ] {
        engines.faults.every("TransactWriteItems", fault);
        let error = register(&engines, &controller, "ABC123").await.unwrap_err();
        let RegisterError::Store(error) = error else { panic!("{error}") };
        assert_eq!(matches!(error, StoreError::Unavailable { .. }), may_help, "{error}");
        assert_eq!(matches!(error, StoreError::Failed { .. }), !may_help, "{error}");
    }
    assert!(!is_spent(&engines, "ABC123").await && !is_registered(&engines, &controller).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_answer_is_lost_has_registered_the_device() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    engines.faults.next("TransactWriteItems", [Fault::DropAnswer]);
    register(&engines, &controller, "ABC123").await.unwrap();
    assert!(is_spent(&engines, "ABC123").await && is_registered(&engines, &controller).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_items_are_reported() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    engines.put(KEYS, item([("key", text("ABC123")), ("ttl", text("soon"))])).await;
    let error = register(&engines, &controller, "ABC123").await.unwrap_err();
    let RegisterError::Store(StoreError::Malformed { item: found, attribute }) = error else { panic!("{error}") };
    assert_eq!((found, attribute), ("a registration key", "ttl"));
    engines.put(DEVICES, item([("uuid", text(&controller.id.to_string())), ("public_key", text("AAAA"))])).await;
    let error = register(&engines, &controller, "ABC123").await.unwrap_err();
    let RegisterError::Store(StoreError::Malformed { item: found, attribute }) = error else { panic!("{error}") };
    assert_eq!((found, attribute), ("a device", "public_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_is_a_store_error() {
    let (engines, controller) = (Engines::start().await, Controller::new(1));
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    for (fault, may_help) in [
        (Fault::json_error(400, "AccessDeniedException"), false),
        (Fault::json_error(500, "InternalServerError"), true),
    ] {
        engines.faults.every("GetItem", fault);
        let error = register(&engines, &controller, "ABC123").await.unwrap_err();
        let RegisterError::Store(error) = error else { panic!("{error}") };
        assert_eq!(matches!(error, StoreError::Unavailable { operation: "dynamodb:GetItem", .. }), may_help, "{error}");
        assert_eq!(matches!(error, StoreError::Failed { operation: "dynamodb:GetItem", .. }), !may_help, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_key_leaves_its_maker_s_live_keys_and_a_failure_of_that_changes_no_answer() {
    for (fault, left) in [(None, 1), (Some(Fault::json_error(400, "AccessDeniedException")), 2)] {
        let (engines, controller) = (Engines::start().await, Controller::new(1));
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        let entries = item([("ABC123", number(NOW.get() + 1)), ("DEF456", number(NOW.get() + 1))]);
        let record = item([
            ("key", text("live-keys#anna")),
            ("version", number(7)),
            ("turnover_at", number(NOW.get() + 1)),
            ("keys", aws_sdk_dynamodb::types::AttributeValue::M(entries)),
        ]);
        engines.put(KEYS, record).await;
        // The try and its count, then giving back both and the key's entry.
        let failing =
            fault.into_iter().flat_map(|fault| [Fault::Pass, Fault::Pass, fault.clone(), fault.clone(), fault]);
        engines.faults.next("UpdateItem", failing.collect::<Vec<_>>());
        assert_eq!(register(&engines, &controller, "ABC123").await.unwrap(), Registered::Now);
        let record = engines.item(KEYS, "live-keys#anna").await.unwrap();
        assert_eq!(record["keys"].as_m().unwrap().len(), left);
        assert_eq!(record["version"], number(9 - left));
    }
}
