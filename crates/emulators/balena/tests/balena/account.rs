//! The account behind the API.

use emulator_balena::{Account, AccountError, NewDevice, StoreError, Variable};
use reqwest::Method;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::server::{FOREIGN, OTHER, Server, UUID, fill, send, start, start_until};

fn new(uuid: &str, fleet: u64, installed: &[&str]) -> NewDevice {
    let installed = installed.iter().map(|name| (*name).to_owned()).collect();
    NewDevice { uuid: uuid.to_owned(), fleet, public_address: None, installed }
}

#[test]
fn a_change_that_names_nothing_or_something_twice_is_refused() {
    let account = Account::in_memory();
    fill(&account);
    let texts = [
        account.add_fleet(42, "New", &[]).unwrap_err().to_string(),
        account.add_fleet(44, "Relay", &[]).unwrap_err().to_string(),
        account.set_frozen("x", true).unwrap_err().to_string(),
        account.move_device(UUID, 44).unwrap_err().to_string(),
        account.delete_device("x").unwrap_err().to_string(),
        account.variables("x").unwrap_err().to_string(),
        account.set_installed(UUID, &["elsewhere"]).unwrap_err().to_string(),
    ];
    let expected = [
        "there is a fleet 42 or one named New already",
        "there is a fleet 44 or one named Relay already",
        "there is no device x",
        "there is no fleet 44",
        "there is no device x",
        "there is no device x",
        "the fleet 42 has no service \"elsewhere\"",
    ];
    assert_eq!(texts, expected);
    let free = "1".repeat(32);
    assert!(matches!(account.add_device(new(UUID, 42, &[])), Err(AccountError::DeviceExists { .. })));
    assert!(matches!(account.add_device(new(&free, 44, &[])), Err(AccountError::UnknownFleet { id: 44 })));
    assert!(matches!(account.add_device(new(&free, 42, &["x"])), Err(AccountError::UnknownService { .. })));
    for uuid in ["", &UUID[1..], &UUID.to_uppercase(), &format!("{UUID}0"), &"g".repeat(32), &"ü".repeat(16)] {
        assert!(matches!(account.add_device(new(uuid, 42, &[])), Err(AccountError::MalformedUuid { .. })), "{uuid}");
    }
    assert_eq!(account.devices().len(), 3);
}

#[tokio::test]
async fn a_moved_device_has_the_services_of_its_new_fleet() {
    let server = Server::new().await;
    let install = server.install_of(server.device.id).await;
    for (path, body) in [
        ("/v7/device_service_environment_variable", json!({ "service_install": install, "name": "A", "value": "x" })),
        ("/v7/device_environment_variable", json!({ "device": server.device.id, "name": "A", "value": "x" })),
    ] {
        server.send_as_device(Method::POST, path, &body).await.created();
    }
    server.account.move_device(UUID, 43).unwrap();
    let device = server.account.device(UUID).unwrap();
    assert_eq!((device.fleet, device.installed.as_slice()), (43, &["elsewhere".to_owned()][..]));
    let kept = Variable { service: None, name: "A".to_owned(), value: "x".to_owned() };
    assert_eq!(server.account.variables(UUID).unwrap(), [kept]);
    assert_eq!(server.get_as_device("/v7/application").await.row()["id"], 43);
    assert_eq!(server.account.device(OTHER).unwrap().installed, ["main"]);
}

#[tokio::test]
async fn a_deleted_device_leaves_nothing() {
    let server = Server::new().await;
    let install = server.install_of(server.device.id).await;
    for (path, body) in [
        ("/v7/device_service_environment_variable", json!({ "service_install": install, "name": "A", "value": "x" })),
        ("/v7/device_environment_variable", json!({ "device": server.device.id, "name": "A", "value": "x" })),
    ] {
        server.send(Method::POST, path, &body).await.created();
    }
    server.account.delete_device(UUID).unwrap();
    for resource in ["device_environment_variable", "device_service_environment_variable"] {
        assert!(server.get(&format!("/v7/{resource}")).await.rows().is_empty(), "{resource}");
    }
    assert_eq!(server.get("/v7/service_install").await.rows().len(), 2);
    assert!(server.get(&format!("/v7/device(uuid='{UUID}')")).await.rows().is_empty());
}

