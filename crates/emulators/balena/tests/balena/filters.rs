//! The filters of the SDKs, and those that are refused.

use emulator_balena::Account;
use proptest::prelude::*;
use reqwest::Method;
use serde_json::json;

use crate::server::{OTHER, Server, UUID, fill, send, start};

/// Encodes what a URL cannot have.
fn encode(text: &str) -> String {
    text.replace('%', "%25").replace(' ', "%20").replace('#', "%23").replace('&', "%26")
}

#[tokio::test]
async fn a_filter_finds_what_it_names() {
    let server = Server::new().await;
    let (id, install) = (server.device.id, server.install_of(server.device.id).await);
    let main = server.account.service_id(42, "main").unwrap();
    for (resource, body) in [
        ("device_environment_variable", json!({ "device": id, "name": "A", "value": "it's" })),
        ("device_service_environment_variable", json!({ "service_install": install, "name": "A", "value": "x" })),
    ] {
        server.send(Method::POST, &format!("/v7/{resource}"), &body).await.created();
    }
    let rows = [
        ("device_environment_variable", format!("(device eq {id}) and (name eq 'A')"), 1),
        ("device_environment_variable", format!("device eq {id} and name eq 'A'"), 1),
        ("device_environment_variable", format!("device eq {id} and name eq 'B'"), 0),
        ("device_environment_variable", format!("device ne {id}"), 0),
        ("device_environment_variable", "value eq 'it''s'".to_owned(), 1),
        ("device_environment_variable", format!("device/any(d:d/uuid eq '{UUID}')"), 1),
        ("device_environment_variable", "not(name eq 'A')".to_owned(), 0),
        ("service_install", format!("(device eq {id}) and (installs__service eq {main})"), 1),
        ("service_install", format!("(device/any(d:d/uuid eq '{UUID}')) and (installs__service eq {main})"), 1),
        (
            "service_install",
            format!("device/any(d:d/uuid eq '{UUID}') and installs__service/any(s:s/service_name eq 'main')"),
            1,
        ),
        ("service_install", format!("device eq {id} and installs__service eq 999"), 0),
        ("device_service_environment_variable", format!("(service_install eq {install}) and (name eq 'A')"), 1),
        ("device_service_environment_variable", format!("service_install/any(si:si/device eq {id})"), 1),
        (
            "device_service_environment_variable",
            format!("(service_install/any(si:(si/device eq {id}) and (si/service eq {main}))) and (name eq 'A')"),
            1,
        ),
        (
            "device_service_environment_variable",
            format!("service_install/any(si:si/device eq {id} and si/installs__service eq {main}) and name eq 'A'"),
            1,
        ),
        (
            "device_service_environment_variable",
            "service_install/any(si:si/installs__service/any(is:is/service_name eq 'spare'))".to_owned(),
            0,
        ),
        ("application", "(slug eq 'user/relay') or (uuid eq 'user/relay')".to_owned(), 1),
        ("device", "belongs_to__application eq 42".to_owned(), 2),
        ("device", format!("uuid eq '{UUID}' or uuid eq '{OTHER}' and is_frozen eq true"), 1),
        ("device", "public_address eq null".to_owned(), 2),
        ("service", "application eq 42".to_owned(), 2),
    ];
    for (resource, filter, expected) in rows {
        let found = server.get(&format!("/v6/{resource}?$filter={}", encode(&filter))).await.rows();
        assert_eq!(found.len(), expected, "{resource} {filter}");
    }
}

#[tokio::test]
async fn a_prefix_search_is_answered_and_counted() {
    let server = Server::new().await;
    server.get(&format!("/v7/device?$filter=uuid%20eq%20'{UUID}'")).await.row();
    server.get("/v7/device?$filter=uuid%20eq%20'startswith(uuid,x)'").await.rows();
    assert_eq!(server.account.prefix_searches(), 0);
    let found = server.get("/v6/device?$filter=startswith(uuid,'0123456')").await.row();
    assert_eq!(found["uuid"], UUID);
    assert!(server.get("/v6/device?$filter=startswith(uuid,'1')").await.rows().is_empty());
    let expand = "/v7/application(42)?$expand=owns__device($filter=not(startswith(uuid,'0')))";
    assert_eq!(server.get(expand).await.row()["owns__device"][0]["uuid"], OTHER);
    assert_eq!(server.account.prefix_searches(), 3);
}

