//! `POST /devices/register` registers a device and spends a key.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod body;
mod limits;
mod order;
mod row;

use firefly_device::{Identity, Response, registration_body};
use firefly_testkit::TestCloud;
use firefly_testkit::answer::json;
use serde_json::{Map, Value};

/// The body of a registration, member by member, each value as JSON text.
#[derive(Clone)]
struct Body(Vec<(String, String)>);

impl Body {
    /// The registration that the firmware sends for this device.
    fn of(device: &Identity) -> Self {
        let members: Map<String, Value> = serde_json::from_slice(&registration_body(device)).unwrap();
        Self(members.into_iter().map(|(name, value)| (name, value.to_string())).collect())
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|member| member.0 != name);
        self
    }

    /// The same with one more member, whose value is this JSON text.
    fn and(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same with another value of one member.
    fn with(self, name: &str, value: impl ToString) -> Self {
        self.without(name).and(name, value)
    }

    fn bytes(&self) -> Vec<u8> {
        let members = self.0.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
        format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
    }

    /// The same with an unknown member that makes it exactly so many bytes long.
    fn padded_to(self, length: usize) -> Self {
        let padded = self.clone().and("padding", "\"\"").bytes().len();
        self.and("padding", format!("\"{}\"", "p".repeat(length - padded)))
    }
}

async fn register(cloud: &TestCloud, key: &str, body: &[u8]) -> Response {
    cloud.request("POST", "/devices/register", &[("X-Registration-Key", key)], Some(body)).await
}

/// A device as `GET /devices` shows it.
async fn listed(cloud: &TestCloud, device: &Identity) -> Value {
    let answer = cloud.as_user("operator", &["super_users"], "GET", "/devices").await;
    assert_eq!(answer.status, 200);
    let mut list = json(&answer);
    let uuid = device.uuid().to_string();
    let devices = list["devices"].as_array_mut().unwrap();
    let at = devices.iter().position(|device| device["uuid"] == uuid.as_str()).expect("the device is listed");
    devices.swap_remove(at)
}
