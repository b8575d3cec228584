//! `RegistrationKeys`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use emulator_kit::faults::Fault;
use firefly_core::registration::RegistrationKey;
use firefly_core::user::User;
use firefly_runtime::Random;
use firefly_stores::{MintError, StoreError};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::engines::{Engines, Item, KEYS, NOW, item, number, text};

const SEED: u64 = 7;

fn anna() -> User {
    User::of_claims(Some("anna"), Some("anna@example.com")).unwrap()
}

/// The first keys that the seeded generator draws.
fn drawn(count: usize) -> Vec<String> {
    let mut generator = StdRng::seed_from_u64(SEED);
    (0..count).map(|_| RegistrationKey::generate(&mut generator).as_str().to_owned()).collect()
}

fn seeded() -> Random {
    Random::from_rng(StdRng::seed_from_u64(SEED))
}

/// A key of a user, live until `ttl`.
fn key_of(sub: &str, key: &str, ttl: u64) -> Item {
    item([
        ("key", text(key)),
        ("ttl", number(ttl)),
        ("generated_at", number(ttl - 1_800)),
        ("generated_by_sub", text(sub)),
    ])
}

/// Lays down the item of a user's live keys, with the last second of each.
async fn put_live(engines: &Engines, sub: &str, keys: &[(&str, u64)]) {
    let entries = keys.iter().map(|(key, ttl)| ((*key).to_owned(), number(*ttl))).collect();
    let record = item([
        ("key", text(&format!("live-keys#{sub}"))),
        ("version", number(7)),
        ("turnover_at", number(keys.iter().map(|(_, ttl)| *ttl).min().unwrap())),
        ("keys", AttributeValue::M(entries)),
    ]);
    engines.put(KEYS, record).await;
}

