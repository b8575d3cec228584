//! The genuine request of each function: its recorded event, sent by a caller who may send it. It is about a device, and
//! about the newest version of the device's backup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_core::device::DeviceId;
use firefly_device::{Identity, Response};
use firefly_functions::{Caller, Listed};
use serde_json::Value;

use crate::runtime_api::{Event, RuntimeApi, template};
use crate::{Invoked, TestCloud};

impl TestCloud {
    /// Sends the genuine request of a function to this cloud's gateway; `device` signs it where devices do.
    pub async fn send_genuine(&self, function: &Listed, device: &Identity) -> Response {
        let event = Event::recorded(function.name);
        let signed = self.sign(device);
        let mut headers: Vec<(String, String)> = content_headers(&event);
        match function.caller {
            Caller::Anyone => {}
            Caller::Device => headers.extend(signed.pairs().map(|(name, value)| (name.to_owned(), value.to_owned()))),
            Caller::Key => {
                let key = self.mint().await;
                return self.send_genuine_with_key(function, device, key.as_str()).await;
            }
            Caller::User => headers.push(("Authorization".to_owned(), format!("Bearer {}", self.token("user", &[])))),
            Caller::SuperUser => {
                let token = self.token("root", &["super_users"]);
                headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
        }
        self.send_recorded(function, &event, signed.device(), headers).await
    }

    /// Sends the genuine request of a function for holders of a key, but with this key.
    pub async fn send_genuine_with_key(&self, function: &Listed, device: &Identity, key: &str) -> Response {
        let event = Event::recorded(function.name);
        let mut headers = content_headers(&event);
        headers.push(("X-Registration-Key".to_owned(), key.to_owned()));
        self.send_recorded(function, &event, device.uuid(), headers).await
    }

    /// Sends path, query and body of a recorded event with these headers.
    async fn send_recorded(
        &self,
        function: &Listed,
        event: &Event,
        device: DeviceId,
        headers: Vec<(String, String)>,
    ) -> Response {
        let (method, mut path) = method_and_path(function, &device.to_string());
        if let Some(recorded) = event.get("/pathParameters/version").and_then(Value::as_str) {
            let versions = self.object_versions(device).await;
            path = versions.first().map_or_else(|| path.clone(), |version| path.replace(recorded, version));
        }
        let query = event.get("/rawQueryString").and_then(Value::as_str).filter(|query| !query.is_empty());
        let path = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.request(&method, &path, &headers, body(event).as_deref()).await
    }
}

/// The method and path of a request to a function. The path's variables have the values of its recorded event, but `uuid` is
/// that of `device`.
pub fn method_and_path(function: &Listed, device: &str) -> (String, String) {
    let (event, route) = (Event::recorded(function.name), template(function.name).route);
    let path = route.variables().fold(route.path.clone(), |path, name| {
        let recorded = event.get(&format!("/pathParameters/{name}")).and_then(Value::as_str);
        let value = if name == "uuid" { device } else { recorded.expect("the event has every variable of its route") };
        path.replace(&format!("{{{name}}}"), value)
    });
    (route.method.to_string(), path)
}

impl Invoked {
    /// The genuine event of this function, sent at the time of `cloud`; `device` signs it where devices do.
    pub async fn genuine_event(&self, cloud: &TestCloud, device: &Identity) -> Event {
        match self.function().caller {
            Caller::Anyone | Caller::User | Caller::SuperUser => self.event(),
            Caller::Device => self.event().signed(&cloud.sign(device)),
            Caller::Key => self.event().header("X-Registration-Key", cloud.mint().await.as_str()),
        }
    }
}

impl RuntimeApi {
    /// The genuine event of this process's function, sent by a caller whom `cloud` knows at the real time.
    pub async fn genuine_event(&self, cloud: &TestCloud) -> Event {
        match self.function().caller {
            Caller::Anyone | Caller::User | Caller::SuperUser => self.event(),
            Caller::Device => self.signed_event(&cloud.registered_device().await),
            Caller::Key => self.event().header("X-Registration-Key", cloud.mint().await.as_str()),
        }
    }
}

/// The headers of an event that describe its body.
fn content_headers(event: &Event) -> Vec<(String, String)> {
    let headers = event.get("/headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.filter(|(name, _)| name.starts_with("content-") && *name != "content-length");
    headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The bytes of an event's body, if it has one.
fn body(event: &Event) -> Option<Vec<u8>> {
    let text = event.get("/body")?.as_str()?;
    let is_base64 = event.get("/isBase64Encoded").and_then(Value::as_bool).unwrap_or_default();
    Some(if is_base64 { STANDARD.decode(text).expect("a recorded body is Base64") } else { text.into() })
}
