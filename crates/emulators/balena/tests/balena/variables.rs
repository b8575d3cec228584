//! Variables and installs, created, changed and deleted.

use emulator_balena::Variable;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, UUID, answer};

const OF_DEVICE: &str = "/v7/device_environment_variable";
const OF_SERVICE: &str = "/v7/device_service_environment_variable";

fn variable(service: Option<&str>, name: &str, value: &str) -> Variable {
    Variable { service: service.map(str::to_owned), name: name.to_owned(), value: value.to_owned() }
}

#[tokio::test]
async fn a_variable_is_created_once_and_changed_and_deleted_by_the_device_s_key() {
    let server = Server::new().await;
    let (device, install) = (server.device.id, server.install_of(server.device.id).await);
    let main = server.account.service_id(42, "main").unwrap();
    let rows = [
        (OF_DEVICE, "device", device, None, format!("device eq {device}")),
        (
            OF_SERVICE,
            "service_install",
            install,
            Some("main"),
            format!("service_install/any(si:(si/device eq {device}) and (si/service eq {main}))"),
        ),
    ];
    for (path, owner, id, service, filter) in rows {
        let body = json!({ owner: id, "name": "AWS_CERT", "value": "one" });
        let created = server.send_as_device(Method::POST, path, &body).await.created();
        let (key, owned) = (created["id"].as_u64().unwrap(), json!({ "__id": id }));
        assert_eq!(created, json!({ "id": key, "name": "AWS_CERT", "value": "one", owner: owned }));
        let again = server.send_as_device(Method::POST, path, &body).await;
        assert_eq!(again, answer(409, &format!("\"{owner}\" and \"name\" must be unique.")));
        let by_filter = format!("{path}?$filter=({filter})%20and%20(name%20eq%20'AWS_CERT')").replace(' ', "%20");
        let by_key = format!("{path}({key})");
        let natural = format!("{path}({owner}={id},name='AWS_CERT')");
        for (target, value) in [(&by_filter, "two"), (&by_key, "three"), (&natural, "four")] {
            let changed = server.send_as_device(Method::PATCH, target, &json!({ "value": value })).await;
            assert_eq!(changed, answer(200, "OK"), "{target}");
            assert_eq!(server.account.variables(UUID).unwrap(), [variable(service, "AWS_CERT", value)]);
            assert_eq!(server.get_as_device(target).await.row()["value"], value);
        }
        for target in [&by_key, &by_filter, &natural] {
            let kept =
                server.send_as_device(Method::DELETE, &format!("{path}?$filter=name%20eq%20'B'"), &json!({})).await;
            assert_eq!((kept, server.account.variables(UUID).unwrap().len()), (answer(200, "OK"), 1));
            for _ in 0..2 {
                assert_eq!(
                    server.send_as_device(Method::DELETE, target, &json!({})).await,
                    answer(200, "OK"),
                    "{target}"
                );
                assert!(server.account.variables(UUID).unwrap().is_empty(), "{target}");
            }
            server.send_as_device(Method::POST, path, &body).await.created();
        }
        server.send_as_device(Method::DELETE, &by_filter, &json!({})).await;
    }
}

#[tokio::test]
async fn a_change_of_nothing_is_ok_and_one_of_everything_is_400() {
    let server = Server::new().await;
    let body = json!({ "device": server.device.id, "name": "A", "value": "x" });
    server.send(Method::POST, OF_DEVICE, &body).await.created();
    let none = format!("{OF_DEVICE}?$filter=name%20eq%20'B'");
    assert_eq!(server.send(Method::PATCH, &none, &json!({ "value": "y" })).await, answer(200, "OK"));
    for method in [Method::PATCH, Method::DELETE] {
        assert_eq!(server.send(method, OF_DEVICE, &json!({ "value": "y" })).await.status, 400);
    }
    assert_eq!(server.account.variables(UUID).unwrap(), [variable(None, "A", "x")]);
}