#[tokio::test]
async fn an_account_outlives_its_process_as_it_was() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("balena");
    let account = Account::open(&path).unwrap();
    let [device, ..] = fill(&account);
    let (stop, stopped) = oneshot::channel();
    let (url, served) = start_until(account.clone(), async { drop(stopped.await) }).await;
    let user = account.user_key();
    let body = json!({ "device": device.id, "name": "A", "value": "x" }).to_string();
    send(&url, &device.api_key, Method::POST, "/v7/device_environment_variable", &body).await.created();
    account.set_frozen(OTHER, true).unwrap();
    drop(account);
    // The server has it open.
    let text = Account::open(&path).unwrap_err().to_string();
    assert_eq!(text, format!("{} is in use by another process", path.display()));
    stop.send(()).unwrap();
    served.await.unwrap();

    let account = Account::open(&path).unwrap();
    assert_eq!((account.user_key(), account.devices().len()), (user, 3));
    assert_eq!(account.device(UUID).unwrap().api_key, device.api_key);
    assert_eq!(account.device(UUID).unwrap().public_address.as_deref(), Some("192.0.2.7"));
    assert!(account.device(OTHER).unwrap().is_frozen);
    assert_eq!(account.device(FOREIGN).unwrap().installed, ["elsewhere"]);
    assert_eq!(account.variables(UUID).unwrap().len(), 1);
    let fresh = account.add_device(new(&"1".repeat(32), 42, &[])).unwrap();
    assert!(account.devices().iter().filter(|device| device.id == fresh.id).count() == 1);
    let mode = fs::metadata(path.join("account.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_account_is_open_once() {
    let directory = TempDir::new().unwrap();
    let account = Account::open(directory.path()).unwrap();
    fill(&account);
    let error = Account::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    let clone = account.clone();
    drop(account);
    let error = Account::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(clone);
    assert_eq!(Account::open(directory.path()).unwrap().devices().len(), 3);
}

#[tokio::test]
async fn a_change_that_cannot_be_stored_is_not_made() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("balena");
    let account = Account::open(&path).unwrap();
    let [device, ..] = fill(&account);
    let url = start(account.clone()).await;
    fs::remove_dir_all(&path).unwrap();
    let body = json!({ "device": device.id, "name": "A", "value": "x" }).to_string();
    let answered = send(&url, &device.api_key, Method::POST, "/v7/device_environment_variable", &body).await;
    assert_eq!((answered.status, answered.body.as_str()), (500, "internal server error"));
    assert!(account.variables(UUID).unwrap().is_empty());
    assert!(matches!(account.set_frozen(UUID, true), Err(AccountError::Store(StoreError::Io { .. }))));
    assert!(!account.device(UUID).unwrap().is_frozen);
    fs::create_dir(&path).unwrap();
    send(&url, &device.api_key, Method::POST, "/v7/device_environment_variable", &body).await.created();
}

#[test]
fn a_file_that_is_cut_short_or_another_s_is_refused() {
    let directory = TempDir::new().unwrap();
    fill(&Account::open(directory.path()).unwrap());
    let file = directory.path().join("account.json");
    let whole = fs::read(&file).unwrap();
    for end in 0..whole.len() {
        fs::write(&file, &whole[..end]).unwrap();
        let error = Account::open(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::Broken { .. }), "{end}: {error}");
    }
    fs::write(&file, "{}").unwrap();
    let text = Account::open(directory.path()).unwrap_err().to_string();
    assert!(text.ends_with("; move it away to begin with an empty one"), "{text}");
    fs::write(&file, &whole).unwrap();
    Account::open(directory.path()).unwrap();
}
