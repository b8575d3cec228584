//! A served account, and requests to it.

use emulator_balena::{Account, AddedDevice, NewDevice, serve};
use emulator_kit::{Limits, Listener};
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinHandle;

/// The device of most tests, of the fleet 42 with the service `main`.
pub(crate) const UUID: &str = "0123456789abcdef0123456789abcdef";

/// Another device of the same fleet.
pub(crate) const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// A device of the fleet 43.
pub(crate) const FOREIGN: &str = "00000000000000000000000000000043";

/// A served account with three devices.
pub(crate) struct Server {
    pub(crate) account: Account,
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) device: AddedDevice,
    pub(crate) other: AddedDevice,
    pub(crate) foreign: AddedDevice,
}

/// An answer: status and body.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The rows of a list.
    pub(crate) fn rows(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        body["d"].as_array().unwrap().clone()
    }

    /// The one row of a list.
    pub(crate) fn row(&self) -> Value {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0].clone()
    }

    /// The created record.
    pub(crate) fn created(&self) -> Value {
        assert_eq!(self.status, 201, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer with this status and body.
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.to_owned() }
}

/// Fills an account: the fleets 42 (`main`, `spare`) and 43 (`elsewhere`), and three devices.
pub(crate) fn fill(account: &Account) -> [AddedDevice; 3] {
    account.add_fleet(42, "Relay", &["main", "spare"]).unwrap();
    account.add_fleet(43, "Foreign", &["elsewhere"]).unwrap();
    [(UUID, 42, "main"), (OTHER, 42, "main"), (FOREIGN, 43, "elsewhere")].map(|(uuid, fleet, service)| {
        let public_address = (uuid == UUID).then(|| "192.0.2.7".to_owned());
        let (uuid, installed) = (uuid.to_owned(), vec![service.to_owned()]);
        account.add_device(NewDevice { uuid, fleet, public_address, installed }).unwrap()
    })
}

/// Serves an account, and returns the URL.
pub(crate) async fn start(account: Account) -> String {
    start_until(account, std::future::pending()).await.0
}

/// Serves an account until `until` resolves, and returns the URL and the server, which has the account open.
pub(crate) async fn start_until(
    account: Account,
    until: impl Future<Output = ()> + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = Listener::loopback(Limits::default()).await.unwrap();
    let url = listener.url();
    (url, tokio::spawn(serve(listener, account, until)))
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// Sends a request with a key; an empty body is none.
pub(crate) async fn send(url: &str, key: &str, method: Method, path: &str, body: &str) -> Answer {
    let request = client().request(method, format!("{url}{path}")).bearer_auth(key).body(body.to_owned());
    let response = request.send().await.unwrap();
    Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
}

impl Server {
    pub(crate) async fn new() -> Self {
        let account = Account::in_memory();
        let [device, other, foreign] = fill(&account);
        let (url, user) = (start(account.clone()).await, account.user_key());
        Self { account, url, user, device, other, foreign }
    }

    /// GET with the user's key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(&self.url, &self.user, Method::GET, path, "").await
    }

    /// GET with the device's key.
    pub(crate) async fn get_as_device(&self, path: &str) -> Answer {
        send(&self.url, &self.device.api_key, Method::GET, path, "").await
    }

    /// A change with the user's key.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(&self.url, &self.user, method, path, &body.to_string()).await
    }

    /// A change with the device's key.
    pub(crate) async fn send_as_device(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(&self.url, &self.device.api_key, method, path, &body.to_string()).await
    }

    /// The id of the install of a device's one service.
    pub(crate) async fn install_of(&self, device: u64) -> u64 {
        let rows = self.get(&format!("/v7/service_install?$select=id&$filter=device%20eq%20{device}")).await;
        rows.row()["id"].as_u64().unwrap()
    }
}