#[tokio::test]
async fn a_name_or_value_that_breaks_a_rule_is_400_with_its_text() {
    let server = Server::new().await;
    let (device, install) = (server.device.id, server.install_of(server.device.id).await);
    let name = "Environment variable names can only contain alphanumeric characters and underscores.";
    let reserved = "Environment variables RESIN, BALENA, USER are reserved";
    let prefix = "Environment variables beginning with RESIN_, BALENA_ are reserved.";
    let lines = "Variable values cannot contain line break characters";
    let long = "x".repeat(100_001);
    let rows = [
        ("", "x", name),
        ("1A", "x", name),
        ("A-B", "x", name),
        ("A B", "x", name),
        ("Ä", "x", name),
        ("RESIN", "x", reserved),
        ("BALENA", "x", reserved),
        ("USER", "x", reserved),
        ("RESIN_A", "x", prefix),
        ("BALENA_A", "x", prefix),
        ("A", "a\nb", lines),
        ("A", "a\r", lines),
        ("A", &long, "Variable values cannot have more than 100000 characters"),
    ];
    for (name, value, expected) in rows {
        for (path, owner, id) in [(OF_DEVICE, "device", device), (OF_SERVICE, "service_install", install)] {
            let body = json!({ owner: id, "name": name, "value": value });
            assert_eq!(server.send(Method::POST, path, &body).await, answer(400, expected), "{path} {name:?}");
        }
    }
    for name in ["A", "_", "aWS_9", "RESINX", "USER_"] {
        let body = json!({ "device": device, "name": name, "value": "ü".repeat(100_000) });
        server.send(Method::POST, OF_DEVICE, &body).await.created();
    }
    let by_name = format!("{OF_DEVICE}?$filter=name%20eq%20'A'");
    let changed = server.send(Method::PATCH, &by_name, &json!({ "value": "\n" })).await;
    assert_eq!(changed, answer(400, lines));
    assert_eq!(server.account.variables(UUID).unwrap().len(), 5);
}

#[tokio::test]
async fn a_body_of_another_form_is_400() {
    let server = Server::new().await;
    let device = server.device.id;
    for body in [
        json!({}),
        json!([]),
        json!({ "device": device, "name": "A" }),
        json!({ "device": device, "name": "A", "value": 1 }),
        json!({ "device": device.to_string(), "name": "A", "value": "x" }),
        json!({ "device": device, "name": "A", "value": "x", "other": 1 }),
        json!({ "service_install": device, "name": "A", "value": "x" }),
    ] {
        assert_eq!(server.send(Method::POST, OF_DEVICE, &body).await.status, 400, "{body}");
    }
    let by_name = format!("{OF_DEVICE}?$filter=name%20eq%20'A'");
    for body in [json!({}), json!({ "value": "x", "name": "B" }), Value::Null] {
        assert_eq!(server.send(Method::PATCH, &by_name, &body).await.status, 400, "{body}");
    }
    assert!(server.account.variables(UUID).unwrap().is_empty());
}

#[tokio::test]
async fn a_service_of_the_fleet_is_installed_once_by_the_device_s_key() {
    let server = Server::new().await;
    let (device, spare) = (server.device.id, server.account.service_id(42, "spare").unwrap());
    let body = json!({ "device": device, "installs__service": spare });
    let created = server.send_as_device(Method::POST, "/v7/service_install", &body).await.created();
    let expected = json!({ "id": created["id"], "device": { "__id": device }, "installs__service": { "__id": spare } });
    assert_eq!(created, expected);
    let again = server.send_as_device(Method::POST, "/v7/service_install", &body).await;
    assert_eq!(again, answer(409, "\"device\" and \"installs__service\" must be unique."));
    let new = json!({ "service_install": created["id"], "name": "A", "value": "x" });
    server.send_as_device(Method::POST, OF_SERVICE, &new).await.created();
    assert_eq!(server.account.variables(UUID).unwrap(), [variable(Some("spare"), "A", "x")]);
    let path = format!("/v7/service_install({})", created["id"]);
    assert_eq!(server.send_as_device(Method::DELETE, &path, &json!({})).await, answer(200, "OK"));
    assert_eq!(server.account.device(UUID).unwrap().installed, ["main"]);
    assert!(server.account.variables(UUID).unwrap().is_empty());
}

#[tokio::test]
async fn of_many_posts_of_one_variable_one_is_created() {
    let server = Server::new().await;
    let install = server.install_of(server.device.id).await;
    let owned =
        [(OF_DEVICE, json!({ "device": server.device.id })), (OF_SERVICE, json!({ "service_install": install }))];
    for (path, owner) in owned {
        let posts = (0..20).map(|number| {
            let mut body = owner.clone();
            (body["name"], body["value"]) = ("A".into(), number.to_string().into());
            let server = &server;
            async move { (number.to_string(), server.send_as_device(Method::POST, path, &body).await) }
        });
        let answers = futures::future::join_all(posts).await;
        let created: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 201).collect();
        assert_eq!((created.len(), answers.iter().filter(|(_, answer)| answer.status == 409).count()), (1, 19));
        let stored = server.account.variables(UUID).unwrap();
        assert!(stored.iter().any(|variable| variable.value == created[0].0), "{stored:?}");
    }
    assert_eq!(server.account.variables(UUID).unwrap().len(), 2);
}
