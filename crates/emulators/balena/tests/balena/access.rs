//! Keys, and what each permits.

use emulator_balena::FrozenKeys;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{FOREIGN, OTHER, Server, UUID, answer, client, send};

#[tokio::test]
async fn a_request_without_a_good_key_is_401_without_a_body() {
    let server = Server::new().await;
    for path in ["/v7/device", "/actor/v1/whoami", "/user/v1/whoami", "/nothing", "/v7/device?$filter=x"] {
        assert_eq!(send(&server.url, "another", Method::GET, path, "").await, answer(401, ""), "{path}");
        let response = client().get(format!("{}{path}", server.url)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (401, ""), "{path}");
    }
    let (user, upper) = (&server.user, server.user.to_uppercase());
    for authorization in [
        format!("bearer {user}"),
        format!("Bearer  {user}"),
        format!("Bearer {upper}x"),
        format!("Bearer {}", &user[..31]),
        format!("Basic {user}"),
        user.clone(),
        String::new(),
    ] {
        let request = client().get(format!("{}/v7/device", server.url)).header("authorization", &authorization);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 401, "{authorization}");
    }
}

#[tokio::test]
async fn a_browser_or_another_host_is_403() {
    let server = Server::new().await;
    for (name, value) in
        [("origin", "http://localhost"), ("sec-fetch-site", "same-origin"), ("host", "attacker.example")]
    {
        let request = client().get(format!("{}/v7/device", server.url)).bearer_auth(&server.user).header(name, value);
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (403, ""), "{name}");
    }
    assert_eq!(send(&server.url, &server.user, Method::OPTIONS, "/v7/device", "").await, answer(403, ""));
}

/// The ids of the rows of each resource that a key sees.
async fn seen(server: &Server, key: &str) -> Value {
    let mut all = serde_json::Map::new();
    for resource in ["application", "device", "service", "service_install"] {
        let rows = send(&server.url, key, Method::GET, &format!("/v7/{resource}?$select=id"), "").await.rows();
        all.insert(resource.to_owned(), rows.iter().map(|row| row["id"].clone()).collect());
    }
    all.into()
}

