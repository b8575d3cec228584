//! `POST` and `GET /registration-keys`: minting one-time keys and listing one's own.
#![expect(clippy::panic, clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_device::Response;
use firefly_local::issuer::{AUDIENCE, ISSUER};
use firefly_testkit::answer::{assert_failure, assert_message, json};
use firefly_testkit::stored::{Item, KEYS, item, number, text};
use firefly_testkit::wire::Tap;
use firefly_testkit::{START, TestCloud, new_device};
use futures::future::join_all;
use serde_json::{Value, json};

/// The item of a key of this user that expires `1800` s after `generated_at`.
fn key_item(key: &str, sub: &str, generated_at: u64) -> Item {
    item([
        ("key", text(key)),
        ("ttl", number(generated_at + 1_800)),
        ("generated_at", number(generated_at)),
        ("generated_by_sub", text(sub)),
        ("generated_by_email", text(format!("{sub}@example.com"))),
    ])
}

/// Lays down keys of a user, by name and time of making, as minting leaves them.
async fn put_keys(cloud: &TestCloud, sub: &str, keys: impl IntoIterator<Item = (String, u64)>) {
    let mut live = Item::new();
    for (key, generated_at) in keys {
        cloud.put_item(KEYS, key_item(&key, sub, generated_at)).await;
        live.insert(key, number(generated_at + 1_800));
    }
    cloud.put_item(KEYS, live_keys(sub, live)).await;
}

/// The item of a user's live keys.
fn live_keys(sub: &str, keys: Item) -> Item {
    item([
        ("key", text(format!("live-keys#{sub}"))),
        ("version", number(1)),
        ("turnover_at", number(START)),
        ("keys", AttributeValue::M(keys)),
        ("ttl", number(START + 1_800)),
    ])
}

/// The keys that a user's item names, with their expiry.
async fn entries(cloud: &TestCloud, sub: &str) -> BTreeMap<String, u64> {
    let item = cloud.item(KEYS, "key", &format!("live-keys#{sub}")).await.unwrap();
    let entries = item["keys"].as_m().unwrap().iter();
    entries.map(|(key, expires_at)| (key.clone(), expires_at.as_n().unwrap().parse().unwrap())).collect()
}

async fn mint(cloud: &TestCloud, sub: &str) -> Response {
    cloud.as_user(sub, &[], "POST", "/registration-keys").await
}

async fn list(cloud: &TestCloud, sub: &str) -> Vec<Value> {
    let answer = cloud.as_user(sub, &[], "GET", "/registration-keys").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let Value::Object(mut body) = json(&answer) else { panic!("no object") };
    assert_eq!(body.keys().collect::<Vec<_>>(), ["registration_keys"]);
    match body.remove("registration_keys") {
        Some(Value::Array(keys)) => keys,
        _ => panic!("no list"),
    }
}

