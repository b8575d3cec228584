//! Lists and single records, and who is asking.

use serde_json::{Value, json};

use crate::server::{FOREIGN, OTHER, Server, UUID, answer};

#[tokio::test]
async fn a_device_is_found_by_uuid_and_by_id_in_both_versions() {
    let server = Server::new().await;
    let id = server.device.id;
    let device = json!({ "id": id, "uuid": UUID, "device_name": "0123456", "public_address": "192.0.2.7",
        "is_online": true, "is_connected_to_vpn": true, "is_frozen": false, "belongs_to__application": { "__id": 42 } });
    for version in ["v6", "v7"] {
        for path in [
            format!("device(uuid='{UUID}')"),
            format!("device(uuid=%27{UUID}%27)"),
            format!("device({id})"),
            format!("device?$filter=uuid%20eq%20'{UUID}'"),
            format!("device?%24filter=(uuid%20eq%20%27{UUID}%27)"),
        ] {
            assert_eq!(server.get(&format!("/{version}/{path}")).await.row(), device, "{version} {path}");
            assert_eq!(server.get_as_device(&format!("/{version}/{path}")).await.row(), device, "{version} {path}");
        }
    }
}

#[tokio::test]
async fn nothing_found_is_an_empty_list() {
    let server = Server::new().await;
    for path in [
        "/v7/device(uuid='ffffffffffffffffffffffffffffffff')",
        "/v7/device(uuid='0123456')",
        "/v7/device(999)",
        "/v7/device?$filter=uuid%20eq%20'0123456'",
        "/v7/application(44)",
        "/v7/service?$filter=application%20eq%2044",
        "/v7/device_environment_variable",
    ] {
        assert_eq!(server.get(path).await, answer(200, r#"{"d":[]}"#), "{path}");
    }
}

#[tokio::test]
async fn an_answer_has_the_selected_members() {
    let server = Server::new().await;
    let id = server.device.id;
    let rows = [
        (format!("/v7/device({id})?$select=id"), json!({ "id": id })),
        (
            format!("/v6/device({id})?$select=public_address,is_frozen,belongs_to__application"),
            json!({ "public_address": "192.0.2.7", "is_frozen": false, "belongs_to__application": { "__id": 42 } }),
        ),
        ("/v6/application(42)?$select=id".to_owned(), json!({ "id": 42 })),
        ("/v7/application(42)?$select=app_name,slug".to_owned(), json!({ "app_name": "Relay", "slug": "user/relay" })),
    ];
    for (path, expected) in rows {
        assert_eq!(server.get(&path).await.row(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_device_without_an_address_has_none_and_shows_when_it_is_offline_or_frozen() {
    let server = Server::new().await;
    let path = format!("/v7/device(uuid='{OTHER}')?$select=public_address,is_online,is_frozen");
    let seen = |address: Value, online: bool, frozen: bool| json!({ "public_address": address, "is_online": online, "is_frozen": frozen });
    assert_eq!(server.get(&path).await.row(), seen(Value::Null, true, false));
    server.account.set_public_address(OTHER, Some("2001:db8::1")).unwrap();
    server.account.set_online(OTHER, false).unwrap();
    server.account.set_frozen(OTHER, true).unwrap();
    assert_eq!(server.get(&path).await.row(), seen("2001:db8::1".into(), false, true));
}

#[tokio::test]
async fn an_expanded_member_is_a_list_of_rows() {
    let server = Server::new().await;
    let (id, main) = (server.device.id, server.account.service_id(42, "main").unwrap());
    let spare = server.account.service_id(42, "spare").unwrap();
    let install = server.install_of(id).await;
    let path = format!(
        "/v7/device({id})?$select=id&$expand=belongs_to__application($select=slug),\
         service_install($select=id;$expand=installs__service($select=id,service_name)),image_install($select=id)"
    );
    let expected = json!({ "id": id, "belongs_to__application": [{ "slug": "user/relay" }],
        "service_install": [{ "id": install, "installs__service": [{ "id": main, "service_name": "main" }] }],
        "image_install": [] });
    assert_eq!(server.get(&path).await.row(), expected);
    let services = server.get("/v7/application(42)?$select=id&$expand=service").await.row();
    let row = |id: u64, name: &str| json!({ "id": id, "service_name": name, "application": { "__id": 42 } });
    assert_eq!(services, json!({ "id": 42, "service": [row(main, "main"), row(spare, "spare")] }));
    let filtered = "/v7/application(42)?$select=id&$expand=service($select=id;$filter=service_name%20eq%20'spare')";
    assert_eq!(server.get(filtered).await.row(), json!({ "id": 42, "service": [{ "id": spare }] }));
}

#[tokio::test]
async fn rows_are_sorted_as_asked() {
    let server = Server::new().await;
    let uuids = |rows: Vec<Value>| rows.iter().map(|row| row["uuid"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for (order, expected) in [
        ("uuid%20asc", [FOREIGN, UUID, OTHER]),
        ("uuid%20desc", [OTHER, UUID, FOREIGN]),
        ("id", [UUID, OTHER, FOREIGN]),
        ("is_online,id%20desc", [FOREIGN, OTHER, UUID]),
    ] {
        let rows = server.get(&format!("/v7/device?$select=uuid&$orderby={order}")).await.rows();
        assert_eq!(uuids(rows), expected, "{order}");
    }
}

#[tokio::test]
async fn whoami_tells_the_owner_of_a_key() {
    let server = Server::new().await;
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let device = server.get_as_device("/actor/v1/whoami").await;
    let expected =
        json!({ "id": server.device.id + 1, "actorType": "device", "actorTypeId": server.device.id, "uuid": UUID });
    assert_eq!((device.status, json(&device.body)), (200, expected));
    let user = server.get("/actor/v1/whoami").await;
    let expected =
        json!({ "id": 1, "actorType": "user", "actorTypeId": 1, "username": "user", "email": "user@localhost" });
    assert_eq!((user.status, json(&user.body)), (200, expected));
    let user = json(&server.get("/user/v1/whoami").await.body);
    assert_eq!(user, json!({ "id": 1, "username": "user", "email": "user@localhost" }));
    assert_eq!(server.get_as_device("/user/v1/whoami").await, answer(401, ""));
}
