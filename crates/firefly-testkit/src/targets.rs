//! The fuzz targets: parsers, and the whole way from an event to its answer.
//!
//! `fuzz/` runs these under libFuzzer, `tests/tests/fuzz_smoke.rs` for seconds with random and seeded input.

use std::sync::atomic::{AtomicU64, Ordering};

use firefly_core::device::DevicePublicKey;
use firefly_core::envelope::Envelope;
use firefly_core::registration::NewDevice;
use firefly_core::signed_request::{SignatureHeaders, SignedRequest};
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, random_nonce};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::runtime_api::{Event, template};
use crate::stored::{DEVICES, Item};
use crate::{Invoked, START, TestCloud};

/// The separator of the fields of an input of [`signed_headers`] and [`Events::answer`].
pub const SEPARATOR: u8 = 0xFF;

/// An envelope that parses is written again as it was.
pub fn envelope(data: &[u8]) {
    if let Ok(envelope) = Envelope::parse(data) {
        let written = Envelope::write(envelope.nonce(), envelope.tag(), envelope.ciphertext());
        assert_eq!(written.as_deref(), Ok(data));
    }
}

/// Takes four fields, the headers. Headers that parse are judged without panic; a signature nobody made is refused.
pub fn signed_headers(data: &[u8], key: &DevicePublicKey) {
    let mut fields = data.split(|byte| *byte == SEPARATOR).map(String::from_utf8_lossy);
    let [uuid, nonce, timestamp, signature] = [(); 4].map(|()| fields.next());
    let headers = SignatureHeaders {
        uuid: uuid.as_deref(),
        nonce: nonce.as_deref(),
        timestamp: timestamp.as_deref(),
        signature: signature.as_deref(),
    };
    if let Ok(request) = SignedRequest::parse(headers) {
        let now = request.sent_at();
        assert!(request.verify(key, now).is_err(), "a forged signature is accepted");
    }
}

/// A body that parses has what the table needs.
pub fn registration_body(data: &[u8]) {
    if let Ok(device) = NewDevice::parse(data) {
        assert!(data.len() <= firefly_core::registration::MAX_BODY_LENGTH);
        assert_eq!(device.id.to_string().len(), 36);
    }
}

/// The functions on engines of their own.
pub struct Events {
    // Dropped before the runtime: that waits for the engines, which end with their cloud.
    cloud: TestCloud,
    runtime: Runtime,
    device: Identity,
    /// The device's item.
    row: Item,
    clock: AtomicU64,
    functions: Vec<Target>,
}

/// A function, its recorded event, and the names of its path's variables.
struct Target {
    invoked: Invoked,
    recorded: Event,
    variables: Vec<String>,
}

impl Target {
    fn new(cloud: &TestCloud, name: &str) -> Self {
        let variables = template(name).route.variables().map(str::to_owned).collect();
        Self { invoked: Invoked::new(cloud, name), recorded: Event::recorded(name), variables }
    }
}

impl Events {
    /// Starts the engines, registers one device.
    #[expect(clippy::new_without_default, reason = "it starts servers")]
    pub fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        let (cloud, device, row) = runtime.block_on(async {
            let cloud = TestCloud::start().await;
            let device = cloud.registered_device().await;
            let row = cloud.device_item(device.uuid()).await.expect("the device is registered");
            (cloud, device, row)
        });
        let functions = firefly_functions::ALL.iter().map(|function| Target::new(&cloud, function.name)).collect();
        Self { cloud, runtime, device, row, clock: AtomicU64::new(START), functions }
    }

    /// Takes two bytes that choose the function and the genuine parts, then fields: header lines, path parameter, query
    /// lines, body. For any of them the answer is one of the route's contract.
    ///
    /// The bits of the second byte, from the lowest: a signature, a registration key, a user, the group `super_users`, a
    /// body of text, and the headers, parameters and body of the recorded event where the fields do not replace them.
    pub fn answer(&self, data: &[u8]) {
        let Some(([chosen, genuine], fields)) = data.split_first_chunk::<2>() else { return };
        // A second a request: nonces are forgotten as fast as they come.
        let now = UnixSeconds::new(self.clock.fetch_add(1, Ordering::Relaxed));
        let target = &self.functions[usize::from(*chosen) % self.functions.len()];
        let (function, event) = (target.invoked.function(), self.event(target, *genuine, fields, now));
        if let Ok(answer) = self.runtime.block_on(target.invoked.try_answer(now, &event)) {
            let (status, body) = (answer.status, String::from_utf8_lossy(&answer.body));
            assert!(function.statuses.contains(&status), "{} answers {status}: {body}", function.name);
            if status >= 400 {
                let json: Value = serde_json::from_str(&body).expect("a failure's body is JSON");
                assert!(json["message"].is_string() && body.len() < 255, "{body}");
            } else if function.name == "func-api-devices-delete" {
                self.runtime.block_on(self.cloud.put_item(DEVICES, self.row.clone()));
            }
        }
    }

    fn event(&self, target: &Target, genuine: u8, fields: &[u8], now: UnixSeconds) -> Event {
        let mut fields = fields.splitn(4, |byte| *byte == SEPARATOR);
        let mut field = || fields.next().unwrap_or_default();
        let lines = |text: &[u8]| -> Map<String, Value> {
            let text = String::from_utf8_lossy(text).into_owned();
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(name, value)| (name.to_lowercase(), Value::from(value))).collect()
        };
        let is = |bit: u8| genuine & (1 << bit) != 0;
        let recorded = |pointer: &str| target.recorded.get(pointer).filter(|_| is(5));
        let members = |pointer: &str| recorded(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
        let mut headers = members("/headers");
        headers.extend(lines(field()));
        let (mut path, parameter) = (members("/pathParameters"), String::from_utf8_lossy(field()));
        for variable in &target.variables {
            path.entry(variable).or_insert_with(|| Value::from(&*parameter));
        }
        let mut query = members("/queryStringParameters");
        query.extend(lines(field()));
        let body = field();
        if is(0) {
            let signed = self.device.sign(&random_nonce(&mut rand::rng()), now);
            headers.extend(signed.pairs().map(|(name, value)| (name.to_lowercase(), Value::from(value))));
            path.entry("uuid").and_modify(|uuid| *uuid = Value::from(self.device.uuid().to_string()));
        }
        if is(1) {
            headers.insert("x-registration-key".to_owned(), Value::from("ABC123"));
        }
        let groups = if is(3) { "[super_users]" } else { "[users]" };
        let claims = if is(2) { json!({ "sub": "fuzzer", "cognito:groups": groups }) } else { Value::Null };
        let source = format!("10.{}.{}.1", now.get() / 256 % 256, now.get() % 256);
        let event = target.recorded.clone();
        let event = event.with("/headers", headers).with("/pathParameters", path).with("/queryStringParameters", query);
        let event = event.with("/requestContext/http/sourceIp", source);
        let event = event.with("/requestContext/authorizer", json!({ "jwt": { "claims": claims } }));
        match str::from_utf8(body) {
            Ok("") if is(5) => event,
            Ok(text) if is(4) => event.text_body(text),
            _ => event.body(body),
        }
    }
}
