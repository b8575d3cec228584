//! A deployed cloud, from a registration key to the deletion of a backup.
//!
//! `.ci/live.py` runs it with a user that it makes and removes. By hand it needs `FIREFLY_LIVE_URL`; ID and access token
//! of a user, `FIREFLY_LIVE_ID_TOKEN` and `FIREFLY_LIVE_ACCESS_TOKEN`; an ID token of a member of `super_users`,
//! `FIREFLY_LIVE_SUPER_USER_TOKEN`; and `FIREFLY_LIVE_DEVICES`, a file that the UUID of every device is appended to before
//! the device is registered, for whoever removes the rows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use firefly_core::time::UnixSeconds;
use firefly_device::{Client, Identity, Response, SignedHeaders, random_nonce, registration_body};
use firefly_testkit::answer::json;
use firefly_testkit::new_device;

/// The number of times that the list is read until it shows a new device: reads of it are eventually consistent.
const LIST_ATTEMPTS: u32 = 30;

#[derive(Clone)]
struct Live {
    client: Client,
    id_token: String,
    access_token: String,
    super_user_token: String,
    devices: String,
}

impl Live {
    fn from_environment() -> Option<Self> {
        let url = env::var("FIREFLY_LIVE_URL").ok()?;
        let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        Some(Self {
            client: Client::new(&url).unwrap(),
            id_token: variable("FIREFLY_LIVE_ID_TOKEN"),
            access_token: variable("FIREFLY_LIVE_ACCESS_TOKEN"),
            super_user_token: variable("FIREFLY_LIVE_SUPER_USER_TOKEN"),
            devices: variable("FIREFLY_LIVE_DEVICES"),
        })
    }

    async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Response {
        self.client.request(method, path, headers, body).await.unwrap()
    }

    async fn as_user(&self, token: &str, method: &str, path: &str) -> Response {
        self.request(method, path, &[("Authorization", &format!("Bearer {token}"))], None).await
    }

    async fn register(&self, device: &Identity, key: &str) -> u16 {
        let headers = [("X-Registration-Key", key), ("Content-Type", "application/json")];
        self.request("POST", "/devices/register", &headers, Some(&registration_body(device))).await.status
    }

    async fn signed(
        &self,
        signed: &SignedHeaders,
        method: &str,
        what: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        let headers: Vec<_> = signed.pairs().into_iter().chain(headers.iter().copied()).collect();
        self.request(method, &format!("/devices/{}/{what}", signed.device()), &headers, body).await
    }

    /// Returns `true` if the list of this product's devices shows this one by now.
    async fn lists(&self, device: &Identity) -> bool {
        let mut path = format!("/devices?product_hex={}", device.product_hex());
        loop {
            let answer = self.as_user(&self.super_user_token, "GET", &path).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            let page = json(&answer);
            let mut devices = page["devices"].as_array().unwrap().iter();
            if devices.any(|listed| listed["uuid"] == device.uuid().to_string()) {
                return true;
            }
            let Some(next) = page["next"].as_str() else { return false };
            path = format!("/devices?product_hex={}&next={next}", device.product_hex());
        }
    }
}

