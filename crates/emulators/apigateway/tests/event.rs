//! Events of payload format 2.0: which bodies are text, and which requests do not become an event.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emulator_apigateway::event::{BadRequest, EventParts, build};
use http::Request;
use http::request::Builder;
use serde_json::{Value, json};

/// The event of a request with this body.
fn event(request: Builder, body: &[u8]) -> Result<Value, BadRequest> {
    let text = build(EventParts {
        route_key: "POST /",
        parts: &request.body(()).unwrap().into_parts().0,
        path_parameters: Vec::new(),
        claims: None,
        body: body.to_vec().into(),
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 49_152)),
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        now: 0,
    });
    text.map(|text| serde_json::from_str(&text).unwrap())
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
        let request =
            content_type.into_iter().fold(Request::post("/"), |request, value| request.header("content-type", value));
        let text = r#"{"member":"value"}"#;
        let event = event(request, text.as_bytes()).unwrap();
        assert_eq!(event["isBase64Encoded"], !is_text, "{content_type:?}");
        let body = if is_text { text.to_owned() } else { STANDARD.encode(text) };
        assert_eq!(event["body"], body, "{content_type:?}");
    }
}

#[test]
fn a_body_of_a_text_type_that_is_not_utf_8_is_base64() {
    let body = b"\xff\xfe{\0";
    let event = event(Request::post("/").header("content-type", "text/plain"), body).unwrap();
    assert_eq!((&event["isBase64Encoded"], &event["body"]), (&json!(true), &json!(STANDARD.encode(body))));
}

#[test]
fn an_empty_body_is_absent() {
    for content_type in ["text/plain", "application/octet-stream"] {
        let event = event(Request::post("/").header("content-type", content_type), b"").unwrap();
        assert_eq!((event.get("body"), &event["isBase64Encoded"]), (None, &json!(false)), "{content_type}");
    }
}

#[test]
fn headers_of_one_name_are_joined_and_bytes_outside_ascii_are_latin_1() {
    let request =
        Request::post("/").header("x-twice", "a").header("X-Twice", "b").header("x-umlaut", b"\xe4".as_slice());
    let event = event(request, b"").unwrap();
    assert_eq!((&event["headers"]["x-twice"], &event["headers"]["x-umlaut"]), (&json!("a,b"), &json!("ä")));
}

/// The last address is the one that the gateway has seen; those before it are the client's word.
#[test]
fn the_client_is_appended_to_the_addresses_that_it_names() {
    for (sent, expected) in [
        (&[][..], "127.0.0.1"),
        (&["203.0.113.7"], "203.0.113.7, 127.0.0.1"),
        (&["203.0.113.7, 198.51.100.1"], "203.0.113.7, 198.51.100.1, 127.0.0.1"),
        (&["203.0.113.7", "not an address"], "203.0.113.7,not an address, 127.0.0.1"),
    ] {
        let request = sent.iter().fold(Request::post("/"), |request, value| request.header("X-Forwarded-For", *value));
        let event = event(request, b"").unwrap();
        assert_eq!(event["headers"]["x-forwarded-for"], expected);
        assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
    }
    let request = Request::post("/").header("x-forwarded-port", "1").header("x-forwarded-proto", "ftp");
    let event = event(request, b"").unwrap();
    assert_eq!(
        (&event["headers"]["x-forwarded-port"], &event["headers"]["x-forwarded-proto"]),
        (&json!("443"), &json!("https"))
    );
}

#[test]
fn a_request_with_a_malformed_host_does_not_become_an_event() {
    for host in ["", "a b", "user@host", "host:", "host:port", "host:65536", "host/path"] {
        assert_eq!(event(Request::post("/").header("host", host), b""), Err(BadRequest), "{host:?}");
    }
    for host in ["host", "host:80", "127.0.0.1:8080", "[::1]:8080"] {
        let event = event(Request::post("/").header("host", host), b"").unwrap();
        assert_eq!(event["requestContext"]["domainName"], host);
    }
    assert_eq!(event(Request::post("/"), b"").unwrap()["requestContext"]["domainName"], "localhost");
}
