//! Measures a broker: the time of 1,000 connects, the memory of 10,000 idle sessions, the rate of QoS 1 with 100
//! publishers.
//!
//! `load` measures this broker, in a process of its own. `load HOST:PORT CA CERTIFICATE KEY` (PEM files) measures the rate
//! of another one with the same clients. `load serve DIR` is the broker alone: it writes `ca.pem`, `certificate.pem` and
//! `key.pem` to `DIR`, prints its address, and ends with its standard input.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made has failed")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_iot::config::{BehaviorVersion, Credentials, Region};
use emulator_iot::{Registry, Settings};
use emulator_kit::{Grants, Listener, Principal, Principals};
use emulator_mqtt::packet::{Connect, Delivery, Packet, PacketId, Publish};
use emulator_mqtt::topic::TopicName;
use emulator_mqtt::{Limits, serve};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;
const CONNECTS: usize = 1_000;
const SESSIONS: usize = 10_000;
const PUBLISHERS: usize = 100;
const SECONDS: u64 = 10;

#[tokio::main]
async fn main() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", dir] => host(Path::new(dir)).await,
        [address, ca, certificate, key] => rate(&Target::new(address, ca, certificate, key)).await,
        _ => {
            let dir = std::env::temp_dir().join(format!("mqtt-load-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            println!("{files} files may be open");
            let (broker, target) = spawn(&dir);
            rate(&target).await;
            sessions(&target, &broker).await;
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
}

/// Serves a broker with one device that may do everything.
async fn host(dir: &Path) {
    let registry = Registry::memory(Settings::new("123456789012", "eu-central-1")).unwrap();
    let control = Listener::loopback(emulator_kit::Limits::default()).await.unwrap();
    let config = aws_sdk_iot::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(control.url())
        .credentials_provider(Credentials::new("principal", "secret", None, None, "load"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let (access_key_id, secret_access_key) = ("principal".to_owned(), "secret".to_owned());
    let principal = Principal { access_key_id, secret_access_key, session_token: None, grants: Grants::Everything };
    let principals = Principals::new([principal]);
    tokio::spawn(emulator_iot::serve(control, registry.clone(), principals, std::future::pending()));
    let client = aws_sdk_iot::Client::from_conf(config.build());
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let call = client.create_certificate_from_csr().certificate_signing_request(csr);
    let made = call.set_as_active(true).send().await.unwrap();
    client.create_policy().policy_name("everything").policy_document(EVERYTHING).send().await.unwrap();
    let target = made.certificate_arn.unwrap();
    client.attach_policy().policy_name("everything").target(target).send().await.unwrap();
    std::fs::write(dir.join("ca.pem"), registry.ca_pem()).unwrap();
    std::fs::write(dir.join("certificate.pem"), made.certificate_pem.unwrap()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let stopped = async { drop(tokio::io::stdin().read(&mut [0]).await) };
    serve(listener, registry, Limits { connections: 20_000, ..Limits::default() }, stopped).await.unwrap();
}

/// A broker in a process of its own.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn spawn(dir: &Path) -> (Broker, Target) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut child = command.arg("serve").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let file = |name: &str| PathBuf::from(dir).join(name).display().to_string();
    let target = Target::new(address.trim(), &file("ca.pem"), &file("certificate.pem"), &file("key.pem"));
    (Broker(child), target)
}

/// A broker, and the certificate to show it.
#[derive(Clone)]
struct Target {
    address: String,
    config: Arc<ClientConfig>,
}

impl Target {
    fn new(address: &str, ca: &str, certificate: &str, key: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let mut config = builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
        config.resumption = rustls::client::Resumption::disabled();
        Self { address: address.to_owned(), config: Arc::new(config) }
    }

    /// Begins a session.
    async fn connect(&self, client_id: &str) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await.unwrap();
        let (will, user_name, password) = (None, None, None);
        let connect = Connect { client_id, clean_session: true, keep_alive: 1_200, will, user_name, password };
        write(&mut stream, &Packet::Connect(connect)).await;
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream
    }

    /// Begins sessions, 50 at a time.
    async fn connect_all(&self, first: usize, count: usize) -> Vec<TlsStream<TcpStream>> {
        let tasks = (0..50).map(|task| {
            let target = self.clone();
            tokio::spawn(async move {
                let mut streams = Vec::new();
                for number in (task..count).step_by(50) {
                    streams.push(target.connect(&format!("client{}", first + number)).await);
                }
                streams
            })
        });
        let mut streams = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            streams.append(&mut task.await.unwrap());
        }
        streams
    }
}

async fn write(stream: &mut TlsStream<TcpStream>, packet: &Packet<'_>) {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes).unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
}

/// Each publisher has one message of 100 bytes at a time under way.
async fn rate(target: &Target) {
    let streams = target.connect_all(0, PUBLISHERS).await;
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let tasks = streams.into_iter().enumerate().map(|(number, mut stream)| {
        tokio::spawn(async move {
            let topic = format!("load/{number}");
            let (topic, id) = (TopicName::new(&topic).unwrap(), PacketId::new(1).unwrap());
            let delivery = Delivery::AtLeastOnce { id, dup: false };
            let packet = Packet::Publish(Publish { topic, payload: &[b'x'; 100], retain: false, delivery });
            let mut count = 0_u64;
            while Instant::now() < end {
                write(&mut stream, &packet).await;
                stream.read_exact(&mut [0; 4]).await.unwrap();
                count += 1;
            }
            count
        })
    });
    let mut count = 0;
    for task in tasks.collect::<Vec<_>>() {
        count += task.await.unwrap();
    }
    println!("{PUBLISHERS} publishers of QoS 1: {} messages a second", count / SECONDS);
}

async fn sessions(target: &Target, broker: &Broker) {
    println!("the broker has {}", memory(broker));
    let start = Instant::now();
    let mut streams = target.connect_all(1_000_000, CONNECTS).await;
    println!("{CONNECTS} connects: {:?}, the broker has {}", start.elapsed(), memory(broker));
    streams.append(&mut target.connect_all(2_000_000, SESSIONS - CONNECTS).await);
    println!("{} idle sessions: the broker has {}", streams.len(), memory(broker));
}

/// Resident memory of the broker's process.
fn memory(broker: &Broker) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().trim().to_owned()
}
