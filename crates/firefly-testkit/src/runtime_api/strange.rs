use serde_json::{Value, json};

use super::Event;

/// Members of an event by their JSON pointers, with strange texts.
const TEXTS: [(&str, &str); 37] = [
    ("/headers/host", "a:99999"),
    ("/headers/host", "["),
    ("/headers/host", "a b"),
    ("/headers/host", ""),
    ("/headers/host", "😀"),
    ("/headers/x-forwarded-proto", "https,https"),
    ("/headers/x-forwarded-proto", ""),
    ("/headers/x-forwarded-port", "99999"),
    ("/headers/x-forwarded-for", "unknown, \"_hidden\""),
    ("/headers/x-strange", "a\u{1}b"),
    ("/headers/x-strange", "a\r\nx-device-uuid: b"),
    ("/headers/x-strange", "a\0b"),
    ("/headers/x-strange", "\u{7f}"),
    ("/headers/x-strange", "Grüße 💡"),
    ("/headers/x-strange", ""),
    ("/headers/", "no name"),
    ("/headers/a b", "a name with a space"),
    ("/headers/Grüße", "a name outside ASCII"),
    ("/headers/content-length", "-1"),
    ("/headers/content-type", "\u{1}"),
    ("/headers/content-type", "text/plain; charset=utf-16"),
    ("/headers/content-encoding", "gzip"),
    ("/headers/transfer-encoding", "chunked"),
    ("/headers/expect", "100-continue"),
    ("/rawQueryString", "a b"),
    ("/rawQueryString", "a=\"b\""),
    ("/rawQueryString", "a=<b>"),
    ("/rawQueryString", "%"),
    ("/rawQueryString", "a=%ff&=&&"),
    ("/rawQueryString", "a\u{1}\r\n"),
    ("/rawPath", "a b"),
    ("/rawPath", ""),
    ("/rawPath", "//[::1/%"),
    ("/requestContext/http/protocol", "HTTP/3"),
    ("/requestContext/domainName", "["),
    ("/requestContext/time", "yesterday"),
    ("/version", "3.0"),
];

/// Members of an event by their JSON pointers, with strange texts that are long, or values that are not texts.
fn values() -> Vec<(&'static str, Value)> {
    let long = "a".repeat(70_000);
    let long_path = format!("/{long}");
    vec![
        ("/headers/x-strange", json!(long)),
        ("/rawQueryString", json!(long)),
        ("/rawPath", json!(long_path)),
        ("/requestContext/http/path", json!(long_path)),
        ("/cookies", Value::Null),
        ("/cookies", json!(["a=b", "", "\u{1}"])),
        ("/stageVariables", json!({ "a": "b" })),
        ("/requestContext/authentication", Value::Null),
        ("/requestContext/authentication", json!({ "clientCert": { "clientCertPem": "…" } })),
        ("/requestContext/timeEpoch", json!(-1)),
        ("/requestContext/http/more", json!([{}, null, 1e300])),
        ("/requestContext/authorizer/jwt/scopes", json!(["a", "b"])),
        ("/requestContext/authorizer/jwt/claims/", json!("no name")),
        ("/requestContext/authorizer/jwt/claims/cognito:groups ", json!("[super_users]")),
        ("/requestContext/authorizer/jwt/claims/https:~1~1example.com~1claim", json!("map[a:[1 2] b:<nil>]")),
        ("/requestContext/authorizer/jwt/claims/\u{1}", json!("Grüße\0💡")),
        ("/requestContext/authorizer/lambda", json!({ "a": 1 })),
        ("/queryStringParameters/strange", json!("\u{1}Grüße\"<>")),
        ("/pathParameters/strange", json!("a/../b%2f")),
        ("/more", json!({ "a": [[[[]]]] })),
    ]
}

impl Event {
    /// The event with one strange member each: members that clients can make API Gateway send, that other versions of
    /// it might add, or that it leaves out. The answer is the same with each.
    pub fn strange(&self) -> Vec<(String, Self)> {
        let texts = TEXTS.into_iter().map(|(pointer, text)| (pointer, Value::from(text)));
        let mut changes: Vec<_> = texts.chain(values()).collect();
        changes.retain(|(pointer, _)| {
            let (parent, _) = pointer.rsplit_once('/').expect("a pointer");
            parent.is_empty() || self.get(parent).is_some()
        });
        let strange = |(pointer, value): (&str, Value)| {
            let shown: String = value.to_string().chars().take(60).collect();
            (format!("{pointer} = {shown}"), self.clone().with(pointer, value))
        };
        changes.into_iter().map(strange).collect()
    }
}
