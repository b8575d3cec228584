use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use emulator_kit::Deadlines;
use firefly_core::device::DeviceId;
use firefly_core::registration::RegistrationKey;
use firefly_core::time::UnixSeconds;
use firefly_device::{Client, Identity, Response, SignedHeaders, random_nonce, registration_body};
use firefly_local::issuer::Identity as User;
use firefly_local::{Cloud, CloudOptions, Credentials, Data, TokenIssuer};
use firefly_runtime::aws::timeouts;
use firefly_runtime::{Aws, Environment};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

use crate::documented::assert_documented;

/// The time at which every test cloud's clock starts. It lies ahead of the real clock, so that the engine, whose own
/// clock is real, deletes nothing as expired.
pub const START: u64 = 2_000_000_000;

/// A local cloud of one test: ephemeral engines, a free port, a clock that stands still until it is set.
pub struct TestCloud {
    cloud: Mutex<Option<Cloud>>,
    url: String,
    client: Client,
    clock: Arc<AtomicU64>,
    dynamodb_endpoint: String,
    s3_endpoint: String,
    appconfigdata_endpoint: String,
    credentials: emulator_kit::Credentials,
    deadlines: Deadlines,
    bucket: String,
    data_dir: PathBuf,
    /// Made when it is first asked for: reading the machine's certificates takes a while.
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
}

impl TestCloud {
    /// Starts a cloud with engines of its own.
    pub async fn start() -> Self {
        Self::start_in(&signing_key_dir()).await
    }

    /// The same with another data directory, which holds the signing key and AppConfig's files.
    pub async fn start_in(data_dir: &Path) -> Self {
        Self::start_with(data_dir, Deadlines::default(), None).await
    }

    /// The same with other deadlines of connections.
    pub async fn with_deadlines(deadlines: Deadlines) -> Self {
        Self::start_with(&signing_key_dir(), deadlines, None).await
    }

    /// Starts a second gateway with functions of its own on the same engines and the same clock.
    pub async fn twin(&self) -> Self {
        self.through(&self.dynamodb_endpoint, &self.s3_endpoint).await
    }

    /// Starts a second gateway with functions of its own that reach the engines at these endpoints, for instance
    /// through something that makes them fail.
    pub async fn through(&self, dynamodb_endpoint: &str, s3_endpoint: &str) -> Self {
        let endpoints = (dynamodb_endpoint.to_owned(), s3_endpoint.to_owned());
        Self::start_with(&self.data_dir, self.deadlines, Some((self, endpoints))).await
    }

    /// A cloud with engines of its own, or one with other endpoints of another cloud's engines.
    async fn start_with(data_dir: &Path, deadlines: Deadlines, other: Option<(&Self, (String, String))>) -> Self {
        let clock =
            other.as_ref().map_or_else(|| Arc::new(AtomicU64::new(START)), |(other, _)| Arc::clone(&other.clock));
        let credentials = match &other {
            Some((other, _)) => Credentials::Shared(other.credentials.clone()),
            None => Credentials::Own(BTreeMap::new()),
        };
        let (dynamodb_endpoint, s3_endpoint) = other.map(|(_, endpoints)| endpoints).unzip();
        let reading = Arc::clone(&clock);
        let cloud = Cloud::start(CloudOptions {
            listen: "127.0.0.1:0".to_owned(),
            data_dir: data_dir.to_owned(),
            data: Data::Ephemeral,
            dynamodb_endpoint,
            s3_endpoint,
            backup_bucket: None,
            token_issuer: TokenIssuer::Developer,
            credentials,
            files: 65_536,
            deadlines,
            throttle: None,
            executions: None,
            clock: Arc::new(move || UnixSeconds::new(reading.load(Ordering::SeqCst))),
        })
        .await
        .expect("the local cloud starts");
        Self {
            url: cloud.url(),
            client: Client::new(&cloud.url()).expect("the cloud's URL is one"),
            clock,
            dynamodb_endpoint: cloud.dynamodb_endpoint().to_owned(),
            s3_endpoint: cloud.s3_endpoint().to_owned(),
            appconfigdata_endpoint: cloud.appconfigdata_endpoint().to_owned(),
            credentials: cloud.credentials().clone(),
            deadlines,
            bucket: cloud.bucket().to_owned(),
            data_dir: data_dir.to_owned(),
            dynamodb: OnceLock::new(),
            s3: OnceLock::new(),
            cloud: Mutex::new(Some(cloud)),
        }
    }