async fn with_token(cloud: &TestCloud, method: &str, authorization: &str) -> Response {
    cloud.request(method, "/registration-keys", &[("Authorization", authorization)], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_for_half_an_hour() {
    let cloud = TestCloud::start().await;
    let mut keys = BTreeSet::new();
    for age in 0..20 {
        cloud.set_now(START + age);
        let answer = cloud.as_user("anna", &[], "POST", "/registration-keys").await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let key = answer.member("key").unwrap();
        assert_eq!(json(&answer), json!({ "key": key, "expires_at": START + age + 1_800 }));
        assert!(key.len() == 6 && key.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{key}");
        assert_eq!(cloud.key_item(&key).await, Some(key_item(&key, "anna", START + age)));
        keys.insert(key);
    }
    assert_eq!(keys.len(), 20);
    let stored = cloud.items(KEYS, "key").await.into_keys().filter(|key| key != "live-keys#anna");
    assert_eq!(stored.collect::<BTreeSet<_>>(), keys);
}

/// An access token has neither an audience nor an e-mail address; an unknown value is stored empty.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_makes_keys_too() {
    let cloud = TestCloud::start().await;
    let claims = json!({ "iss": ISSUER, "client_id": AUDIENCE, "exp": START + 60, "sub": "7f1c", "scope": "openid" });
    let answer = with_token(&cloud, "POST", &format!("Bearer {}", cloud.token_with(&claims))).await;
    assert_eq!(answer.status, 201);
    let item = cloud.key_item(&answer.member("key").unwrap()).await.unwrap();
    assert_eq!((&item["generated_by_sub"], &item["generated_by_email"]), (&text("7f1c"), &text("")));
    assert_eq!(list(&cloud, "7f1c").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_is_401() {
    let cloud = TestCloud::start().await;
    let good = json!({ "iss": ISSUER, "aud": AUDIENCE, "iat": START, "exp": START + 60, "sub": "anna" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let signed = cloud.token_with(&good);
    let [head, body, signature] = signed.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let other_body = cloud.token_with(&with("sub", json!("ben"))).split('.').nth(1).unwrap().to_owned();
    for method in ["POST", "GET"] {
        let mut cases: Vec<(&str, String)> = [
            ("expired in this second", with("exp", json!(START))),
            ("expired", with("exp", json!(START - 1))),
            ("not valid yet", with("nbf", json!(START + 1))),
            ("without an expiry", without("exp")),
            ("of another issuer", with("iss", json!("https://elsewhere.example"))),
            ("without an issuer", without("iss")),
            ("for another audience", with("aud", json!("elsewhere"))),
            ("without an audience", without("aud")),
        ]
        .into_iter()
        .map(|(case, claims)| (case, format!("Bearer {}", cloud.token_with(&claims))))
        .collect();
        cases.extend([
            ("empty", String::new()),
            ("no token", "Bearer".to_owned()),
            ("garbage", "Bearer garbage".to_owned()),
            ("of another scheme", format!("Basic {signed}")),
            ("cut short", format!("Bearer {}", &signed[..signed.len() - 4])),
            ("without a signature", format!("Bearer {head}.{body}.")),
            ("with another's claims", format!("Bearer {head}.{other_body}.{signature}")),
            ("of no algorithm", format!("Bearer eyJhbGciOiJub25lIn0.{body}.")),
            ("not ASCII", format!("Bearer {signed}\u{e9}")),
        ]);
        for (case, authorization) in cases {
            let answer = with_token(&cloud, method, &authorization).await;
            assert_eq!(assert_message(case, &answer, 401), "Unauthorized", "{case}");
            assert_eq!(json(&answer), json!({ "message": "Unauthorized" }), "{case}");
        }
        let absent = cloud.request(method, "/registration-keys", &[("Accept", "*/*")], None).await;
        assert_eq!(json(&absent), json!({ "message": "Unauthorized" }));
        assert_eq!(absent.status, 401);
        // The gateway lets a token without a user pass; the functions do not.
        for (case, claims) in [("no sub", without("sub")), ("an empty sub", with("sub", json!("")))] {
            let answer = with_token(&cloud, method, &format!("Bearer {}", cloud.token_with(&claims))).await;
            assert_eq!(assert_failure(case, &answer, 401, "unauthorized"), "Unauthorized");
        }
        assert_eq!(with_token(&cloud, method, &format!("Bearer {signed}")).await.status / 100, 2);
        assert_eq!(with_token(&cloud, method, &signed).await.status / 100, 2);
    }
    let items = cloud.items(KEYS, "key").await;
    assert_eq!(items.keys().filter(|key| !key.contains('#')).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_the_caller_s_live_keys_oldest_first() {
    let cloud = TestCloud::start().await;
    assert_eq!(list(&cloud, "anna").await, Vec::<Value>::new());
    let spent = cloud.as_user("anna", &[], "POST", "/registration-keys").await.member("key").unwrap();
    assert_eq!(cloud.register(&new_device(), &spent).await.status, 204);
    // The second before, the second of and the second after their `ttl`; others of the same and of another age.
    let ages = [("LAST01", 1_799), ("GONE00", 1_800), ("GONE01", 1_801), ("B00000", 60), ("A00000", 60), ("NEWEST", 0)];
    put_keys(&cloud, "anna", ages.map(|(key, age)| (key.to_owned(), START - age))).await;
    put_keys(&cloud, "ben", [("BENS01".to_owned(), START)]).await;
    cloud.put_item(KEYS, key_item("ANNA02", "anna2", START)).await;
    let shown =
        |key: &str, age: u64| json!({ "key": key, "generated_at": START - age, "expires_at": START - age + 1_800 });
    let expected = [shown("LAST01", 1_799), shown("A00000", 60), shown("B00000", 60), shown("NEWEST", 0)];
    assert_eq!(list(&cloud, "anna").await, expected);
    assert_eq!(list(&cloud, "ben").await, [shown("BENS01", 0)]);
    cloud.advance(1);
    assert_eq!(list(&cloud, "anna").await, expected[1..]);
    cloud.advance(1_799);
    assert_eq!(list(&cloud, "anna").await, Vec::<Value>::new());
}

/// DynamoDB returns at most 100 items of a batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_complete_beyond_one_batch_of_the_table() {
    let cloud = TestCloud::start().await;
    put_keys(&cloud, "anna", (0..200).map(|n| (format!("MIN{n:03}"), START - n))).await;
    put_keys(&cloud, "ben", (0..30).map(|n| (format!("BENS{n:02}"), START))).await;
    let keys: Vec<_> = list(&cloud, "anna").await.iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, (0..200).rev().map(|n| format!("MIN{n:03}")).collect::<Vec<_>>());
    assert_eq!(list(&cloud, "ben").await.len(), 30);
}

/// The engine here reads consistently always; AWS's does so only when it is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_consistently_and_scans_nothing() {
    let cloud = TestCloud::start().await;
    let key = cloud.mint().await;
    let (dynamodb, s3) = cloud.endpoints();
    let tap = Tap::in_front_of(dynamodb).await;
    let tapped = cloud.through(tap.url(), s3).await;
    assert_eq!(list(&tapped, "installer").await[0]["key"], key.as_str());
    let sent = String::from_utf8_lossy(&tap.sent()).into_owned();
    let calls = |operation: &str| sent.matches(&format!("x-amz-target: DynamoDB_20120810.{operation}")).count();
    assert_eq!((calls(""), calls("GetItem"), calls("BatchGetItem")), (2, 1, 1), "{sent}");
    assert_eq!(sent.matches("\"ConsistentRead\":true").count(), 2, "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_201st_live_key_of_a_user_is_429_until_one_is_spent_or_expires() {
    let cloud = TestCloud::start().await;
    put_keys(&cloud, "anna", (0..199).map(|n| (format!("KEY{n:03}"), START - 100))).await;
    let last = mint(&cloud, "anna").await.member("key").unwrap();
    let refused = mint(&cloud, "anna").await;
    assert_failure("201 live keys", &refused, 429, "too_many_requests");
    assert_eq!(refused.header("retry-after"), Some("1700"));
    assert_eq!(list(&cloud, "anna").await.len(), 200);
    assert_eq!(mint(&cloud, "ben").await.status, 201, "another user's keys are their own");
    // A key that is spent makes room for another.
    assert_eq!(cloud.register(&new_device(), &last).await.status, 204);
    assert_eq!(mint(&cloud, "anna").await.status, 201);
    assert_eq!(mint(&cloud, "anna").await.status, 429);
    cloud.advance(1_699);
    assert_eq!(mint(&cloud, "anna").await.status, 429);
    cloud.advance(1);
    assert_eq!(mint(&cloud, "anna").await.status, 201);
    // Those that have lapsed left in the same write.
    assert_eq!(entries(&cloud, "anna").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_s_item_names_the_keys_that_are_live_and_unspent() {
    let cloud = TestCloud::start().await;
    let [first, spent, third] = [0, 1, 2].map(|_| mint(&cloud, "anna"));
    let keys = [first.await, spent.await, third.await].map(|answer| answer.member("key").unwrap());
    assert_eq!(entries(&cloud, "anna").await, keys.clone().map(|key| (key, START + 1_800)).into());
    assert_eq!(cloud.register(&new_device(), &keys[1]).await.status, 204);
    assert_eq!(entries(&cloud, "anna").await.into_keys().collect::<BTreeSet<_>>(), {
        [keys[0].clone(), keys[2].clone()].into()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_minted_at_once_are_all_listed() {
    let cloud = TestCloud::start().await;
    let twin = cloud.twin().await;
    let minted = (0..30).map(|n| mint(if n % 2 == 0 { &cloud } else { &twin }, "anna"));
    let minted: BTreeSet<_> = join_all(minted).await.iter().filter_map(|answer| answer.member("key")).collect();
    assert_eq!(minted.len(), 30);
    let listed = list(&cloud, "anna").await;
    assert_eq!(listed.iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), minted);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_keys_minted_at_once_200_are_live() {
    let cloud = TestCloud::start().await;
    put_keys(&cloud, "anna", (0..190).map(|n| (format!("KEY{n:03}"), START - 100))).await;
    let answers = join_all((0..20).map(|_| mint(&cloud, "anna"))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(429)), (10, 10));
    assert_eq!(list(&cloud, "anna").await.len(), 200);
}

/// `DELETE /registration-keys/{key}`.
async fn delete(cloud: &TestCloud, sub: &str, key: &str) -> Response {
    cloud.as_user(sub, &[], "DELETE", &format!("/registration-keys/{key}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_registers_nobody_and_is_not_listed() {
    let cloud = TestCloud::start().await;
    let [key, other] = [mint(&cloud, "anna").await, mint(&cloud, "anna").await].map(|key| key.member("key").unwrap());
    let answer = delete(&cloud, "anna", &key).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(cloud.key_item(&key).await, None);
    assert_eq!(entries(&cloud, "anna").await.into_keys().collect::<Vec<_>>(), [&*other]);
    assert_failure("deleted", &cloud.register(&new_device(), &key).await, 401, "invalid_key");
    assert_eq!(list(&cloud, "anna").await.iter().map(|key| &key["key"]).collect::<Vec<_>>(), [&json!(other)]);
    assert_eq!(cloud.register(&new_device(), &other).await.status, 204);
}

/// Whoever has a token learns nothing about the keys of others.
#[tokio::test(flavor = "multi_thread")]
async fn deleting_is_204_for_every_key_and_changes_nobody_elses() {
    let cloud = TestCloud::start().await;
    let [expired, spent, bens] = [("anna", 1_800), ("anna", 0), ("ben", 0)];
    let mut keys = Vec::new();
    for (sub, wait) in [expired, spent, bens] {
        keys.push(mint(&cloud, sub).await.member("key").unwrap());
        cloud.advance(wait);
    }
    assert_eq!(cloud.register(&new_device(), &keys[1]).await.status, 204);
    let before = (cloud.key_item(&keys[2]).await, entries(&cloud, "ben").await);
    assert!(before.0.is_some());
    let mut answers = Vec::new();
    for key in keys.iter().map(String::as_str).chain(["NOBODY"]) {
        for _ in 0..2 {
            let mut answer = delete(&cloud, "anna", key).await;
            answer.headers.retain(|(name, _)| !["apigw-requestid", "date"].contains(&name.to_lowercase().as_str()));
            answers.push((answer.status, answer.headers, answer.body));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 204);
    assert_eq!((cloud.key_item(&keys[2]).await, entries(&cloud, "ben").await), before);
    assert_eq!(cloud.register(&new_device(), &keys[2]).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_malformed_key_is_400() {
    let cloud = TestCloud::start().await;
    for key in ["A", "ABCDE", "ABCDEFG", "abcdef", "ABCDE-", "ABCDE%20", "live-keys%23anna"] {
        let answer = delete(&cloud, "anna", key).await;
        assert_eq!(assert_failure(key, &answer, 400, "invalid_path"), "Path parameter key is malformed");
    }
}