fn sign(device: &Identity, seconds_ago: u64) -> SignedHeaders {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    device.sign(&random_nonce(&mut rand::rng()), UnixSeconds::new(now - seconds_ago))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_cloud_keeps_a_device_and_its_backup() {
    let Some(live) = Live::from_environment() else {
        println!("SKIPPED: FIREFLY_LIVE_URL names no deployed cloud");
        return;
    };
    let device = new_device();
    let mut file = OpenOptions::new().create(true).append(true).open(&live.devices).unwrap();
    writeln!(file, "{}", device.uuid()).unwrap();
    drop(file);

    let (using, used) = (live.clone(), device.clone());
    let outcome = tokio::spawn(async move {
        users_mint_keys(&using).await;
        a_device_registers(&using, &used).await;
        a_device_backs_up(&using, &used).await;
    });
    let outcome = outcome.await;
    // The backup goes whatever happened.
    let deleted = live.signed(&sign(&device, 0), "DELETE", "backup", &[], None).await;
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
    let again = live.signed(&sign(&device, 0), "DELETE", "backup", &[], None).await;
    assert_eq!((deleted.status, again.status), (200, 200));
    assert_eq!(live.signed(&sign(&device, 0), "GET", "backup", &[], None).await.status, 404);
}

async fn users_mint_keys(live: &Live) {
    assert_eq!(json(&live.request("GET", "/health", &[], None).await)["status"], "OK");
    assert_eq!(live.request("GET", "/no-such-route", &[], None).await.status, 404);
    assert_eq!(live.request("POST", "/registration-keys", &[], None).await.status, 401);
    assert_eq!(live.as_user("no.token.atall", "POST", "/registration-keys").await.status, 401);
    // An ID token names its audience in `aud`, an access token in `client_id`.
    for token in [&live.id_token, &live.access_token] {
        let minted = live.as_user(token, "POST", "/registration-keys").await;
        assert_eq!(minted.status, 201, "{:?}", minted.body);
        let listed = live.as_user(token, "GET", "/registration-keys").await;
        let keys = json(&listed)["registration_keys"].as_array().unwrap().clone();
        assert!(keys.iter().any(|key| key["key"] == json(&minted)["key"]), "{keys:?}");
    }
    assert_eq!(live.as_user(&live.id_token, "GET", "/devices").await.status, 403);

    let asks = [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "GET")];
    let preflight = live.request("OPTIONS", "/devices", &asks, None).await;
    assert!(matches!(preflight.status, 200 | 204), "{}", preflight.status);
    assert!(preflight.header("access-control-allow-origin").is_some());
}

async fn a_device_registers(live: &Live, device: &Identity) {
    assert_eq!(live.signed(&sign(device, 0), "GET", "registration", &[], None).await.status, 404);
    assert_eq!(live.register(device, "WRONG0").await, 401);
    let minted = live.as_user(&live.id_token, "POST", "/registration-keys").await;
    let key = minted.member("key").unwrap();
    assert_eq!(live.register(device, &key).await, 204);
    assert_eq!(live.register(device, &key).await, 204, "said again");
    assert_eq!(live.register(&new_device(), &key).await, 401, "the key is spent");

    let signed = sign(device, 0);
    let registration = live.signed(&signed, "GET", "registration", &[], None).await;
    assert_eq!(registration.status, 200, "{:?}", registration.body);
    assert_eq!(json(&registration)["uuid"], device.uuid().to_string());
    assert_eq!(live.signed(&signed, "GET", "registration", &[], None).await.status, 401, "a replay");
    let stale = live.signed(&sign(device, 120), "GET", "registration", &[], None).await;
    assert_eq!(stale.status, 401);
    assert!(json(&stale)["server_time"].is_string());

    let mut attempts = 0;
    while !live.lists(device).await {
        attempts += 1;
        assert!(attempts < LIST_ATTEMPTS, "the list does not show the device");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn a_device_backs_up(live: &Live, device: &Identity) {
    assert_eq!(live.signed(&sign(device, 0), "GET", "backup", &[], None).await.status, 404, "500: s3:ListBucket");
    let upload = async |headers: &[(&str, &str)], body: &[u8]| {
        live.signed(&sign(device, 0), "POST", "backup", headers, Some(body)).await
    };
    assert_eq!(upload(&[], b"no envelope").await.status, 400);
    // The longest there is.
    let envelope = device.seal(&vec![0xa5; 524_288], &[7; 12]).unwrap();
    let etag = format!("\"{}\"", "0f".repeat(32));
    let stored = upload(&[("ETag", &etag)], &envelope).await;
    assert_eq!(stored.status, 200, "{:?}", stored.body);
    assert_eq!(upload(&[("ETag", &etag), ("If-None-Match", &etag)], &envelope).await.status, 304);
    let restored = live.signed(&sign(device, 0), "GET", "backup", &[], None).await;
    assert_eq!((restored.status, restored.header("etag")), (200, Some(etag.as_str())));
    assert!(restored.body == envelope);
}