    /// Ends the cloud in order; dropping it just abandons it.
    pub async fn stop(&self) {
        let cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(cloud) = cloud {
            cloud.stop().await;
        }
    }

    /// The URL of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The device's side of the API.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The engines' endpoints: DynamoDB, S3.
    pub fn endpoints(&self) -> (&str, &str) {
        (&self.dynamodb_endpoint, &self.s3_endpoint)
    }

    /// The endpoint of AppConfig's data API.
    pub fn appconfigdata_endpoint(&self) -> &str {
        &self.appconfigdata_endpoint
    }

    /// Region, credentials and endpoints with which the caller of this access key id reaches the engines:
    /// `firefly-local`, who may do everything, or a function by its name.
    pub fn environment_as(&self, access_key_id: &str) -> BTreeMap<String, String> {
        let mut environment = self.credentials.environment(access_key_id);
        environment.extend(
            [
                ("AWS_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb_endpoint),
                ("AWS_ENDPOINT_URL_S3", &self.s3_endpoint),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        environment
    }

    /// The bucket of backups.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The server's clock.
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.clock.load(Ordering::SeqCst))
    }

    /// Sets the server's clock, in epoch seconds.
    pub fn set_now(&self, seconds: u64) {
        self.clock.store(seconds, Ordering::SeqCst);
    }

    /// Moves the server's clock forward.
    pub fn advance(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A developer token for a user.
    pub fn token(&self, sub: &str, groups: &[&str]) -> String {
        let user = User {
            sub: sub.to_owned(),
            email: Some(format!("{sub}@example.com")),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        let cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let issuer = cloud.as_ref().and_then(Cloud::issuer).expect("a test cloud has the developer issuer");
        issuer.token(&user, self.now(), 3_600).expect("the issuer signs")
    }

    /// A token with any claims, signed as the developer issuer signs its own.
    pub fn token_with(&self, claims: &Value) -> String {
        let cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let issuer = cloud.as_ref().and_then(Cloud::issuer).expect("a test cloud has the developer issuer");
        let key_id = issuer.jwks()["keys"][0]["kid"].as_str().map(str::to_owned);
        let pem = std::fs::read(self.data_dir.join("jwt-signing-key.pem")).expect("the signing key is there");
        let key = EncodingKey::from_rsa_pem(&pem).expect("the signing key is one");
        let header = Header { kid: key_id, ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &key).expect("the key signs")
    }

    /// Sends a request with any headers. Its answer has to be one of the OpenAPI document.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Response {
        let answer = self.client.request(method, path, headers, body).await.expect("the gateway answers");
        assert_documented(method, path, &answer);
        answer
    }

    /// Sends a request of a signed-in user.
    pub async fn as_user(&self, sub: &str, groups: &[&str], method: &str, path: &str) -> Response {
        let authorization = format!("Bearer {}", self.token(sub, groups));
        self.request(method, path, &[("Authorization", &authorization)], None).await
    }

    /// Mints a key as the user `installer`.
    pub async fn mint(&self) -> RegistrationKey {
        let answer = self.as_user("installer", &[], "POST", "/registration-keys").await;
        assert_eq!(answer.status, 201);
        answer.member("key").and_then(|key| key.parse().ok()).expect("the answer has a key")
    }

    /// A new device, registered.
    pub async fn registered_device(&self) -> Identity {
        let device = new_device();
        let key = self.mint().await;
        let answer = self.register(&device, key.as_str()).await;
        assert_eq!(answer.status, 204);
        device
    }

    /// Sends a device's registration with this key.
    pub async fn register(&self, device: &Identity, key: &str) -> Response {
        self.request("POST", "/devices/register", &[("X-Registration-Key", key)], Some(&registration_body(device)))
            .await
    }

    /// Signs a request of this device, with a nonce of its own, at the server's time.
    pub fn sign(&self, device: &Identity) -> SignedHeaders {
        device.sign(&random_nonce(&mut rand::rng()), self.now())
    }

    /// Sends a device-signed request below `/devices/{uuid}/`, with further headers.
    pub async fn signed(
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

    /// Uploads an envelope, freshly signed.
    pub async fn upload(&self, device: &Identity, envelope: &[u8]) -> Response {
        self.signed(&self.sign(device), "POST", "backup", &[], Some(envelope)).await
    }

    /// Restores, freshly signed.
    pub async fn restore(&self, device: &Identity) -> Response {
        self.signed(&self.sign(device), "GET", "backup", &[], None).await
    }

    /// A client of this cloud's DynamoDB with every permission.
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| {
            let client = firefly_stores::dynamodb::client(&self.aws()).expect("plain HTTP needs no root certificates");
            aws_sdk_dynamodb::Client::from_conf(client.config().to_builder().timeout_config(patience()).build())
        })
    }

    /// A client of this cloud's S3 with every permission.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let client = firefly_stores::s3::client(&self.aws()).expect("plain HTTP needs no root certificates");
            aws_sdk_s3::Client::from_conf(client.config().to_builder().timeout_config(patience()).build())
        })
    }

    fn aws(&self) -> Aws {
        Aws::new(&Environment::new(self.environment_as("firefly-local"))).expect("the engines' environment is complete")
    }

    /// The item of a device, if there is one.
    pub async fn device_item(&self, device: DeviceId) -> Option<HashMap<String, AttributeValue>> {
        self.item("firefly-devices", "uuid", &device.to_string()).await
    }

    /// The item of a registration key, if there is one.
    pub async fn key_item(&self, key: &str) -> Option<HashMap<String, AttributeValue>> {
        self.item("firefly-registration-keys", "key", key).await
    }

    /// Any item, if there is one.
    pub async fn item(&self, table: &str, key: &str, value: &str) -> Option<HashMap<String, AttributeValue>> {
        let get = self.dynamodb().get_item().table_name(table).consistent_read(true);
        let get = get.key(key, AttributeValue::S(value.to_owned())).send().await;
        get.expect("the embedded DynamoDB answers").item
    }

    /// The stored backup of a device, if there is one: its bytes and user metadata.
    pub async fn stored_backup(&self, device: DeviceId) -> Option<(Vec<u8>, HashMap<String, String>)> {
        let get = self.s3().get_object().bucket(&self.bucket).key(device.to_string()).send().await;
        match get {
            Ok(object) => {
                let metadata = object.metadata.unwrap_or_default();
                let bytes = object.body.collect().await.expect("the embedded S3 sends the whole object");
                Some((bytes.to_vec(), metadata))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => None,
            Err(error) => panic_with(&error),
        }
    }
}

/// The time limits of a test's own calls, which a busy machine must not end as it may end a function's. Opening a connection
/// has the functions' limit.
fn patience() -> TimeoutConfig {
    let limit = Duration::from_secs(60);
    timeouts(limit, limit)
}

#[expect(clippy::panic, reason = "a test that cannot read what it stored has failed")]
fn panic_with(error: &dyn std::fmt::Debug) -> ! {
    panic!("the embedded S3 failed: {error:?}")
}

/// A device that nobody knows yet.
pub fn new_device() -> Identity {
    let product = "0xFF010001".parse().expect("a product");
    Identity::generate(product, &mut rand::rng())
}

/// The directory of the signing key that all tests share: making one takes long.
fn signing_key_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-signing-key")
}
