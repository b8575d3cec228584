//! A client over TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use emulator_mqtt::packet::{Connack, MAX_REMAINING_LENGTH, Packet};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::driven::connect;
use super::world::Device;

/// The bound of every wait for an event.
pub const BOUND: Duration = Duration::from_secs(20);

pub struct Client {
    pub stream: TlsStream<TcpStream>,
    received: Vec<u8>,
}

/// A client's TLS with these versions, which shows a certificate if there is a device.
pub fn config(
    root: &str,
    device: Option<(&[u8], &[u8])>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    match device {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
            builder.with_client_auth_cert(vec![certificate.to_vec().into()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

pub fn config_of(root: &str, device: &Device) -> ClientConfig {
    config(root, Some((&device.certificate, &device.key)), rustls::ALL_VERSIONS)
}

impl Client {
    /// Opens a connection; in TLS 1.3 a refusal shows at the first read.
    pub async fn open(address: SocketAddr, config: impl Into<Arc<ClientConfig>>) -> std::io::Result<Self> {
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        let stream = timeout(BOUND, TlsConnector::from(config.into()).connect(name, stream)).await.unwrap()?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Begins a session.
    pub async fn begin(address: SocketAddr, root: &str, device: &Device, client_id: &str) -> Self {
        let mut client = Self::open(address, config_of(root, device)).await.unwrap();
        client.send(&Packet::Connect(connect(client_id))).await;
        client.expect(&Packet::Connack(Connack::Accepted { session_present: false })).await;
        client
    }

    pub async fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads the next packet; `None` if the connection has ended.
    pub async fn next<T>(&mut self, read: impl Fn(Packet<'_>) -> T) -> Option<T> {
        loop {
            if let Some((packet, length)) = Packet::decode(&self.received, MAX_REMAINING_LENGTH).unwrap() {
                let value = read(packet);
                self.received.drain(..length);
                return Some(value);
            }
            match timeout(BOUND, self.stream.read_buf(&mut self.received)).await.unwrap() {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    pub async fn expect(&mut self, wanted: &Packet<'_>) {
        let got = self.next(|packet| assert_eq!(&packet, wanted)).await;
        assert!(got.is_some(), "the connection has ended before {wanted:?}");
    }

    /// Asserts that the connection ends without another packet.
    pub async fn expect_end(&mut self) {
        let got = self.next(|packet| format!("{packet:?}")).await;
        assert_eq!(got, None);
    }
}
