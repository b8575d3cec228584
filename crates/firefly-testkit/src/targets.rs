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
    functions: Vec<Invoked>,
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
        let functions = firefly_functions::ALL.iter().map(|function| Invoked::new(&cloud, function.name)).collect();
        Self { cloud, runtime, device, row, clock: AtomicU64::new(START), functions }
    }

    /// Takes two bytes that choose the function and the genuine parts, then fields: header lines, path parameter, query
    /// lines, body. For any of them the answer is one of the route's contract.
    pub fn answer(&self, data: &[u8]) {
        let Some(([chosen, genuine], fields)) = data.split_first_chunk::<2>() else { return };
        // A second a request: nonces are forgotten as fast as they come.
        let now = UnixSeconds::new(self.clock.fetch_add(1, Ordering::Relaxed));
        let invoked = &self.functions[usize::from(*chosen) % self.functions.len()];
        let (function, event) = (invoked.function(), self.event(*genuine, fields, now));
        if let Ok(answer) = self.runtime.block_on(invoked.try_answer(now, &event)) {
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

    fn event(&self, genuine: u8, fields: &[u8], now: UnixSeconds) -> String {
        let mut fields = fields.splitn(4, |byte| *byte == SEPARATOR);
        let mut field = || fields.next().unwrap_or_default();
        let lines = |text: &[u8]| -> Map<String, Value> {
            let text = String::from_utf8_lossy(text).into_owned();
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(name, value)| (name.to_lowercase(), Value::from(value))).collect()
        };
        let (mut headers, uuid, query) =
            (lines(field()), String::from_utf8_lossy(field()).into_owned(), lines(field()));
        let body = field();
        let is = |bit: u8| genuine & (1 << bit) != 0;
        let mut path = json!({ "uuid": uuid });
        if is(0) {
            let signed = self.device.sign(&random_nonce(&mut rand::rng()), now);
            headers.extend(signed.pairs().map(|(name, value)| (name.to_lowercase(), Value::from(value))));
            path = json!({ "uuid": self.device.uuid().to_string() });
        }
        if is(1) {
            headers.insert("x-registration-key".to_owned(), Value::from("ABC123"));
        }
        let groups = if is(3) { "[super_users]" } else { "[users]" };
        let claims = if is(2) { json!({ "sub": "fuzzer", "cognito:groups": groups }) } else { Value::Null };
        let (body, base64) = match String::from_utf8(body.to_vec()) {
            Ok(text) if is(4) => (text, false),
            _ => (base64::Engine::encode(&base64::engine::general_purpose::STANDARD, body), true),
        };
        let context = json!({
            "http": { "method": "POST", "sourceIp": format!("10.{}.{}.1", now.get() / 256 % 256, now.get() % 256) },
            "authorizer": { "jwt": { "claims": claims } },
        });
        json!({
            "version": "2.0", "headers": headers, "pathParameters": path, "queryStringParameters": query,
            "requestContext": context, "body": body, "isBase64Encoded": base64,
        })
        .to_string()
    }
}
