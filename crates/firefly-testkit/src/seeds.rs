//! Inputs that the fuzzing of [`crate::targets`] starts from: the firmware's vectors and bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::registration_body;
use serde_json::Value;

use crate::new_device;
use crate::targets::SEPARATOR;

const VECTORS: &str = include_str!("../../firefly-core/tests/vectors/device.json");

/// Seeds by target.
pub struct Seeds {
    /// Of [`crate::targets::envelope`].
    pub envelope: Vec<Vec<u8>>,
    /// Of [`crate::targets::signed_headers`].
    pub signed_headers: Vec<Vec<u8>>,
    /// Of [`crate::targets::registration_body`].
    pub registration_body: Vec<Vec<u8>>,
    /// Of [`crate::targets::Events`].
    pub events: Vec<Vec<u8>>,
}

/// The seeds.
pub fn seeds() -> Seeds {
    let vectors: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let all = |name: &str| vectors[name].as_array().expect("a list of vectors").iter();
    let envelope = |vector: &Value| {
        let text = vector["ffce_b64"].as_str().expect("a vector has an envelope");
        STANDARD.decode(text).expect("it is Base64")
    };
    let headers = |vector: &Value| {
        let names = ["X-Device-UUID", "X-Device-Nonce", "X-Device-Timestamp", "X-Device-Signature"];
        let values = names.map(|name| vector["headers"][name].as_str().expect("a vector has headers").as_bytes());
        values.join(&SEPARATOR)
    };
    // The largest vector is left out: 64 KiB of random bytes only slow the search down.
    let envelopes: Vec<_> = all("accepted").chain(all("refused_envelopes")).map(envelope).collect();
    let envelopes: Vec<_> = envelopes.into_iter().filter(|bytes| bytes.len() < 16_384).collect();
    let body = registration_body(&new_device());
    let mut events = Vec::new();
    for function in 0..firefly_functions::ALL.len() {
        let function = u8::try_from(function).expect("a byte chooses the function");
        for genuine in [0b00_0000, 0b00_0001, 0b00_1111, 0b01_1111, 0b10_1111] {
            for body in [&b""[..], &envelopes[1], &body] {
                let fields = [&b"etag=0\nif-none-match=0"[..], b"uuid", b"next=e30\nproduct_hex=0x00000000", body];
                events.push([&[function, genuine][..], &fields.join(&SEPARATOR)].concat());
            }
        }
    }
    Seeds {
        signed_headers: all("accepted").chain(all("refused_signatures")).map(headers).collect(),
        registration_body: vec![body, b"{}".to_vec(), b"[]".to_vec(), br#"{"mcu":{"a":[1e120,{"b":-0.0}]}}"#.to_vec()],
        envelope: envelopes,
        events,
    }
}
