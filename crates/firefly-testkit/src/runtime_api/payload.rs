use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firefly_device::Response;
use serde_json::Value;

/// Reads the JSON text of a response of payload format 2.0; anything but `statusCode` may be absent.
pub fn parse_payload(payload: &str) -> Response {
    let payload: Value = serde_json::from_str(payload).expect("a response is JSON");
    let status = payload["statusCode"].as_u64().and_then(|status| status.try_into().ok());
    let headers = payload["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().expect("a response's headers are strings").to_owned()));
    let text = payload["body"].as_str().unwrap_or_default();
    let body = if payload["isBase64Encoded"].as_bool().unwrap_or_default() {
        STANDARD.decode(text).expect("a response's body is Base64 where it says so").into()
    } else {
        text.to_owned().into()
    };
    Response { status: status.expect("a response has a status"), headers: headers.collect(), body }
}
