//! A signed request is good once: its nonce is remembered beside the device's item, for a limited time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs and does not get fails it")]

mod once;
mod record;
mod retention;

use firefly_core::signed_request::Nonce;
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, Response, SignedHeaders};
use firefly_testkit::TestCloud;
use firefly_testkit::stored::Item;

/// A request of this device with this nonce, signed at this second.
fn sign(device: &Identity, nonce: &Nonce, seconds: u64) -> SignedHeaders {
    device.sign(nonce, UnixSeconds::new(seconds))
}

/// Sends it where it does least.
async fn send(cloud: &TestCloud, signed: &SignedHeaders) -> Response {
    cloud.signed(signed, "GET", "registration", &[], None).await
}

/// The nonces of a replay record, in Base64, sorted.
fn nonces(record: &Item) -> Vec<String> {
    let mut nonces: Vec<_> = record["nonces"].as_m().unwrap().keys().cloned().collect();
    nonces.sort();
    nonces
}

/// The number of writes that a replay record counts.
fn writes(record: &Item) -> u64 {
    record["version"].as_n().unwrap().parse().unwrap()
}

/// These nonces as a record has them.
fn base64<const N: usize>(nonces: [Nonce; N]) -> Vec<String> {
    let mut nonces: Vec<_> = nonces.iter().map(Nonce::to_base64).collect();
    nonces.sort();
    nonces
}
