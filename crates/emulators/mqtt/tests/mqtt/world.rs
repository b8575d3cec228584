//! A registry with devices, made through its own door.

use std::sync::LazyLock;

use aws_sdk_iot::Client;
use aws_sdk_iot::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_iot::types::{CertificateStatus, ThingPrincipalType};
use emulator_iot::{Authority, Registry, Settings};
use emulator_kit::{Grants, Limits, Listener, Principal, Principals};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// One authority for all tests: a new one takes a moment.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::generate().unwrap());

/// A policy that allows everything.
fn everything() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
}

pub struct World {
    pub registry: Registry,
    pub client: Client,
}

/// A Thing with a certificate that is attached to it exclusively, and a policy of the Thing's name.
pub struct Device {
    /// The certificate's id.
    pub id: String,
    pub arn: String,
    pub thing: String,
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl World {
    pub async fn new() -> Self {
        let settings = Settings::new("123456789012", "eu-central-1").with_authority(AUTHORITY.clone());
        let registry = Registry::memory(settings).unwrap();
        let listener = Listener::loopback(Limits::default()).await.unwrap();
        let config = aws_sdk_iot::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(listener.url())
            .credentials_provider(Credentials::new("principal", "secret", None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let principals = Principals::new([Principal {
            access_key_id: "principal".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            grants: Grants::Everything,
        }]);
        tokio::spawn(emulator_iot::serve(listener, registry.clone(), principals, std::future::pending()));
        Self { registry, client: Client::from_conf(config.build()) }
    }

    /// A device that may do everything, with an ACTIVE certificate.
    pub async fn device(&self, thing: &str) -> Device {
        self.device_with(thing, &everything()).await
    }

    /// Like [`Self::device`], with a policy of its own.
    pub async fn device_with(&self, thing: &str, policy: &Value) -> Device {
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let call = self.client.create_certificate_from_csr().certificate_signing_request(csr);
        let made = call.set_as_active(true).send().await.unwrap();
        let certificate = CertificateDer::from_pem_slice(made.certificate_pem.unwrap().as_bytes()).unwrap().to_vec();
        self.attach(thing, policy, made.certificate_id.unwrap(), made.certificate_arn.unwrap(), certificate, &key).await
    }

    /// Like [`Self::device`], with a certificate that signs itself.
    pub async fn device_of_its_own_ca(&self, thing: &str) -> Device {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let call = self.client.register_certificate_without_ca().certificate_pem(certificate.pem());
        let made = call.status(CertificateStatus::Active).send().await.unwrap();
        let der = certificate.der().to_vec();
        let (id, arn) = (made.certificate_id.unwrap(), made.certificate_arn.unwrap());
        self.attach(thing, &everything(), id, arn, der, &key).await
    }

    async fn attach(
        &self,
        thing: &str,
        policy: &Value,
        id: String,
        arn: String,
        certificate: Vec<u8>,
        key: &KeyPair,
    ) -> Device {
        self.client.create_thing().thing_name(thing).send().await.unwrap();
        self.client.create_policy().policy_name(thing).policy_document(policy.to_string()).send().await.unwrap();
        self.client.attach_policy().policy_name(thing).target(&arn).send().await.unwrap();
        let call = self.client.attach_thing_principal().thing_name(thing).principal(&arn);
        call.thing_principal_type(ThingPrincipalType::ExclusiveThing).send().await.unwrap();
        Device { id, arn, thing: thing.to_owned(), certificate, key: key.serialize_der() }
    }

    pub async fn deactivate(&self, device: &Device) {
        let call = self.client.update_certificate().certificate_id(&device.id);
        call.new_status(CertificateStatus::Inactive).send().await.unwrap();
    }

    /// Takes the policy from a device.
    pub async fn detach_policy(&self, device: &Device) {
        self.client.detach_policy().policy_name(&device.thing).target(&device.arn).send().await.unwrap();
    }

    /// The certificate that clients trust, as PEM.
    pub fn root(&self) -> String {
        self.registry.ca_pem().to_owned()
    }
}
