//! Events of payload format 2.0 as API Gateway sends them, through the parsing that binaries and local gateway share.
//!
//! `tests/event.json` of each function's folder is an event of its route, written after the Developer Guide; the signed ones are those of
//! the device `fifteen-bytes` of `crates/firefly-core/tests/vectors/device.json`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use aws_sdk_dynamodb::types::AttributeValue;
use firefly_core::time::UnixSeconds;
use firefly_device::Response;
use firefly_functions::{ALL, InvokeError};
use firefly_runtime::MalformedEvent;
use firefly_testkit::answer::json;
use firefly_testkit::runtime_api::Event;
use firefly_testkit::{Invoked, START, TestCloud, special_case};
use serde_json::{Value, json};

/// The functions whose recorded events tell a story, in its order, with the statuses of their answers.
const STORY: [(&str, u16); 10] = [
    ("func-api-health-get", 200),
    ("func-api-registration-keys-post", 201),
    ("func-api-registration-keys-get", 200),
    ("func-api-devices-register-post", 204),
    ("func-api-devices-registration-get", 200),
    ("func-api-devices-backup-post", 200),
    ("func-api-devices-backup-get", 200),
    ("func-api-devices-backup-delete", 200),
    ("func-api-devices-get", 200),
    ("func-api-registration-keys-delete", 204),
];

/// The answers to recorded events on empty engines. Another function may give any answer that it says.
const ON_EMPTY_ENGINES: &[(&str, u16)] = &[
    ("func-api-health-get", 200),
    ("func-api-registration-keys-post", 201),
    ("func-api-registration-keys-get", 200),
    ("func-api-devices-register-post", 401),
    ("func-api-devices-registration-get", 404),
    ("func-api-devices-backup-post", 401),
    ("func-api-devices-backup-get", 401),
    ("func-api-devices-backup-delete", 401),
    ("func-api-devices-get", 200),
    ("func-api-registration-keys-delete", 204),
];

/// Every function.
fn all(cloud: &TestCloud) -> Vec<Invoked> {
    ALL.iter().map(|function| Invoked::new(cloud, function.name)).collect()
}

/// Answers an event when the function's recorded one was sent; on the routes of users, whose keys the engine would have
/// deleted as expired since, in the future.
async fn try_answer(function: &Invoked, event: &Event) -> Result<Response, InvokeError> {
    let is_user = function.function().caller.has_token();
    let now = if is_user { UnixSeconds::new(START) } else { function.event().time() };
    function.try_answer(now, event).await
}

async fn answer(function: &Invoked, event: &Event) -> Response {
    try_answer(function, event).await.unwrap()
}

/// Lays down the key of the recorded registration.
async fn put_recorded_key(cloud: &TestCloud) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: u64| AttributeValue::N(number.to_string());
    let put = cloud.dynamodb().put_item().table_name("firefly-registration-keys");
    let put = put.item("key", text("A1B2C3")).item("ttl", number(2 * START)).item("generated_at", number(START));
    put.item("generated_by_sub", text("s")).item("generated_by_email", text("e")).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_events_are_answered() {
    let cloud = TestCloud::start().await;
    put_recorded_key(&cloud).await;
    let functions = STORY.map(|(name, _)| Invoked::new(&cloud, name));
    let mut answers = Vec::new();
    for (function, (name, status)) in functions.iter().zip(STORY) {
        let answer = answer(function, &function.event()).await;
        assert_eq!(answer.status, status, "{name}");
        answers.push(answer);
    }

    let [_, made, keys, _, registration, stored, restored, _, devices, _] = &answers[..] else { unreachable!() };
    assert_eq!(json(keys)["registration_keys"][0]["key"], json(made)["key"]);
    let [_, _, _, register, _, backup, ..] = functions.each_ref().map(Invoked::event);
    let sent: Value = serde_json::from_str(register.get("/body").unwrap().as_str().unwrap()).unwrap();
    for member in ["uuid", "product_id", "product_hex", "device_class", "registering_application"] {
        assert_eq!(json(registration)[member], sent[member]);
        assert_eq!(json(devices)["devices"][0][member], sent[member]);
    }
    assert_eq!(json(registration)["registration_date"], register.time().to_string());
    let etag = backup.get("/headers/etag").unwrap().as_str().unwrap();
    assert_eq!([stored.header("etag"), restored.header("etag")], [Some(etag); 2]);
    assert_eq!(backup.clone().body(&restored.body).get("/body"), backup.get("/body"));
    assert_eq!(json(&devices.clone())["devices"][0]["mcu"], sent["mcu"]);
}

