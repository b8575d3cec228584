//! Certificates and TLS.

use std::sync::Arc;

use emulator_mqtt::Limits;
use emulator_mqtt::packet::{Connack, Packet};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ProtocolVersion, SignatureScheme};

use super::client::{Client, config, config_of};
use super::driven::connect;
use super::server::start;
use super::world::World;

async fn begins(client: std::io::Result<Client>, client_id: &str) -> bool {
    let Ok(mut client) = client else { return false };
    client.send(&Packet::Connect(connect(client_id))).await;
    let accepted = Packet::Connack(Connack::Accepted { session_present: false });
    client.next(|packet| packet == accepted).await.unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_serve_and_neither_resumes() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    for (version, number) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let shown = Some((&*device.certificate, &*device.key));
        let config = Arc::new(config(&world.root(), shown, &[version]));
        for _ in 0..3 {
            let mut client = Client::open(address, Arc::clone(&config)).await.unwrap();
            client.send(&Packet::Connect(connect("one"))).await;
            client.expect(&Packet::Connack(Connack::Accepted { session_present: false })).await;
            let (_, tls) = client.stream.get_ref();
            assert_eq!(tls.protocol_version(), Some(number));
            assert_eq!(tls.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_server_name_is_accepted() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    let mut config = config_of(&world.root(), &device);
    config.enable_sni = false;
    assert!(begins(Client::open(address, config).await, "one").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_needed_and_known_and_active() {
    let world = World::new().await;
    let (device, inactive) = (world.device("one").await, world.device("two").await);
    let foreign = world.device_of_its_own_ca("four").await;
    world.deactivate(&inactive).await;
    // The same authority has signed it, for another registry.
    let stranger = World::new().await.device("three").await;
    let (address, _stop) = start(&world, Limits::default()).await;
    let root = world.root();
    for versions in [&[&TLS12][..], &[&TLS13]] {
        for (name, shown, wanted) in [
            ("ACTIVE", Some((&*device.certificate, &*device.key)), true),
            ("of another authority", Some((&*foreign.certificate, &*foreign.key)), true),
            ("INACTIVE", Some((&*inactive.certificate, &*inactive.key)), false),
            ("unknown", Some((&*stranger.certificate, &*stranger.key)), false),
            ("none", None, false),
        ] {
            let client = Client::open(address, config(&root, shown, versions)).await;
            assert_eq!(begins(client, "one").await, wanted, "{name}");
        }
    }
}

/// Shows a certificate and signs with another key.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_its_key_is_refused() {
    let world = World::new().await;
    let (device, other) = (world.device("one").await, world.device("two").await);
    let (address, _stop) = start(&world, Limits::default()).await;
    let key = rustls::pki_types::PrivateKeyDer::try_from(other.key.clone()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let stolen = Arc::new(CertifiedKey::new(vec![device.certificate.clone().into()], key));
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let mut config = config(&world.root(), None, versions);
        config.client_auth_cert_resolver = Arc::new(Thief(Arc::clone(&stolen)));
        assert!(!begins(Client::open(address, config).await, "one").await);
    }
}
