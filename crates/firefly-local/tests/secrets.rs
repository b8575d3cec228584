//! No secret is ever written, however much is logged.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod process;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use firefly_core::time::UnixSeconds;
use firefly_device::{Identity, SignedHeaders, etag, random_nonce, registration_body};
use process::{Local, new_device, sign, token};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The e-mail address of the user of a tour.
const EMAIL: &str = "somebody.in.particular@secret-address.example";
/// The tour's configuration.
const CONFIGURATION: &[u8] = b"{\"name\":\"Haus am See\",\"wifi_password\":\"correct horse battery staple\"}";

/// The secrets that must not be written: a name for each, and its text or its bytes.
#[derive(Default)]
struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: impl AsRef<[u8]>) {
        self.0.push((name, secret.as_ref().to_owned()));
    }

    /// The nonce and the signature of a request, as sent and decoded.
    fn add_signed(&mut self, signed: &SignedHeaders) {
        for (header, value) in signed.pairs() {
            let name = match header {
                "X-Device-Nonce" => "a nonce",
                "X-Device-Signature" => "a signature",
                _ => continue,
            };
            self.add(name, value);
            self.add(name, STANDARD.decode(value).unwrap());
        }
    }

    /// A token, and each of its parts.
    fn add_token(&mut self, token: &str) {
        self.add("a token", token);
        for part in token.split('.').filter(|part| part.len() > 4) {
            self.add("a part of a token", part);
        }
    }

    /// A body, and what it consists of.
    fn add_body(&mut self, body: &[u8]) {
        self.add("a body", body);
        self.add("the start of a body", &body[..body.len().min(32)]);
        self.add("the end of a body", &body[body.len().saturating_sub(24)..]);
    }

    /// Asserts that no secret is in `output`, in any of the forms in which programs write bytes.
    fn assert_absent(&self, output: &[u8]) {
        for (name, secret) in &self.0 {
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let list = format!("{secret:?}");
            let list = list.trim_start_matches('[').trim_end_matches(']').to_owned();
            let escaped = String::from_utf8_lossy(secret).escape_debug().to_string();
            let json = serde_json::to_string(&String::from_utf8_lossy(secret)).unwrap();
            let json = json.trim_matches('"').to_owned();
            let encodings = [STANDARD.encode(secret), STANDARD_NO_PAD.encode(secret)];
            let url_encodings = [URL_SAFE.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
            let forms =
                [hex.to_uppercase(), hex, list, escaped, json].into_iter().chain(encodings).chain(url_encodings);
            assert!(!contains(output, secret), "{name} is written");
            for form in forms {
                assert!(!contains(output, form.as_bytes()), "{name} is written as {form}");
            }
        }
    }
}

