//! Claims reach the functions as text, which never reads as more than the token says.

use firefly_local::issuer::{AUDIENCE, ISSUER};
use firefly_testkit::answer::{assert_failure, assert_message, json};
use firefly_testkit::{START, TestCloud};
use serde_json::{Value, json};

/// The `Authorization` header of a token with these claims beside those that every token has.
fn bearer(cloud: &TestCloud, claims: &Value) -> String {
    let mut all =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": START + 60, "sub": "anna", "email": "anna@example.com" });
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    format!("Bearer {}", cloud.token_with(&all))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_white_space_in_its_name_is_refused() {
    let cloud = TestCloud::start().await;
    for groups in [
        json!(["x super_users"]),
        json!(["super_users x"]),
        json!(["installers", "x super_users y"]),
        json!(["x\tsuper_users"]),
        json!(["x\nsuper_users"]),
        json!([" super_users"]),
        json!([["x", "super_users", "y"]]),
        json!("x super_users"),
        json!("x\tsuper_users"),
        json!("[super_users]"),
    ] {
        let authorization = bearer(&cloud, &json!({ "cognito:groups": groups }));
        let answer = cloud.request("GET", "/devices", &[("Authorization", &authorization)], None).await;
        assert_eq!(assert_message(&groups.to_string(), &answer, 401), "Unauthorized", "{groups}");
    }
    for name in ["x super_users", "x\tsuper_users", "super_users\r"] {
        assert_eq!(cloud.as_user("anna", &[name], "GET", "/devices").await.status, 401, "{name:?}");
    }
    let authorization = bearer(&cloud, &json!({ "cognito:groups": null }));
    let answer = cloud.request("GET", "/devices", &[("Authorization", &authorization)], None).await;
    assert_failure("null", &answer, 403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_subject_is_null_is_401() {
    let cloud = TestCloud::start().await;
    let authorization = bearer(&cloud, &json!({ "sub": null }));
    for method in ["POST", "GET"] {
        let answer = cloud.request(method, "/registration-keys", &[("Authorization", &authorization)], None).await;
        assert_message(method, &answer, 401);
    }
    // An e-mail address that is null counts as absent.
    let authorization = bearer(&cloud, &json!({ "email": null }));
    let answer = cloud.request("POST", "/registration-keys", &[("Authorization", &authorization)], None).await;
    assert_eq!(answer.status, 201);
    let key = json(&answer)["key"].as_str().unwrap_or_default().to_owned();
    let item = cloud.key_item(&key).await.unwrap_or_default();
    let email = item.get("generated_by_email").and_then(|email| email.as_s().ok());
    assert_eq!(email.map(String::as_str), Some(""));
}
