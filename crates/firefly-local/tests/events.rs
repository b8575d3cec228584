//! The gateway makes of the request of each function's recorded event that same event.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emulator_apigateway::event::{BadRequest, EventParts, build};
use http::{HeaderName, HeaderValue, Request, header};
use serde_json::{Value, json};

/// The members that name the account, the API and the request. Only their types are compared.
const LOCAL_MEMBERS: [&str; 4] = ["accountId", "apiId", "domainPrefix", "requestId"];

#[test]
fn the_request_of_a_recorded_event_becomes_that_event() {
    for function in &firefly_functions::ALL {
        let path = format!("../../lambdas/{}/tests/event.json", function.name);
        let recorded = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let recorded: Value = serde_json::from_str(&recorded).unwrap();
        assert_eq!(comparable(rebuilt(&recorded)), comparable(recorded));
    }
}

fn comparable(mut event: Value) -> Value {
    for member in LOCAL_MEMBERS {
        let value = &mut event["requestContext"][member];
        assert!(value.is_string(), "{member} is {value}");
        *value = json!("text");
    }
    // The clock has whole seconds.
    let milliseconds = event["requestContext"]["timeEpoch"].as_u64().unwrap();
    event["requestContext"]["timeEpoch"] = json!(milliseconds / 1_000);
    event
}

/// The event that the gateway makes of the request of a recorded event.
fn rebuilt(recorded: &Value) -> Value {
    let text = |pointer: &str| recorded.pointer(pointer).unwrap().as_str().unwrap();
    let members = |pointer: &str| -> Option<BTreeMap<String, String>> {
        recorded.pointer(pointer).map(|members| serde_json::from_value(members.clone()).unwrap())
    };
    let (method, _) = text("/routeKey").split_once(' ').unwrap();
    let mut uri = text("/rawPath").to_owned();
    if !text("/rawQueryString").is_empty() {
        uri = format!("{uri}?{}", text("/rawQueryString"));
    }
    let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
    // API Gateway appends the sender's address to this header: the client has not sent it.
    for (name, value) in members("/headers").unwrap().into_iter().filter(|(name, _)| name != "x-forwarded-for") {
        request.headers_mut().append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    if let Some(cookies) = recorded.pointer("/cookies") {
        let cookies: Vec<String> = serde_json::from_value(cookies.clone()).unwrap();
        request.headers_mut().insert(header::COOKIE, HeaderValue::try_from(cookies.join("; ")).unwrap());
    }
    let body = recorded.pointer("/body").map_or("", |body| body.as_str().unwrap());
    let body = match recorded["isBase64Encoded"].as_bool().unwrap() {
        true => STANDARD.decode(body).unwrap(),
        false => body.as_bytes().to_vec(),
    };
    let event = build(EventParts {
        route_key: text("/routeKey"),
        parts: &request.into_parts().0,
        path_parameters: members("/pathParameters").unwrap_or_default().into_iter().collect(),
        claims: members("/requestContext/authorizer/jwt/claims"),
        body: body.into(),
        peer: SocketAddr::new(text("/requestContext/http/sourceIp").parse().unwrap(), 49_152),
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        now: recorded["requestContext"]["timeEpoch"].as_u64().unwrap() / 1_000,
    });
    let text = event.unwrap_or_else(|BadRequest| panic!("the gateway refuses {}", recorded["routeKey"]));
    serde_json::from_str(&text).unwrap()
}
