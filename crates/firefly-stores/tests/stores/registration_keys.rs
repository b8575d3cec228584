//! `RegistrationKeys`.

use emulator_kit::faults::Fault;
use firefly_core::caller::Caller;
use firefly_core::registration::RegistrationKey;
use firefly_runtime::Random;
use firefly_stores::StoreError;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::engines::{Engines, Item, KEYS, NOW, item, number, text};

const SEED: u64 = 7;

fn anna() -> Caller {
    Caller::of_claims(Some("anna"), Some("anna@example.com")).unwrap()
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
    let StoreError::Unavailable { operation, cause } = error else { panic!("{error}") };
    assert_eq!((operation, cause.as_str()), ("dynamodb:PutItem", "every key drawn is live already"));
    assert_eq!(engines.faults.count("PutItem"), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_answer_is_lost_is_not_given_out_twice() {
    let engines = Engines::start().await;
    engines.faults.next("PutItem", [Fault::DropAnswer]);
    let new = engines.registration_keys_of(seeded()).create(&anna(), NOW).await.unwrap();
    // The repeated write finds the first one's key live and draws another.
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
    let error = engines.registration_keys().list(&anna(), NOW).await.err().unwrap();
    assert!(matches!(error, StoreError::Malformed { item: "a registration key", attribute: "ttl" }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_is_a_store_error() {
    let engines = Engines::start().await;
    for (call, operation) in [("PutItem", "dynamodb:PutItem"), ("Scan", "dynamodb:Scan")] {
        for (fault, may_help) in [
            (Fault::json_error(400, "AccessDeniedException"), false),
            (Fault::json_error(500, "InternalServerError"), true),
        ] {
            engines.faults.every(call, fault);
            let keys = engines.registration_keys();
            let error = match call {
                "PutItem" => keys.create(&anna(), NOW).await.err().unwrap(),
                _ => keys.list(&anna(), NOW).await.err().unwrap(),
            };
            match error {
                StoreError::Unavailable { operation: failed, .. } => assert_eq!((failed, true), (operation, may_help)),
                StoreError::Failed { operation: failed, .. } => assert_eq!((failed, false), (operation, may_help)),
                other => panic!("{other}"),
            }
        }
    }
}
