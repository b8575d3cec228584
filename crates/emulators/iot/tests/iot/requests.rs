//! Strangers, principals without the action, and requests that no SDK sends.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use aws_sdk_iot::config::http::HttpRequest;
use aws_smithy_types::body::SdkBody;
use emulator_kit::Grants;

use crate::server::{DOCUMENT, Server, assert_refused, client, refusal, serve_for, start};

#[tokio::test]
async fn a_wrong_signature_is_403() {
    let server = start().await;
    let stranger = client(&server.url, "a guess").create_thing().thing_name("thing").send().await;
    assert_refused(stranger, 403, "UnrecognizedClientException");
    assert!(server.client.list_things().send().await.unwrap().things().is_empty());
}

#[test]
fn an_unsigned_request_and_one_of_a_browser_are_403() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(start());
    let host = server.url.strip_prefix("http://").unwrap();
    let send = |header: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /things HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_lowercase()
    };
    let unsigned = send("");
    assert!(unsigned.starts_with("http/1.1 403 "), "{unsigned}");
    assert!(unsigned.contains("x-amzn-errortype: unrecognizedclientexception"), "{unsigned}");
    let browser = send("Origin: http://localhost\r\n");
    assert!(browser.starts_with("http/1.1 403 ") && !browser.contains("errortype"), "{browser}");
}

#[tokio::test]
async fn an_operation_needs_its_action() {
    let server = start().await;
    let allowed = |actions: &[&str]| Grants::actions(actions.iter().copied());
    let (url, _) = serve_for(&server.registry, allowed(&["iot:CreateThing"]), std::future::pending()).await;
    let principal = client(&url, "secret");
    principal.create_thing().thing_name("thing").send().await.unwrap();
    let (status, name, message) = refusal(principal.delete_thing().thing_name("thing").send().await);
    assert_eq!((status, name.as_str()), (403, "AccessDeniedException"));
    assert_eq!(message, "User: principal is not authorized to perform: iot:DeleteThing");
    assert_refused(principal.create_thing().thing_name("a b").send().await, 400, "InvalidRequestException");
    server.client.describe_thing().thing_name("thing").send().await.unwrap();
}

/// Each operation is refused without its action, and that action is its name.
#[tokio::test]
async fn every_operation_has_an_action_of_its_name() {
    let server = start().await;
    let (url, _) = serve_for(&server.registry, Grants::actions::<&str>([]), std::future::pending()).await;
    let it = client(&url, "secret");
    let (arn, id) = (format!("arn:aws:iot:eu-central-1:123456789012:cert/{}", "a".repeat(64)), "a".repeat(64));
    let mut actions = BTreeSet::new();
    macro_rules! refused {
        ($($operation:ident($($member:ident: $value:expr),*)),* $(,)?) => {$(
            let (status, name, message) = refusal(it.$operation()$(.$member($value))*.send().await);
            assert_eq!((status, name.as_str()), (403, "AccessDeniedException"));
            let action = message.rsplit_once("iot:").unwrap().1.to_owned();
            assert_eq!(action.to_lowercase(), stringify!($operation).replace('_', ""));
            actions.insert(action);
        )*};
    }
    refused!(
        create_thing(thing_name: "a"),
        describe_thing(thing_name: "a"),
        update_thing(thing_name: "a"),
        delete_thing(thing_name: "a"),
        list_things(),
        create_keys_and_certificate(),
        create_certificate_from_csr(certificate_signing_request: "a"),
        register_certificate_without_ca(certificate_pem: "a"),
        update_certificate(certificate_id: &id, new_status: "ACTIVE".into()),
        delete_certificate(certificate_id: &id),
        describe_certificate(certificate_id: &id),
        list_certificates(),
        attach_policy(policy_name: "a", target: &arn),
        detach_policy(policy_name: "a", target: &arn),
        list_attached_policies(target: &arn),
        list_targets_for_policy(policy_name: "a"),
        attach_thing_principal(thing_name: "a", principal: &arn),
        detach_thing_principal(thing_name: "a", principal: &arn),
        list_thing_principals(thing_name: "a"),
        list_thing_principals_v2(thing_name: "a"),
        list_principal_things(principal: &arn),
        list_principal_things_v2(principal: &arn),
        create_policy(policy_name: "a", policy_document: DOCUMENT),
        get_policy(policy_name: "a"),
        delete_policy(policy_name: "a"),
        list_policies(),
        create_policy_version(policy_name: "a", policy_document: DOCUMENT),
        list_policy_versions(policy_name: "a"),
        get_policy_version(policy_name: "a", policy_version_id: "1"),
        set_default_policy_version(policy_name: "a", policy_version_id: "1"),
        delete_policy_version(policy_name: "a", policy_version_id: "1"),
        describe_endpoint(),
    );
    assert_eq!(actions.len(), 32);
}

/// Creates a Thing by a request that is changed before it is signed.
async fn changed(server: &Server, change: impl Fn(&mut HttpRequest) + Send + Sync + 'static) -> (u16, String, String) {
    let call = server.client.create_thing().thing_name("thing").customize();
    let answer = call.mutate_request(change).send().await;
    if answer.is_ok() { (200, String::new(), String::new()) } else { refusal(answer) }
}

fn with_body(body: &'static str) -> impl Fn(&mut HttpRequest) + Send + Sync {
    move |request| {
        *request.body_mut() = SdkBody::from(body);
        request.headers_mut().insert("content-length", body.len().to_string());
    }
}

#[tokio::test]
async fn a_malformed_body_is_400() {
    let server = start().await;
    for body in [
        "{",
        "[]",
        "null",
        "nonsense",
        "{}{}",
        r#"{"unknown":1}"#,
        r#"{"attributePayload":{"attributes":{"a":1}}}"#,
        r#"{"attributePayload":{"attributes":{"a":"1"},"other":true}}"#,
        r#"{"thingTypeName":7}"#,
        "\u{feff}{}",
    ] {
        let (status, name, _) = changed(&server, with_body(body)).await;
        assert_eq!((status, name.as_str()), (400, "InvalidRequestException"), "{body}");
    }
    assert!(server.client.list_things().send().await.unwrap().things().is_empty());
    assert_eq!(changed(&server, with_body("")).await.0, 200);
}

#[tokio::test]
async fn an_unknown_operation_or_parameter_is_400() {
    let server = start().await;
    let host = server.url.clone();
    for (method, path) in [
        ("POST", "/things"),
        ("PUT", "/things/thing"),
        ("GET", "/things/thing/"),
        ("GET", "/things/"),
        ("GET", "/"),
        ("GET", "/jobs"),
        ("PATCH", "/thing-groups/addThingToThingGroup"),
        ("POST", "/things/thing?unknown=1"),
        ("DELETE", "/things/thing?expectedVersion=1&expectedVersion=1"),
        ("DELETE", "/things/thing?expectedVersion=-1"),
        ("POST", "/keys-and-certificate?setAsActive=yes"),
        ("GET", "/things/%ff"),
        ("GET", "/things/a%2Fb"),
        ("PUT", "/things/thing/principals"),
    ] {
        let uri = format!("{host}{path}");
        let change = move |request: &mut HttpRequest| {
            request.set_uri(uri.as_str()).unwrap();
            request.set_method(method).unwrap();
        };
        let (status, name, message) = changed(&server, change).await;
        assert_eq!((status, name.as_str()), (400, "InvalidRequestException"), "{method} {path} {message}");
    }
    assert!(server.client.list_things().send().await.unwrap().things().is_empty());
    assert!(server.client.list_certificates().send().await.unwrap().certificates().is_empty());
}