#[tokio::test]
async fn a_device_key_sees_its_own_records_and_a_user_key_all() {
    let server = Server::new().await;
    let service = |fleet, name| server.account.service_id(fleet, name).unwrap();
    let (main, spare, elsewhere) = (service(42, "main"), service(42, "spare"), service(43, "elsewhere"));
    let [device, other, foreign] = [server.device.id, server.other.id, server.foreign.id];
    let own = json!({ "application": [42], "device": [device], "service": [main, spare],
        "service_install": [server.install_of(device).await] });
    assert_eq!(seen(&server, &server.device.api_key).await, own);
    let installs = [server.install_of(device).await, server.install_of(other).await, server.install_of(foreign).await];
    let all = json!({ "application": [42, 43], "device": [device, other, foreign],
        "service": [main, spare, elsewhere], "service_install": installs });
    assert_eq!(seen(&server, &server.user).await, all);
    for path in [format!("device(uuid='{OTHER}')"), format!("device({foreign})"), "application(43)".to_owned()] {
        assert!(server.get_as_device(&format!("/v7/{path}")).await.rows().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_device_key_changes_nothing_of_another() {
    let server = Server::new().await;
    let [other, foreign] = [server.other.id, server.foreign.id];
    let install = server.install_of(other).await;
    let variable = json!({ "device": other, "name": "A", "value": "kept" });
    let of_service = json!({ "service_install": install, "name": "A", "value": "kept" });
    let (own_path, service_path) = ("/v7/device_environment_variable", "/v7/device_service_environment_variable");
    let id = server.send(Method::POST, own_path, &variable).await.created()["id"].clone();
    let service_id = server.send(Method::POST, service_path, &of_service).await.created()["id"].clone();
    for (path, body) in [
        (own_path, json!({ "device": other, "name": "B", "value": "x" })),
        (own_path, json!({ "device": foreign, "name": "B", "value": "x" })),
        (own_path, json!({ "device": 999, "name": "B", "value": "x" })),
        // It is refused before a conflict could tell that there is a variable.
        (own_path, variable.clone()),
        (service_path, json!({ "service_install": install, "name": "B", "value": "x" })),
        (service_path, of_service.clone()),
        (
            "/v7/service_install",
            json!({ "device": other, "installs__service": server.account.service_id(42, "spare") }),
        ),
        (
            "/v7/service_install",
            json!({ "device": server.device.id, "installs__service": server.account.service_id(43, "elsewhere") }),
        ),
    ] {
        assert_eq!(server.send_as_device(Method::POST, path, &body).await, answer(401, ""), "{path} {body}");
    }
    for method in [Method::PATCH, Method::DELETE] {
        for path in [
            format!("{own_path}({id})"),
            format!("{own_path}?$filter=device%20eq%20{other}"),
            format!("{own_path}?$filter=name%20eq%20'A'"),
            format!("{service_path}({service_id})"),
            format!("{service_path}?$filter=service_install%20eq%20{install}"),
            format!("{service_path}?$filter=service_install/any(si:si/device%20eq%20{other})"),
        ] {
            let answered = server.send_as_device(method.clone(), &path, &json!({ "value": "x" })).await;
            assert_eq!(answered, answer(200, "OK"), "{method} {path}");
        }
    }
    let deleted = server.send_as_device(Method::DELETE, &format!("/v7/service_install({install})"), &json!({})).await;
    assert_eq!(deleted, answer(200, "OK"));
    let kept = server.account.variables(OTHER).unwrap();
    assert_eq!(kept.iter().map(|variable| variable.value.as_str()).collect::<Vec<_>>(), ["kept", "kept"]);
    assert!(server.account.variables(FOREIGN).unwrap().is_empty());
}

#[tokio::test]
async fn the_key_of_a_frozen_device_is_refused_until_it_is_thawed() {
    let server = Server::new().await;
    server.account.set_frozen(UUID, true).unwrap();
    let variable = json!({ "device": server.device.id, "name": "A", "value": "x" });
    for path in ["/actor/v1/whoami", "/v7/device", "/v7/application"] {
        assert_eq!(server.get_as_device(path).await, answer(401, ""), "{path}");
    }
    let path = "/v7/device_environment_variable";
    assert_eq!(server.send_as_device(Method::POST, path, &variable).await, answer(401, ""));
    server.account.set_frozen_keys(FrozenKeys::SeeNothing);
    let whoami: Value = serde_json::from_str(&server.get_as_device("/actor/v1/whoami").await.body).unwrap();
    assert_eq!(whoami["uuid"], UUID);
    assert!(server.get_as_device("/v7/device").await.rows().is_empty());
    assert_eq!(server.send_as_device(Method::POST, path, &variable).await, answer(401, ""));
    server.account.set_frozen(UUID, false).unwrap();
    server.send_as_device(Method::POST, path, &variable).await.created();
}

#[tokio::test]
async fn a_replaced_or_deleted_key_is_refused() {
    let server = Server::new().await;
    let fresh = server.account.replace_user_key().unwrap();
    assert_eq!(server.get("/v7/device").await, answer(401, ""));
    assert_eq!(send(&server.url, &fresh, Method::GET, "/v7/device", "").await.rows().len(), 3);
    server.account.delete_device(UUID).unwrap();
    assert_eq!(server.get_as_device("/actor/v1/whoami").await, answer(401, ""));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413_and_a_stranger_s_is_not_read() {
    let server = Server::new().await;
    let long = "x".repeat(2 * 1024 * 1024 + 1);
    let path = "/v7/device_environment_variable";
    assert_eq!(send(&server.url, &server.user, Method::POST, path, &long).await.status, 413);
    // The body never comes; the answer does all the same.
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer another\r\nContent-Length: 9\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
}
