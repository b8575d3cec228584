//! A registration key that is live is never given out again. The generator of these tests is seeded, so that the keys it
//! draws are known beforehand.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::time::Duration;

use firefly_core::registration::RegistrationKey;
use firefly_runtime::{Environment, Metrics, Random};
use firefly_testkit::stored::{Item, KEYS, item, number, text};
use firefly_testkit::{Invoked, TestCloud};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const SEED: u64 = 7;

/// The first keys that the seeded generator draws.
fn drawn(count: usize) -> Vec<String> {
    let mut generator = StdRng::seed_from_u64(SEED);
    (0..count).map(|_| RegistrationKey::generate(&mut generator).as_str().to_owned()).collect()
}

/// The answer of a function with this generator to a request of the user `anna`.
async fn create(cloud: &TestCloud) -> Value {
    let mut variables = cloud.environment_as("firefly-local");
    variables.insert("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME".to_owned(), KEYS.to_owned());
    let environment = Environment::new(variables).with_random(Random::from_rng(StdRng::seed_from_u64(SEED)));
    let function = Invoked::start("func-api-registration-keys-post", &environment, Metrics::new(std::io::sink()));
    let claims = json!({ "sub": "anna", "email": "anna@example.com" });
    let context = json!({ "http": { "method": "POST" }, "authorizer": { "jwt": { "claims": claims } } });
    let event = json!({ "requestContext": context });
    let payload = function.payload(cloud.now(), Duration::from_secs(20), &event).await.unwrap();
    serde_json::from_str(&payload).unwrap()
}

/// The item of somebody else's key with this `ttl`.
fn of_ben(key: &str, ttl: u64) -> Item {
    item([("key", text(key)), ("ttl", number(ttl)), ("generated_by_sub", text("ben"))])
}

fn key_of(answer: &Value) -> String {
    assert_eq!(answer["statusCode"], 201, "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    body["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_drawn_in_place_of_a_live_one() {
    let cloud = TestCloud::start().await;
    let keys = drawn(4);
    let live = of_ben(&keys[0], cloud.now().get() + 1);
    cloud.put_item(KEYS, live.clone()).await;
    assert_eq!(key_of(&create(&cloud).await), keys[1]);
    assert_eq!(key_of(&create(&cloud).await), keys[2]);
    assert_eq!(cloud.key_item(&keys[0]).await, Some(live));
    // At its `ttl` a key is free to be drawn again.
    cloud.advance(1);
    assert_eq!(key_of(&create(&cloud).await), keys[0]);
    assert_eq!(cloud.key_item(&keys[0]).await.unwrap()["generated_by_sub"], text("anna"));
    assert_eq!(key_of(&create(&cloud).await), keys[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_live_keys_drawn_in_a_row_are_503() {
    let cloud = TestCloud::start().await;
    let ttl = cloud.now().get() + 1_800;
    let live: Vec<_> = drawn(100).iter().map(|key| of_ben(key, ttl)).collect();
    cloud.put_items(KEYS, live).await;
    let before = cloud.items(KEYS, "key").await;
    let answer = create(&cloud).await;
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert_eq!(cloud.items(KEYS, "key").await, before);
}