/// The event; a version of a backup that its path names is one of the recorded device's.
async fn with_a_stored_version(cloud: &TestCloud, event: Event) -> Event {
    if event.get("/pathParameters/version").is_none() {
        return event;
    }
    let device = event.get("/pathParameters/uuid").unwrap().as_str().unwrap().parse().unwrap();
    let versions = cloud.object_versions(device).await;
    event.with("/pathParameters/version", versions[0].as_str())
}

/// Each event finds the recorded device with its backup, and the recorded key. `.ci/measure` makes functions that are not of
/// the story.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_event_of_a_function_outside_the_story_is_a_success() {
    for function in ALL.iter().filter(|function| special_case(&STORY, function.name).is_none()) {
        let cloud = TestCloud::start().await;
        put_recorded_key(&cloud).await;
        for (name, status) in [("func-api-devices-register-post", 204), ("func-api-devices-backup-post", 200)] {
            let before = Invoked::new(&cloud, name);
            assert_eq!(answer(&before, &before.event()).await.status, status, "{name}");
        }
        // The registration has spent it.
        put_recorded_key(&cloud).await;
        let function = Invoked::new(&cloud, function.name);
        let event = with_a_stored_version(&cloud, function.event()).await;
        let (status, function) = (answer(&function, &event).await.status, function.function());
        let is_said = function.statuses.contains(&status);
        assert!((200..300).contains(&status) && is_said, "{}: {status}", function.name);
    }
}

