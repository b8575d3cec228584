//! DynamoDB and S3 as the functions see them, with answers that are ready. The bench so measures the functions' own
//! work, not an engine's, which would run on the same CPUs.
//!
//! The answers have the form and the size of real ones: a device as it registers itself, a replay record with room, a
//! live key, the stored envelope with its checksum.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use firefly_device::{Identity, registration_body};
use firefly_testkit::Tls;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::BenchError;
use crate::server::{HttpServer, reply};

/// The number of devices that a scan finds: a page of 1 MB.
const DEVICES: usize = 500;

/// Both engines, for one device.
pub(crate) struct Engine {
    dynamodb: HttpServer,
    s3: HttpServer,
    tls: Option<Tls>,
    shared: Arc<Shared>,
}

/// The AWS calls since they were last counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    /// All of them.
    pub(crate) count: usize,
    /// The number of calls that began while no other was under way. These are the round trips that a request waits
    /// for one after the other.
    pub(crate) round_trips: usize,
    under_way: usize,
}

struct Shared {
    device: Option<Value>,
    /// The answer to a scan or query of the devices, made beforehand: it takes longer than reading it does.
    page_of_devices: String,
    object: Bytes,
    object_checksum: String,
    calls: Mutex<Calls>,
    delay: Mutex<Duration>,
}

impl Engine {
    /// Starts engines that know this device, if any, and have this envelope stored for it.
    pub(crate) async fn start(
        tls: Option<&Tls>,
        device: Option<&Identity>,
        envelope: &[u8],
    ) -> Result<Self, BenchError> {
        let device = device.map(device_item);
        let devices = device.iter().cycle().take(DEVICES).cloned().collect();
        let shared = Arc::new(Shared {
            device,
            page_of_devices: scanned(devices).to_string(),
            object: Bytes::copy_from_slice(envelope),
            object_checksum: STANDARD.encode(Sha256::digest(envelope)),
            calls: Mutex::default(),
            delay: Mutex::default(),
        });
        let (for_dynamodb, for_s3) = (Arc::clone(&shared), Arc::clone(&shared));
        let acceptor = || tls.map(Tls::acceptor);
        let dynamodb =
            HttpServer::start(acceptor(), move |request| answer(Arc::clone(&for_dynamodb), request, dynamodb)).await?;
        let s3 = HttpServer::start(acceptor(), move |request| answer(Arc::clone(&for_s3), request, s3)).await?;
        Ok(Self { dynamodb, s3, tls: tls.cloned(), shared })
    }

