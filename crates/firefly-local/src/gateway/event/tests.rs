use http::{HeaderName, HeaderValue, Request};

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../../../lambdas/", $name, "/tests/event.json"))
    };
}

/// An event of every route, as API Gateway sends it.
const RECORDED: [&str; 9] = [
    recorded!("func-api-devices-backup-delete"),
    recorded!("func-api-devices-backup-get"),
    recorded!("func-api-devices-backup-post"),
    recorded!("func-api-devices-get"),
    recorded!("func-api-devices-register-post"),
    recorded!("func-api-devices-registration-get"),
    recorded!("func-api-health-get"),
    recorded!("func-api-registration-keys-get"),
    recorded!("func-api-registration-keys-post"),
];

/// What names the account, the API and the moment: of these the types alone are compared.
const OF_THE_PLACE: [&str; 6] = ["accountId", "apiId", "domainPrefix", "requestId", "time", "timeEpoch"];

#[test]
fn the_request_of_a_recorded_event_becomes_that_event() {
    for recorded in RECORDED {
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        assert_eq!(comparable(rebuilt(&recorded)), comparable(recorded));
    }
}

#[test]
fn a_body_is_text_for_text_json_xml_and_javascript_alone() {
    for (content_type, is_text) in [
        (Some("text/plain"), true),
        (Some("text/csv; charset=utf-8"), true),
        (Some("application/json"), true),
        (Some("Application/JSON ; charset=utf-8"), true),
        (Some("application/problem+json"), true),
        (Some("application/xml"), true),
        (Some("application/soap+xml"), true),
        (Some("application/javascript"), true),
        (Some("application/octet-stream"), false),
        (Some("application/x-www-form-urlencoded"), false),
        (Some("multipart/form-data; boundary=a"), false),
        (Some("application/jsonp"), false),
        (Some("json"), false),
        (Some(""), false),
        (None, false),
    ] {
        let mut sent: Value = serde_json::from_str(recorded!("func-api-devices-register-post")).unwrap();
        let headers = sent["headers"].as_object_mut().unwrap();
        headers.remove("content-type");
        headers.extend(content_type.map(|value| ("content-type".to_owned(), json!(value))));
        let event = rebuilt(&sent);
        assert_eq!(event["isBase64Encoded"], !is_text, "{content_type:?}");
        let text = sent["body"].as_str().unwrap();
        let body = if is_text { text.to_owned() } else { STANDARD.encode(text) };
        assert_eq!(event["body"], body, "{content_type:?}");
    }
}

fn comparable(mut event: Value) -> Value {
    for member in OF_THE_PLACE {
        let value = &mut event["requestContext"][member];
        *value = match value {
            Value::String(_) => json!("text"),
            Value::Number(_) => json!(0),
            other => panic!("{member} is {other}"),
        };
    }
    event
}

/// What the gateway makes of the request that a recorded event tells of.
fn rebuilt(recorded: &Value) -> Value {
    let text = |pointer: &str| recorded.pointer(pointer).unwrap().as_str().unwrap();
    let members = |pointer: &str| -> Option<BTreeMap<String, String>> {
        recorded.pointer(pointer).map(|members| serde_json::from_value(members.clone()).unwrap())
    };
    let (method, path) = text("/routeKey").split_once(' ').unwrap();
    let route = Route { method: method.parse().unwrap(), path: path.to_owned() };
    let mut uri = text("/rawPath").to_owned();
    if !text("/rawQueryString").is_empty() {
        uri = format!("{uri}?{}", text("/rawQueryString"));
    }
    let mut request = Request::builder().method(route.method.clone()).uri(uri).body(()).unwrap();
    for (name, value) in members("/headers").unwrap() {
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
        route: &route,
        parts: &request.into_parts().0,
        path_parameters: members("/pathParameters").unwrap_or_default().into_iter().collect(),
        claims: members("/requestContext/authorizer/jwt/claims"),
        body: body.into(),
        peer: SocketAddr::new(text("/requestContext/http/sourceIp").parse().unwrap(), 49_152),
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        now: UnixSeconds::new(recorded["requestContext"]["timeEpoch"].as_u64().unwrap() / 1_000),
    });
    let text = event.unwrap_or_else(|BadRequest| panic!("the gateway refuses {}", recorded["routeKey"]));
    serde_json::from_str(&text).unwrap()
}