#[tokio::test]
async fn a_device_finds_nothing_of_another_by_a_filter() {
    let server = Server::new().await;
    let other = json!({ "device": server.other.id, "name": "A", "value": "secret" });
    server.send(Method::POST, "/v7/device_environment_variable", &other).await.created();
    // The fleet's other devices would be seen in a filter or an expansion that does not look at the caller.
    for path in [
        format!("/v7/application?$filter=owns__device/any(d:d/uuid eq '{OTHER}')"),
        "/v7/application?$filter=owns__device/any(d:d/device_environment_variable/any(v:v/value eq 'secret'))"
            .to_owned(),
    ] {
        assert!(server.get_as_device(&encode(&path)).await.rows().is_empty(), "{path}");
        assert_eq!(server.get(&encode(&path)).await.rows().len(), 1, "{path}");
    }
    let expanded =
        server.get_as_device("/v7/application(42)?$select=id&$expand=owns__device($select=uuid)").await.row();
    assert_eq!(expanded, json!({ "id": 42, "owns__device": [{ "uuid": UUID }] }));
}

#[tokio::test]
async fn an_option_that_cannot_be_read_is_400() {
    let server = Server::new().await;
    for query in [
        "$filter=",
        "$filter=uuid",
        "$filter=uuid eq",
        "$filter=uuid eq '1",
        "$filter=uuid eq '1')",
        "$filter=(uuid eq '1'",
        "$filter=uuid+eq+'1'",
        "$filter=uuid gt '1'",
        "$filter=uuid eq '1' and",
        "$filter=other eq 1",
        "$filter=service_install eq 1",
        "$filter=belongs_to__application eq '42'",
        "$filter=belongs_to__application/any(a:a/other eq 1)",
        "$filter=belongs_to__application/all(a:a/id eq 1)",
        "$filter=uuid/any(a:a/id eq 1)",
        "$filter=startswith(uuid,1)",
        "$filter=startswith(belongs_to__application,'1')",
        "$filter=id eq 99999999999999999999",
        "$filter=id eq -1",
        "$select=other",
        "$select=service_install",
        "$select=",
        "$expand=uuid",
        "$expand=belongs_to__application($select=id",
        "$expand=belongs_to__application($top=1)",
        "$expand=owns__device",
        "$orderby=uuid up",
        "$top=1",
        "apikey=x",
        "$filter",
        "$select=%ff",
    ] {
        let path = format!("/v7/device?{}", query.replace(' ', "%20"));
        assert_eq!(server.get(&path).await.status, 400, "{query}");
    }
    let deep = format!("{}id eq 1{}", "(".repeat(1_000), ")".repeat(1_000));
    assert_eq!(server.get(&format!("/v7/device?$filter={}", encode(&deep))).await.status, 400);
    for key in ["", "x", "1,2", "uuid=", "uuid='1'x", "other='1'", "belongs_to__application='1'", "service_install=1"] {
        assert_eq!(server.get(&format!("/v7/device({key})")).await.status, 400, "{key}");
    }
}

#[tokio::test]
async fn another_route_version_or_method_is_refused() {
    let server = Server::new().await;
    for path in ["/", "/v5/device", "/v8/device", "/v7", "/v7/", "/v7/user", "/v7/device(1", "/v7/%ff", "//v7/device"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    let id = server.device.id;
    let body = json!({ "value": "x" });
    for (method, path) in [
        (Method::POST, "/actor/v1/whoami".to_owned()),
        (Method::PUT, format!("/v7/device({id})")),
        (Method::HEAD, format!("/v7/device({id})")),
        (Method::POST, "/v7/device".to_owned()),
        (Method::POST, format!("/v7/device_environment_variable({id})")),
        (Method::PATCH, format!("/v7/device({id})")),
        (Method::PATCH, format!("/v7/service_install({id})")),
        (Method::DELETE, format!("/v7/device({id})")),
        (Method::DELETE, "/v7/application(42)".to_owned()),
    ] {
        assert_eq!(server.send(method.clone(), &path, &body).await.status, 405, "{method} {path}");
    }
    assert_eq!(server.account.devices().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_filter_of_any_words_is_answered_or_refused(
        words in prop::collection::vec("any|eq|and|or|not|uuid|id|d|service_install|startswith|[(),:/= ]|'[a-z']{0,3}'|[0-9]{1,25}|ü", 0..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let status = runtime.block_on(async {
            let account = Account::in_memory();
            fill(&account);
            let (url, key) = (start(account.clone()).await, account.user_key());
            send(&url, &key, Method::GET, &format!("/v7/device?$filter={}", encode(&words.join(" "))), "").await.status
        });
        prop_assert!(status == 200 || status == 400, "{}", status);
    }
}