/// The entries of a user's item.
async fn live(engines: &Engines, sub: &str) -> BTreeMap<String, AttributeValue> {
    let item = engines.item(KEYS, &format!("live-keys#{sub}")).await.unwrap();
    item["keys"].as_m().unwrap().clone().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_stored_with_its_maker_and_its_last_second() {
    let engines = Engines::start().await;
    let new = engines.registration_keys_of(seeded()).create(&anna(), NOW).await.unwrap();
    let key = &drawn(1)[0];
    assert_eq!(serde_json::to_value(new).unwrap(), json!({ "key": key, "expires_at": NOW.get() + 1_800 }));
    let mut expected = key_of("anna", key, NOW.get() + 1_800);
    expected.insert("generated_by_email".to_owned(), text("anna@example.com"));
    assert_eq!(engines.item(KEYS, key).await, Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_key_is_never_overwritten_and_one_at_its_last_second_is() {
    let engines = Engines::start().await;
    let keys = drawn(2);
    for (ttl, given) in [(NOW.get() + 1, &keys[1]), (NOW.get(), &keys[0])] {
        let of_ben = key_of("ben", &keys[0], ttl);
        engines.put(KEYS, of_ben.clone()).await;
        let new = engines.registration_keys_of(seeded()).create(&anna(), NOW).await.unwrap();
        assert_eq!(&serde_json::to_value(new).unwrap()["key"], given);
        let kept = engines.item(KEYS, &keys[0]).await == Some(of_ben);
        assert_eq!(kept, given == &keys[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_every_draw_is_live_is_unavailable() {
    let engines = Engines::start().await;
    for key in drawn(12) {
        engines.put(KEYS, key_of("ben", &key, NOW.get() + 1)).await;
    }
    let error = engines.registration_keys_of(seeded()).create(&anna(), NOW).await.err().unwrap();
    let MintError::Store(StoreError::Unavailable { operation, cause }) = error else { panic!("{error}") };
    let expected = "every key drawn was live already, or other writes came first";
    assert_eq!((operation, cause.as_str()), ("dynamodb:TransactWriteItems", expected));
    assert_eq!(engines.faults.count("TransactWriteItems"), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_answer_is_lost_is_not_given_out_twice() {
    let engines = Engines::start().await;
    let unrecognised = Fault::cancelled(&["ConditionalCheckFailed", "None"]);
    engines.faults.next("TransactWriteItems", [Fault::DropAnswer, unrecognised]);
    let new = engines.registration_keys_of(seeded()).create(&anna(), NOW).await.unwrap();
    // The repeated write finds the first one's key live, and another is drawn.
    assert_eq!(serde_json::to_value(new).unwrap()["key"], drawn(2)[1].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_shown_their_own_live_keys_oldest_first() {
    let engines = Engines::start().await;
    let now = NOW.get();
    for (sub, key, ttl) in [
        ("anna", "YOUNG0", now + 1_800),
        ("anna", "OLD000", now + 1),
        ("anna", "ENDED0", now),
        ("anna", "ENDED1", now - 1),
        ("ben", "OTHERS", now + 1_800),
    ] {
        engines.put(KEYS, key_of(sub, key, ttl)).await;
    }
    // Of an entry without its key, and of one whose key another user has been given since, nothing is shown.
    let mine =
        [("YOUNG0", now + 1_800), ("OLD000", now + 1), ("ENDED0", now), ("ENDED1", now - 1), ("SPENT0", now + 9)];
    put_live(&engines, "anna", &[&mine[..], &[("OTHERS", now + 9)]].concat()).await;
    let listed = serde_json::to_value(engines.registration_keys().list(&anna(), NOW).await.unwrap()).unwrap();
    let keys: Vec<_> = listed.as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["OLD000", "YOUNG0"]);
    assert_eq!(listed[0], json!({ "key": "OLD000", "generated_at": now - 1_799, "expires_at": now + 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_time_of_its_making_has_its_whole_lifetime() {
    let engines = Engines::start().await;
    for generated_at in [None, Some(text("yesterday"))] {
        let mut key = key_of("anna", "ABC123", NOW.get() + 100);
        key.remove("generated_at");
        key.extend(generated_at.map(|value| ("generated_at".to_owned(), value)));
        engines.put(KEYS, key).await;
        put_live(&engines, "anna", &[("ABC123", NOW.get() + 100)]).await;
        let listed = serde_json::to_value(engines.registration_keys().list(&anna(), NOW).await.unwrap()).unwrap();
        assert_eq!(listed[0]["generated_at"], Value::from(NOW.get() + 100 - 1_800));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_malformed_ttl_is_reported() {
    let engines = Engines::start().await;
    let mut key = key_of("anna", "ABC123", NOW.get());
    key.insert("ttl".to_owned(), number("2000000000.5"));
    engines.put(KEYS, key).await;
    put_live(&engines, "anna", &[("ABC123", NOW.get() + 100)]).await;
    let error = engines.registration_keys().list(&anna(), NOW).await.err().unwrap();
    assert!(matches!(error, StoreError::Malformed { item: "a registration key", attribute: "ttl" }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_is_a_store_error() {
    let engines = Engines::start().await;
    put_live(&engines, "anna", &[("ABC123", NOW.get() + 100)]).await;
    for call in ["TransactWriteItems", "GetItem", "BatchGetItem", "DeleteItem", "UpdateItem"] {
        for (fault, may_help) in [
            (Fault::json_error(400, "AccessDeniedException"), false),
            (Fault::json_error(500, "InternalServerError"), true),
        ] {
            engines.faults.mend();
            engines.faults.every(call, fault);
            let keys = engines.registration_keys();
            let error = match call {
                "TransactWriteItems" => match keys.create(&anna(), NOW).await.err().unwrap() {
                    MintError::Store(error) => error,
                    other => panic!("{other}"),
                },
                "GetItem" | "BatchGetItem" => keys.list(&anna(), NOW).await.err().unwrap(),
                _ => keys.revoke(&anna(), &"ABC123".parse().unwrap()).await.unwrap_err(),
            };
            let operation = format!("dynamodb:{call}");
            match error {
                StoreError::Unavailable { operation: failed, .. } => {
                    assert_eq!((failed, true), (&*operation, may_help))
                }
                StoreError::Failed { operation: failed, .. } => assert_eq!((failed, false), (&*operation, may_help)),
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_left_unprocessed_each_time_are_an_outage() {
    let engines = Engines::start().await;
    put_live(&engines, "anna", &[("ABC123", NOW.get() + 100)]).await;
    let left = json!({ KEYS: { "Keys": [{ "key": { "S": "ABC123" } }], "ConsistentRead": true } });
    let unprocessed = json!({ "Responses": {}, "UnprocessedKeys": left }).to_string();
    engines.faults.every("BatchGetItem", Fault::bytes(200, unprocessed));
    let error = engines.registration_keys().list(&anna(), NOW).await.err().unwrap();
    let StoreError::Unavailable { operation, cause } = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("dynamodb:BatchGetItem", "keys were left unprocessed each time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_its_entry_are_written_at_once_and_lapsed_entries_leave() {
    let engines = Engines::start().await;
    let now = NOW.get();
    for (turnover, left) in [(now, vec!["LIVE00"]), (now + 1, vec!["LAPSE0", "LIVE00"])] {
        put_live(&engines, "anna", &[("LAPSE0", turnover), ("LIVE00", now + 9)]).await;
        let new = serde_json::to_value(engines.registration_keys().create(&anna(), NOW).await.unwrap()).unwrap();
        let key = new["key"].as_str().unwrap();
        let mut entries = live(&engines, "anna").await;
        assert_eq!(entries.remove(key), Some(number(now + 1_800)));
        assert_eq!(entries.into_keys().collect::<Vec<_>>(), left);
        let record = engines.item(KEYS, "live-keys#anna").await.unwrap();
        assert_eq!((&record["version"], &record["ttl"]), (&number(8), &number(now + 1_800)));
        let earliest = if turnover == now { now + 9 } else { now + 1 };
        assert_eq!(record["turnover_at"], number(earliest));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_200_live_keys_gets_no_other() {
    let engines = Engines::start().await;
    let now = NOW.get();
    let names: Vec<_> = (0..200).map(|n| format!("KEY{n:03}")).collect();
    for (last, refused) in [(now + 7, true), (now, false)] {
        let mut keys: Vec<_> = names.iter().map(|name| (name.as_str(), now + 9)).collect();
        keys[199].1 = last;
        put_live(&engines, "anna", &keys).await;
        match engines.registration_keys().create(&anna(), NOW).await {
            Err(MintError::TooManyLiveKeys { retry_after_seconds }) => {
                assert_eq!((retry_after_seconds, refused), (7, true))
            }
            Ok(_) => assert!(!refused),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(live(&engines, "anna").await.len(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_written_meanwhile_is_read_again() {
    let engines = Engines::start().await;
    for reasons in [["None", "ConditionalCheckFailed"], ["None", "TransactionConflict"]] {
        let before = engines.faults.count("GetItem");
        engines.faults.next("TransactWriteItems", [Fault::cancelled(&reasons), Fault::cancelled(&reasons)]);
        engines.registration_keys().create(&anna(), NOW).await.unwrap();
        assert_eq!(engines.faults.count("GetItem") - before, 3);
    }
    let (one, other) = (engines.registration_keys(), engines.registration_keys());
    let anna = anna();
    let both = tokio::join!(one.create(&anna, NOW), other.create(&anna, NOW));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(live(&engines, "anna").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_item_of_live_keys_is_reported() {
    let engines = Engines::start().await;
    for (attribute, value) in [
        ("version", text("seven")),
        ("turnover_at", text("soon")),
        ("keys", text("ABC123")),
        ("keys", AttributeValue::M(item([("abc", number(1))]))),
        ("keys", AttributeValue::M(item([("ABC123", text("soon"))]))),
    ] {
        put_live(&engines, "anna", &[("ABC123", NOW.get() + 100)]).await;
        let mut record = engines.item(KEYS, "live-keys#anna").await.unwrap();
        record.insert(attribute.to_owned(), value);
        engines.put(KEYS, record).await;
        let error = engines.registration_keys().list(&anna(), NOW).await.err().unwrap();
        let StoreError::Malformed { item: found, attribute: malformed } = error else { panic!("{error}") };
        assert_eq!((found, malformed), ("the live keys of a user", attribute));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_revokes_their_own_key_and_no_other() {
    let engines = Engines::start().await;
    let ttl = NOW.get() + 9;
    for (sub, key) in [("anna", "ANNA00"), ("anna", "ANNA01"), ("ben", "BEN000")] {
        engines.put(KEYS, key_of(sub, key, ttl)).await;
    }
    put_live(&engines, "anna", &[("ANNA00", ttl), ("ANNA01", ttl)]).await;
    put_live(&engines, "ben", &[("BEN000", ttl)]).await;
    let keys = engines.registration_keys();
    for key in ["ANNA00", "ANNA00", "BEN000", "NOBODY"] {
        keys.revoke(&anna(), &key.parse().unwrap()).await.unwrap();
    }
    assert_eq!(engines.item(KEYS, "ANNA00").await, None);
    assert_eq!(live(&engines, "anna").await.into_keys().collect::<Vec<_>>(), ["ANNA01"]);
    assert_eq!(engines.item(KEYS, "BEN000").await, Some(key_of("ben", "BEN000", ttl)));
    assert_eq!(live(&engines, "ben").await.len(), 1);
    // A user without an item does not get one.
    let zoe = User::of_claims(Some("zoe"), None).unwrap();
    keys.revoke(&zoe, &"ANNA01".parse().unwrap()).await.unwrap();
    assert_eq!(engines.item(KEYS, "live-keys#zoe").await, None);
    assert!(engines.item(KEYS, "ANNA01").await.is_some());
}