    /// The variables that lead a function here.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = |name: &str, server: &HttpServer| (name.to_owned(), format!("{scheme}://{}", server.address()));
        let endpoints = [url("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb), url("AWS_ENDPOINT_URL_S3", &self.s3)];
        // Read in place of the machine's root certificates.
        let trusted = self.tls.iter().map(|tls| ("SSL_CERT_FILE".to_owned(), tls.certificate().display().to_string()));
        endpoints.into_iter().chain(trusted).collect()
    }

    /// The number of connections that have been opened to both.
    pub(crate) fn connections(&self) -> usize {
        self.dynamodb.connections() + self.s3.connections()
    }

    /// Sets how long every answer is held back from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// From now on nothing is answered over the connections that have been opened so far.
    pub(crate) fn fall_silent(&self) {
        self.dynamodb.fall_silent();
        self.s3.fall_silent();
    }

    /// The calls since the last time this was asked.
    pub(crate) fn take_calls(&self) -> Calls {
        std::mem::take(&mut *self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers a call of one service; `None` where it does not know the call.
type Call = fn(&Shared, &Request<Bytes>) -> Option<Response<Full<Bytes>>>;

async fn answer(shared: Arc<Shared>, request: Request<Bytes>, call: Call) -> Response<Full<Bytes>> {
    // A request that is not a call, such as a GET of the endpoint's root, is answered as an endpoint answers strangers.
    let Some(response) = call(&shared, &request) else { return reply(403, &[], "Forbidden") };
    let delay = *shared.delay.lock().unwrap_or_else(PoisonError::into_inner);
    {
        let mut calls = shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.count += 1;
        calls.round_trips += usize::from(calls.under_way == 0);
        calls.under_way += 1;
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut calls = shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.under_way = calls.under_way.saturating_sub(1);
    response
}

fn dynamodb(shared: &Shared, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    let call: Value = serde_json::from_slice(request.body()).ok()?;
    let answer = match target.strip_prefix("DynamoDB_20120810.")? {
        "GetItem" => {
            item(shared, &call["Key"], &call).map_or_else(|| json!({}), |item| json!({ "Item": item })).to_string()
        }
        "BatchGetItem" => batch(shared, &call["RequestItems"]).to_string(),
        "Query" | "Scan" => shared.page_of_devices.clone(),
        _ => "{}".to_owned(),
    };
    let headers =
        [("content-type", "application/x-amz-json-1.0"), ("x-amzn-requestid", "BENCHVV4KQNSO5AEMVJF66Q9ASUAAJG")];
    Some(reply(200, &headers, answer))
}

fn scanned(items: Vec<Value>) -> Value {
    json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items })
}

fn batch(shared: &Shared, tables: &Value) -> Value {
    let answer = |(table, asked): (&String, &Value)| {
        let keys = asked["Keys"].as_array().into_iter().flatten();
        (table.clone(), keys.filter_map(|key| item(shared, key, asked)).collect())
    };
    let responses: Map<String, Value> = tables.as_object().into_iter().flatten().map(answer).collect();
    json!({ "Responses": responses, "UnprocessedKeys": {} })
}

/// The item of a key, with the attributes that are asked for.
fn item(shared: &Shared, key: &Value, asked: &Value) -> Option<Value> {
    let item = match (key["uuid"]["S"].as_str(), key["key"]["S"].as_str()) {
        (Some(uuid), _) if uuid.ends_with("#replay") => Some(replay_record(uuid)),
        (Some(_), _) => shared.device.clone(),
        (_, Some(key)) if key.starts_with("live-keys#") => Some(live_keys(key)),
        (_, Some(key)) if !key.contains('#') => Some(key_item()),
        _ => None,
    };
    item.map(|item| project(item, asked))
}

fn project(mut item: Value, asked: &Value) -> Value {
    if let (Some(wanted), Some(attributes)) = (asked["ProjectionExpression"].as_str(), item.as_object_mut()) {
        let name = |name| asked["ExpressionAttributeNames"][name].as_str().unwrap_or(name);
        let wanted: Vec<_> = wanted.split(", ").map(name).collect();
        attributes.retain(|name, _| wanted.contains(&name.as_str()));
    }
    item
}

/// A live key.
fn key_item() -> Value {
    json!({
        "key": { "S": "A1B2C3" },
        "ttl": { "N": (now() + 900).to_string() },
        "generated_at": { "N": (now() - 900).to_string() },
        "generated_by_sub": { "S": "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a" },
        "generated_by_email": { "S": "installer@example.com" },
    })
}

/// The live keys of a user: five.
fn live_keys(key: &str) -> Value {
    let entries = (1..=5).map(|number| (format!("A1B2C{number}"), json!({ "N": (now() + 900).to_string() })));
    json!({
        "key": { "S": key },
        "version": { "N": "7" },
        "turnover_at": { "N": (now() + 900).to_string() },
        "keys": { "M": entries.collect::<Map<_, _>>() },
        "ttl": { "N": (now() + 900).to_string() },
    })
}

/// The record of a device that has sent one request in the last minute.
fn replay_record(uuid: &str) -> Value {
    json!({
        "uuid": { "S": uuid },
        "version": { "N": "7" },
        "turnover_at": { "N": (now() + 30).to_string() },
        "nonces": { "M": { STANDARD.encode([1; 32]): { "B": STANDARD.encode([0; 16]) } } },
        "uploads_day": { "N": (now() / 86_400).to_string() },
        "uploads": { "N": "1" },
    })
}

/// The item of a device as registration writes it.
fn device_item(device: &Identity) -> Value {
    let body: Map<String, Value> = serde_json::from_slice(&registration_body(device)).unwrap_or_default();
    let mut item: Map<String, Value> = body.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
    for (name, value) in [
        ("registration_date", "2026-03-12T19:04:01Z"),
        ("last_backup_date", "2026-03-12T19:04:03Z"),
        ("registered_by_email", "installer@example.com"),
        ("registered_by_sub", "c3b2a1f0-5d1a-4c27-9f60-1f2e3d4c5b6a"),
    ] {
        item.insert(name.to_owned(), json!({ "S": value }));
    }
    item.into()
}

/// A JSON value in DynamoDB's notation.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({ "M": members })
        }
    }
}

fn s3(shared: &Shared, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
    // Strangers do not sign.
    request.headers().get("authorization")?;
    let ids =
        [("x-amz-request-id", "BENCH0A49CE4060975EAC"), ("x-amz-version-id", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")];
    let checksum = match *request.method() {
        Method::PUT => request.headers().get("x-amz-checksum-sha256")?.to_str().ok()?,
        Method::GET | Method::HEAD => &shared.object_checksum,
        _ => return Some(reply(204, &ids, "")),
    };
    let headers = [
        ids[0],
        ids[1],
        ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("x-amz-checksum-sha256", checksum),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ];
    if *request.method() == Method::PUT {
        return Some(reply(200, &headers, ""));
    }
    let mut response = reply(200, &headers, shared.object.clone());
    let metadata = "76606d6d3b7836d887628e5878d7208efb1a6bc5d5ca4c26c737ca8c8f7445ee";
    response.headers_mut().insert("x-amz-meta-etag", http::HeaderValue::from_static(metadata));
    Some(response)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
