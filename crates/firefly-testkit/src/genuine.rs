//! The genuine request of each function: its recorded event, sent by a caller who may send it. It is about a device, and
//! about the newest version of the device's backup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::{Identity, Response};
use firefly_functions::{Caller, Listed};
use serde_json::Value;

use crate::TestCloud;
use crate::runtime_api::{Event, RuntimeApi, template};

impl TestCloud {
    /// Sends the genuine request of a function to this cloud's gateway; `device` signs it where devices do.
    pub async fn send_genuine(&self, function: &Listed, device: &Identity) -> Response {
        let (event, route) = (Event::recorded(function.name), template(function.name).route);
        let signed = self.sign(device);
        let mut headers: Vec<(String, String)> = content_headers(&event);
        let uuid = signed.device().to_string();
        match function.caller {
            Caller::Anyone => {}
            Caller::Device => headers.extend(signed.pairs().map(|(name, value)| (name.to_owned(), value.to_owned()))),
            Caller::Key => headers.push(("X-Registration-Key".to_owned(), self.mint().await.as_str().to_owned())),
            Caller::User => headers.push(("Authorization".to_owned(), format!("Bearer {}", self.token("user", &[])))),
            Caller::SuperUser => {
                let token = self.token("root", &["super_users"]);
                headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
        }
        let versions =
            if route.path.contains("{version}") { self.object_versions(device.uuid()).await } else { vec![] };
        let parameters = event.get("/pathParameters").and_then(Value::as_object).into_iter().flatten();
        let path = parameters.fold(route.path, |path, (name, value)| {
            let value = match (name.as_str(), versions.first()) {
                ("uuid", _) => &uuid,
                ("version", Some(version)) => version,
                _ => value.as_str().unwrap_or_default(),
            };
            path.replace(&format!("{{{name}}}"), value)
        });
        let query = event.get("/rawQueryString").and_then(Value::as_str).filter(|query| !query.is_empty());
        let path = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.request(route.method.as_str(), &path, &headers, body(&event).as_deref()).await
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
