//! A served store, its clients and raw requests.

use std::borrow::Cow;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use emulator_kit::{Grants, Limits, Listener, Principal, Principals};
use emulator_s3::object_store::ObjectStore;
use emulator_s3::serve;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const BUCKET: &str = "the-bucket";

/// A served store in a directory of its own.
pub(crate) struct Emulator {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Emulator {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::serve(ObjectStore::open(dir).unwrap()).await
    }

    /// A store whose clock stands still.
    pub(crate) async fn start_at(dir: &Path, now: SystemTime) -> Self {
        Self::serve(ObjectStore::open(dir).unwrap().with_clock(move || now)).await
    }

    async fn serve(store: ObjectStore) -> Self {
        store.create_bucket(BUCKET).unwrap();
        let principal = |name: &str, grants| Principal {
            access_key_id: name.to_owned(),
            secret_access_key: format!("secret of {name}"),
            session_token: None,
            grants,
        };
        let principals = Principals::new([
            principal("all", Grants::Everything),
            principal("reader", Grants::actions(["s3:GetObject"])),
            principal("lister", Grants::actions(["s3:GetObject", "s3:ListBucket"])),
            principal("writer", Grants::actions(["s3:PutObject"])),
            principal("deleter", Grants::actions(["s3:DeleteObject"])),
        ]);
        let limits =
            Limits { connections: 10_000, patience: Duration::from_secs(60), kept_alive: 10_000, ..Limits::default() };
        let listener = Listener::loopback(limits).await.unwrap();
        let address = listener.address();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let done = tokio::spawn(serve(listener, Arc::new(store), principals, shutdown));
        Self { address, stop, done }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.done.await.unwrap();
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        self.client_with_secret(name, &format!("secret of {name}"))
    }

    pub(crate) fn client_with_secret(&self, name: &str, secret: &str) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true)
            .credentials_provider(Credentials::new(name, secret, None, None, "test"))
            // A busy machine is not a failure.
            .timeout_config(TimeoutConfig::builder().disable_connect_timeout().build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Client::from_conf(config.build())
    }

    /// Sends a request of the principal "all" with headers and a body of any kind, and returns its status and body.
    pub(crate) async fn send_raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: RawBody<'_>,
    ) -> (u16, String) {
        self.send_unsigned(method, path, headers, &[], body).await
    }

    /// Like [`Emulator::send_raw`], but the signature does not cover the headers of these names.
    pub(crate) async fn send_unsigned(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        unsigned: &[&'static str],
        body: RawBody<'_>,
    ) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let excluded = settings.excluded_headers.get_or_insert_default();
        excluded.extend(unsigned.iter().copied().map(Cow::Borrowed));
        let instructions = sign(method, &url, headers, body.signable(), settings);
        let mut request = http_client().request(method.parse().unwrap(), &url).body(body.sent().to_owned());
        for (name, value) in headers.iter().copied().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A URL that the principal "all" has signed, for so many seconds.
    pub(crate) fn presigned(&self, method: &str, path: &str, headers: &[(&str, &str)], seconds: u64) -> String {
        let url = format!("http://{}{path}", self.address);
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
        let instructions = sign(method, &url, headers, SignableBody::UnsignedPayload, settings);
        let mut url = reqwest::Url::parse(&url).unwrap();
        url.query_pairs_mut().extend_pairs(instructions.params());
        url.into()
    }
}

fn sign(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: SignableBody<'_>,
    settings: SigningSettings,
) -> SigningInstructions {
    let identity = Credentials::new("all", "secret of all", None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let signable = SignableRequest::new(method, url, headers.iter().copied(), body).unwrap();
    aws_sigv4::http_request::sign(signable, &params).unwrap().into_parts().0
}

#[derive(Clone, Copy)]
pub(crate) enum RawBody<'a> {
    /// Sent as it is signed.
    Signed(&'a [u8]),
    /// Sent in place of the bytes that were signed.
    Replaced { signed: &'a [u8], sent: &'a [u8] },
    /// `aws-chunked` with trailers, the chunks unsigned.
    Chunked(&'a str),
}

impl<'a> RawBody<'a> {
    fn signable(self) -> SignableBody<'a> {
        match self {
            Self::Signed(bytes) | Self::Replaced { signed: bytes, .. } => SignableBody::Bytes(bytes),
            Self::Chunked(_) => SignableBody::StreamingUnsignedPayloadTrailer,
        }
    }

    fn sent(self) -> &'a [u8] {
        match self {
            Self::Signed(bytes) | Self::Replaced { sent: bytes, .. } => bytes,
            Self::Chunked(text) => text.as_bytes(),
        }
    }
}

pub(crate) fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

pub(crate) fn put(client: &Client, key: &str, body: impl Into<Vec<u8>>) -> PutObjectFluentBuilder {
    client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(body.into()))
}

pub(crate) async fn get(client: &Client, key: &str) -> GetObjectOutput {
    client.get_object().bucket(BUCKET).key(key).send().await.unwrap()
}

pub(crate) async fn body_of(output: GetObjectOutput) -> Vec<u8> {
    output.body.collect().await.unwrap().to_vec()
}

/// The status and, where there is a body, the code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (u16, String) {
    let error = result.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The files below a directory.
pub(crate) fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}