fn contains(output: &[u8], secret: &[u8]) -> bool {
    !secret.is_empty() && output.windows(secret.len()).any(|window| window == secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_at_the_most_verbose_level() {
    let dir = process::data_dir();
    fs::create_dir(dir.path().join("appconfig")).unwrap();
    fs::write(dir.path().join("appconfig/logging.json"), r#"{"logging":"TRACE"}"#).unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", process::argument(dir.path()), "--log-level", "TRACE"];
    let mut command = process::command(&arguments);
    let cloud = Local::spawn(command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1"));
    let engines = process::run(&["env", "--data-dir", process::argument(dir.path())]).stdout;

    let mut secrets = Secrets::default();
    let mut devices = Vec::new();
    // The first tour has every function fetch its level.
    for _ in 0..2 {
        devices.push(tour(&cloud, &dir, &mut secrets).await);
    }
    secrets.add("an e-mail address", EMAIL);
    let signing_key = fs::read_to_string(dir.path().join("jwt-signing-key.pem")).unwrap();
    secrets.add("the signing key", signing_key.lines().nth(1).unwrap());

    let engines = String::from_utf8(engines).unwrap();
    for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        let line = engines.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)).unwrap();
        secrets.add("the engines' credentials", line.trim_matches(['=', '\'']));
    }

    let ended = cloud.interrupt();
    assert_eq!(ended.status.code(), Some(0));
    let output = [ended.stdout, ended.stderr].concat();
    // The functions and the gateway have said what they are asked to say.
    for expected in ["answered", "refused", "report", "the token is refused", &devices[1]] {
        assert!(contains(&output, expected.as_bytes()), "{expected} is not written");
    }
    secrets.assert_absent(&output);
}

/// Sends requests of every kind, good and refused; returns the UUID of the device that it used.
async fn tour(cloud: &Local, dir: &TempDir, secrets: &mut Secrets) -> String {
    let user = token(dir.path(), &["--email", EMAIL]);
    let admin = token(dir.path(), &["--email", EMAIL, "--group", "super_users"]);
    let foreign = token(&dir.path().join("elsewhere"), &["--email", EMAIL]);
    for token in [&user, &admin, &foreign] {
        secrets.add_token(token);
    }
    keys(cloud, &user, &foreign, secrets).await;
    let device = registration(cloud, &user, secrets).await;
    signed_requests(cloud, &device, secrets).await;
    backups(cloud, &device, secrets).await;
    lists(cloud, &user, &admin).await;
    let remove = sign(&device);
    secrets.add_signed(&remove);
    let path = format!("/devices/{}/backup", device.uuid());
    assert_eq!(cloud.request("DELETE", &path, &remove.pairs(), None).await.status, 200);
    device.uuid().to_string()
}

/// Keys, with good tokens and bad ones.
async fn keys(cloud: &Local, user: &str, foreign: &str, secrets: &mut Secrets) {
    let answer = cloud.as_user(user, "POST", "/registration-keys").await;
    secrets.add("a registration key", answer.member("key").unwrap());
    assert_eq!(cloud.as_user(user, "GET", "/registration-keys").await.status, 200);
    let revoked = cloud.mint(user).await;
    secrets.add("a registration key", revoked.as_str());
    let path = format!("/registration-keys/{}", revoked.as_str());
    for (token, method, status) in [(foreign, "DELETE", 401), (user, "PUT", 404), (user, "DELETE", 204)] {
        assert_eq!(cloud.as_user(token, method, &path).await.status, status);
    }
    let altered = format!("{user}A");
    for token in [foreign, &altered, &user[..user.len() / 2], "no.token.atall-but-secret"] {
        assert_eq!(cloud.as_user(token, "GET", "/registration-keys").await.status, 401);
    }
    secrets.add("a token", "no.token.atall-but-secret");
}

/// A registration: refused in every way, done, repeated.
async fn registration(cloud: &Local, user: &str, secrets: &mut Secrets) -> Identity {
    let device = new_device();
    let key = cloud.mint(user).await;
    let body = registration_body(&device);
    secrets.add("a registration key", key.as_str());
    secrets.add_body(&body);
    let parsed: Value = serde_json::from_slice(&body).unwrap();
    secrets.add("a public key", parsed["public_key"].as_str().unwrap());
    secrets.add("a MAC address", parsed["network"][0]["mac_address"].as_str().unwrap());
    for (wrong, status) in [("QZXW77", 401), ("qzxw77-secret", 400)] {
        secrets.add("a wrong registration key", wrong);
        assert_eq!(cloud.register(&device, wrong).await.status, status);
    }
    for member in parsed.as_object().unwrap().keys() {
        let mut broken = parsed.clone();
        broken[member] = json!({ "not what it should be": [1, "a value nobody should see"] });
        let headers = [("X-Registration-Key", key.as_str())];
        let broken = serde_json::to_vec(&broken).unwrap();
        // An object may hold anything.
        let status = if member == "mcu" { continue } else { 400 };
        let answer = cloud.request("POST", "/devices/register", &headers, Some(&broken)).await;
        assert_eq!(answer.status, status, "{member}");
    }
    secrets.add("a refused value", "a value nobody should see");
    secrets.add("a refused body", "{truncated-secret");
    let headers = [("X-Registration-Key", key.as_str())];
    let truncated = cloud.request("POST", "/devices/register", &headers, Some(b"{truncated-secret")).await;
    assert_eq!(truncated.status, 400);
    for _ in 0..2 {
        assert_eq!(cloud.register(&device, key.as_str()).await.status, 204);
    }
    let other = new_device().with_uuid(device.uuid());
    secrets.add("a public key", other.public_key().to_base64());
    assert_eq!(cloud.register(&other, key.as_str()).await.status, 401);
    let key = cloud.mint(user).await;
    secrets.add("a registration key", key.as_str());
    assert_eq!(cloud.register(&other, key.as_str()).await.status, 409);
    device
}

/// Signed requests that are refused.
async fn signed_requests(cloud: &Local, device: &Identity, secrets: &mut Secrets) {
    let path = format!("/devices/{}/registration", device.uuid());
    let send = async |signed: &SignedHeaders| cloud.request("GET", &path, &signed.pairs(), None).await.status;
    let signed = sign(device);
    assert_eq!((send(&signed).await, send(&signed).await), (200, 401));
    let stale = device.sign(&random_nonce(&mut rand::rng()), UnixSeconds::new(1_700_000_000));
    assert_eq!(send(&stale).await, 401);
    let forged = sign(&new_device().with_uuid(device.uuid()));
    assert_eq!(send(&forged).await, 401);
    let unknown = sign(&new_device());
    assert_eq!(send(&unknown).await, 403);
    for signed in [&signed, &stale, &forged, &unknown] {
        secrets.add_signed(signed);
    }
    // Each header in turn is replaced by a value that is not of its kind, with the other three left.
    let signed = sign(device);
    secrets.add_signed(&signed);
    for position in 0..4 {
        let mut headers = signed.pairs();
        let misplaced = signed.pairs()[(position + 1) % 4].1.to_owned() + "-misplaced";
        headers[position].1 = &misplaced;
        assert_eq!(cloud.request("GET", &path, &headers, None).await.status, 400);
    }
}

/// Uploads and restores.
async fn backups(cloud: &Local, device: &Identity, secrets: &mut Secrets) {
    let envelope = device.seal(CONFIGURATION, &rand::random()).unwrap();
    secrets.add_body(CONFIGURATION);
    secrets.add_body(&envelope);
    let path = format!("/devices/{}/backup", device.uuid());
    let etag = etag(CONFIGURATION).quoted();
    let conditional = [("ETag", etag.as_str()), ("If-None-Match", etag.as_str())];
    for (body, status) in [(&envelope[..], 200), (&envelope, 304), (&envelope[1..], 400), (&[][..], 400)] {
        let signed = sign(device);
        secrets.add_signed(&signed);
        let headers: Vec<_> = signed.pairs().into_iter().chain(conditional).collect();
        assert_eq!(cloud.request("POST", &path, &headers, Some(body)).await.status, status);
    }
    let signed = sign(device);
    secrets.add_signed(&signed);
    assert_eq!(cloud.request("GET", &path, &signed.pairs(), None).await.body, envelope);
}

/// Lists, and requests to paths that are not a route.
async fn lists(cloud: &Local, user: &str, admin: &str) {
    assert_eq!(cloud.as_user(user, "GET", "/devices").await.status, 403);
    assert_eq!(cloud.as_user(admin, "GET", "/devices").await.status, 200);
    assert_eq!(cloud.as_user(admin, "GET", "/devices?product_hex=0xFF010001").await.status, 200);
    assert_eq!(cloud.as_user(admin, "GET", "/devices?next=nonsense").await.status, 400);
    assert_eq!(cloud.as_user(admin, "GET", "/nowhere").await.status, 404);
    assert_eq!(cloud.request("GET", "/health", &[], None).await.status, 200);
}