/// The engines are empty, so that each event has the same answer however often it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn strange_members_change_no_answer() {
    let cloud = TestCloud::start().await;
    for function in &all(&cloud) {
        let (status, said) = (answer(function, &function.event()).await.status, function.function());
        assert!(said.statuses.contains(&status), "{}: {status}", said.name);
        assert_eq!(special_case(ON_EMPTY_ENGINES, said.name).unwrap_or(status), status, "{}", said.name);
        for (what, event) in function.event().strange() {
            assert_eq!(answer(function, &event).await.status, status, "{}: {what}", function.function().name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_or_odd_member_gets_the_status_of_its_route() {
    let cloud = TestCloud::start().await;
    let [health, keys_post, keys_get, register, registration, post, get, delete, devices, revoke] =
        STORY.map(|(name, _)| Invoked::new(&cloud, name));
    let claims = "/requestContext/authorizer/jwt/claims";
    let groups = "/requestContext/authorizer/jwt/claims/cognito:groups";
    for (function, pointer, value, status) in [
        (&health, "/headers", Value::Null, 200),
        (&health, "/requestContext/http/method", json!("BREW"), 200),
        (&post, "/headers", Value::Null, 400),
        (&get, "/headers", json!({}), 400),
        (&delete, "/headers/x-device-nonce", json!("a\u{1}b"), 400),
        (&delete, "/headers/x-device-nonce", json!("Grüße"), 400),
        (
            &get,
            "/headers/x-device-uuid",
            json!("d609f45d-c02f-2e9e-9318-5170f7b0fd92,d609f45d-c02f-2e9e-9318-5170f7b0fd92"),
            400,
        ),
        (&get, "/headers/x-device-uuid", json!("00000000-0000-0000-0000-000000000000"), 403),
        (&get, "/headers/x-device-uuid", json!("D609F45D-C02F-2E9E-9318-5170F7B0FD92"), 401),
        (&get, "/pathParameters", Value::Null, 403),
        (&get, "/pathParameters", json!({}), 403),
        (&get, "/pathParameters/uuid", json!("%64609f45d-c02f-2e9e-9318-5170f7b0fd92"), 403),
        (&registration, "/pathParameters/uuid", json!("D609F45D-C02F-2E9E-9318-5170F7B0FD92"), 404),
        (&registration, "/pathParameters/uuid", json!("../../health"), 403),
        (&register, "/headers/x-registration-key", json!("a1b2c3"), 400),
        (&register, "/headers/x-registration-key", json!("A1B2C3,A1B2C3"), 400),
        (&register, "/body", Value::Null, 400),
        (&register, "/body", json!(""), 400),
        (&register, "/body", json!("\u{feff}{}"), 400),
        (&keys_post, "/requestContext/authorizer", Value::Null, 401),
        (&keys_post, "/requestContext/authorizer", json!({}), 401),
        (&keys_get, "/requestContext/authorizer/jwt", Value::Null, 401),
        (&keys_get, claims, Value::Null, 401),
        (&revoke, "/requestContext/authorizer", Value::Null, 401),
        (&revoke, "/pathParameters", Value::Null, 400),
        (&revoke, "/pathParameters/key", json!("a1b2c3"), 400),
        (&revoke, "/pathParameters/key", json!("A1B2C\u{1}"), 400),
        (&keys_get, claims, json!({ "Sub": "a", "sub ": "b" }), 401),
        (&devices, "/requestContext/authorizer", Value::Null, 403),
        (&devices, claims, json!({ "groups": "[super_users]" }), 403),
        (&devices, groups, json!(""), 403),
        (&devices, groups, json!("[]"), 403),
        (&devices, groups, json!("[super_users"), 403),
        (&devices, groups, json!("super_users"), 200),
        (&devices, groups, json!("[a super_users b]"), 200),
        (&devices, groups, json!("[super_users2 not_super_users]"), 403),
        (&devices, "/queryStringParameters", Value::Null, 200),
        (&devices, "/queryStringParameters/product_hex", json!("0xff010001"), 200),
        (&devices, "/queryStringParameters/product_hex", json!("0xFF010001,0xFF010001"), 400),
        (&devices, "/queryStringParameters/next", json!("\u{1}\"<> "), 400),
    ] {
        let answer = answer(function, &function.event().with(pointer, value.clone())).await;
        assert_eq!(answer.status, status, "{}: {pointer} = {value}", function.function().name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_base64_carry_the_same_bytes() {
    let cloud = TestCloud::start().await;
    put_recorded_key(&cloud).await;
    let [_, _, _, register, _, backup_post, backup_get, ..] = STORY.map(|(name, _)| Invoked::new(&cloud, name));
    let event = register.event();
    let body = event.get("/body").unwrap().as_str().unwrap().to_owned();
    assert_eq!(answer(&register, &event.body(body.as_bytes())).await.status, 204);
    // An envelope of ASCII bytes alone: 9 bytes of ciphertext, the nonce and the tag of letters.
    let envelope = "FFCE\u{1}nnnnnnnnnnnn\t\0\0\0ttttttttttttttttcccc\"\\\r\n ";
    assert_eq!(answer(&backup_post, &backup_post.event().text_body(envelope)).await.status, 200);
    let restored = answer(&backup_get, &backup_get.event()).await;
    assert_eq!((restored.status, &restored.body[..]), (200, envelope.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_a_request_is_an_error() {
    let cloud = TestCloud::start().await;
    for function in &all(&cloud) {
        let event = function.event();
        for base64 in ["&", "QQ", "QQ=", "QQ==\n", "QR==", "_w==", "Q Q=="] {
            let event = event.clone().with("/body", base64).with("/isBase64Encoded", true);
            assert_malformed(try_answer(function, &event).await, "the event's body is not Base64", base64);
        }
        for method in ["", "GET ", "GE T", "G\u{1}", "GÉT"] {
            let event = event.clone().with("/requestContext/http/method", method);
            assert_malformed(try_answer(function, &event).await, "the event's method is malformed", method);
        }
        for (pointer, value) in [
            ("/requestContext", Value::Null),
            ("/requestContext/http", json!([])),
            ("/requestContext/http/method", json!(1)),
            ("/headers/host", json!(["a", "b"])),
            ("/body", json!({})),
            ("/isBase64Encoded", json!("true")),
        ] {
            let event = event.clone().with(pointer, value);
            assert!(matches!(try_answer(function, &event).await, Err(InvokeError::Json(_))), "{pointer}");
        }
    }
}

fn assert_malformed(result: Result<Response, InvokeError>, why: &'static str, case: &str) {
    let Err(InvokeError::Event(error)) = result else { panic!("{case}: {result:?}") };
    assert_eq!(error, MalformedEvent(why), "{case}");
}

/// Replaces every member of every recorded event by every type of value; each gives an answer, or an error. Clients
/// have no part in `requestContext.http.sourceIp`, without which a registration fails.
#[tokio::test(flavor = "multi_thread")]
async fn no_member_of_any_type_is_a_panic_or_a_failure() {
    let cloud = TestCloud::start().await;
    let values = [json!(null), json!(1), json!("\u{1}ü "), json!(["a"]), json!({ "a": 1 })];
    for function in &all(&cloud) {
        let event = function.event();
        for pointer in pointers(event.get("").unwrap()) {
            for value in &values {
                if let Ok(answer) = try_answer(function, &event.clone().with(&pointer, value.clone())).await {
                    let is_ours = answer.status >= 500 && !pointer.starts_with("/requestContext/http");
                    assert!(!is_ours, "{}: {pointer} = {value}: {}", function.function().name, answer.status);
                }
            }
        }
    }
}

/// The JSON pointers (RFC 6901) of everything below `value`.
fn pointers(value: &Value) -> Vec<String> {
    let members = value.as_object().into_iter().flatten();
    members
        .flat_map(|(name, value)| {
            let name = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let below: Vec<_> = pointers(value).into_iter().map(|pointer| format!("{name}{pointer}")).collect();
            [name].into_iter().chain(below)
        })
        .collect()
}
