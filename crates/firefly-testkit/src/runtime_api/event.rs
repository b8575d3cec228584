use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, SignedHeaders, registration_body};
use serde_json::Value;

/// An event of payload format 2.0: a recorded one, perhaps changed. `Display` is its JSON text.
#[derive(Clone, Debug)]
pub struct Event(Value);

impl Event {
    /// The recorded event of a function: `tests/event.json` of its folder.
    pub fn recorded(function: &str) -> Self {
        Self::of_file(&format!("lambdas/{function}/tests/event.json"))
    }

    /// The event in a file below the repository's root.
    pub fn of_file(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let text = std::fs::read_to_string(path).expect("the event is recorded");
        Self(serde_json::from_str(&text).expect("a recorded event is JSON"))
    }

    /// The value at a JSON pointer (RFC 6901).
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The event with another value at a JSON pointer, whose parent is there.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer below the root");
        let parent = self.0.pointer_mut(parent).expect("the parent is there");
        parent[name.replace("~1", "/").replace("~0", "~")] = value.into();
        self
    }

    /// The event with this header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(&format!("/headers/{}", name.to_ascii_lowercase()), value)
    }

    /// The event of a request that a device signed: path, path parameter and headers.
    #[must_use]
    pub fn signed(mut self, headers: &SignedHeaders) -> Self {
        let uuid = headers.device().to_string();
        let recorded = self.get("/pathParameters/uuid").and_then(Value::as_str).map(str::to_owned);
        for pointer in ["/rawPath", "/requestContext/http/path"] {
            let path = self.get(pointer).and_then(Value::as_str).expect("an event has a path");
            let path = path.replace(recorded.as_deref().expect("the route has a device"), &uuid);
            self = self.with(pointer, path);
        }
        let signed = self.with("/pathParameters/uuid", uuid);
        headers.pairs().into_iter().fold(signed, |event, (name, value)| event.header(name, value))
    }

    /// The event of this device's registration with this key.
    #[must_use]
    pub fn registration(self, device: &Identity, key: &str) -> Self {
        let body = String::from_utf8(registration_body(device)).expect("the body is JSON");
        self.header("X-Registration-Key", key).text_body(&body)
    }

    /// The event with this claim in the caller's token.
    #[must_use]
    pub fn claim(self, name: &str, value: &str) -> Self {
        self.with(&format!("/requestContext/authorizer/jwt/claims/{name}"), value)
    }

    /// The event with these bytes as its body, in Base64.
    #[must_use]
    pub fn body(self, bytes: &[u8]) -> Self {
        self.with("/body", STANDARD.encode(bytes)).with("/isBase64Encoded", true)
    }

    /// The event with this text as its body.
    #[must_use]
    pub fn text_body(self, text: &str) -> Self {
        self.with("/body", text).with("/isBase64Encoded", false)
    }

    /// The time at which the gateway received the request.
    pub fn time(&self) -> UnixSeconds {
        let milliseconds = self.get("/requestContext/timeEpoch").and_then(Value::as_u64);
        UnixSeconds::new(milliseconds.expect("an event has a time") / 1_000)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
