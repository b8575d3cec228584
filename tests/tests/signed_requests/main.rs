//! The four device-signed routes judge a request before they do anything: headers, device, clock, signature.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs and does not get fails it")]

mod headers;
mod order;
mod vectors;

use firefly_device::{Response, SignedHeaders};
use firefly_testkit::TestCloud;

/// The device-signed routes: the method and what follows `/devices/{uuid}/`.
const ROUTES: [(&str, &str); 4] =
    [("GET", "registration"), ("POST", "backup"), ("GET", "backup"), ("DELETE", "backup")];

/// Headers to send, in any number and with any bytes.
type Headers = Vec<(&'static str, Vec<u8>)>;

/// The headers of a signed request, to be changed.
fn headers(signed: &SignedHeaders) -> Headers {
    signed.pairs().map(|(name, value)| (name, value.as_bytes().to_vec())).into()
}

/// The same with another value of one header.
fn with(mut headers: Headers, name: &str, value: &[u8]) -> Headers {
    for header in headers.iter_mut().filter(|header| header.0 == name) {
        header.1 = value.to_vec();
    }
    headers
}

/// Sends a request to the route of this device, with a body where the route takes one.
async fn send(cloud: &TestCloud, (method, what): (&str, &str), uuid: &str, headers: &Headers) -> Response {
    let body = (method == "POST").then_some(b"no envelope".as_slice());
    let path = format!("/devices/{uuid}/{what}");
    cloud.client().request(method, &path, headers, body).await.unwrap()
}
