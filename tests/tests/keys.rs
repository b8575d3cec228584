//! `POST` and `GET /registration-keys`: minting one-time keys and listing one's own.
#![expect(clippy::panic, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_device::Response;
use firefly_local::issuer::{AUDIENCE, ISSUER};
use firefly_testkit::answer::{assert_failure, assert_message, json};
use firefly_testkit::stored::{Item, KEYS, item, number, text};
use firefly_testkit::{START, TestCloud, new_device};
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
    assert_eq!(cloud.items(KEYS, "key").await.into_keys().collect::<BTreeSet<_>>(), keys);
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
    assert_eq!(cloud.items(KEYS, "key").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_the_caller_s_live_keys_oldest_first() {
    let cloud = TestCloud::start().await;
    assert_eq!(list(&cloud, "anna").await, Vec::<Value>::new());
    let spent = cloud.as_user("anna", &[], "POST", "/registration-keys").await.member("key").unwrap();
    assert_eq!(cloud.register(&new_device(), &spent).await.status, 204);
    // The second before, the second of and the second after their `ttl`; others of the same and of another age.
    let ages = [("LAST01", 1_799), ("GONE00", 1_800), ("GONE01", 1_801), ("B00000", 60), ("A00000", 60), ("NEWEST", 0)];
    for (key, age) in ages {
        cloud.put_item(KEYS, key_item(key, "anna", START - age)).await;
    }
    cloud.put_item(KEYS, key_item("BENS01", "ben", START)).await;
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

/// DynamoDB returns a megabyte at a time, with the items of all users in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_complete_beyond_one_page_of_the_table() {
    let cloud = TestCloud::start().await;
    let mut items: Vec<_> = (0..30).map(|n| key_item(&format!("MINE{n:02}"), "anna", START - n)).collect();
    items.extend((0..30).map(|n| {
        let mut item = key_item(&format!("BENS{n:02}"), "ben", START);
        item.insert("note".to_owned(), text("x".repeat(120_000)));
        item
    }));
    cloud.put_items(KEYS, items).await;
    let page = cloud.dynamodb().scan().table_name(KEYS).send().await.unwrap();
    let mine = |item: &Item| item["generated_by_sub"] == AttributeValue::S("anna".to_owned());
    let on_first_page = page.items().iter().filter(|item| mine(item)).count();
    assert!(page.last_evaluated_key().is_some() && on_first_page < 30, "{on_first_page} keys are on the first page");
    let keys: Vec<_> = list(&cloud, "anna").await.iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, (0..30).rev().map(|n| format!("MINE{n:02}")).collect::<Vec<_>>());
    assert_eq!(list(&cloud, "ben").await.len(), 30);
}
