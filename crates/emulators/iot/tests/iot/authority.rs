//! The authority and the shape of its certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use emulator_iot::{Authority, Registry, RegistryError, Settings};
use tempfile::TempDir;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKCS1_SHA256WITHRSA;
use x509_parser::pem::{Pem, parse_x509_pem};
use x509_parser::prelude::FromDer as _;

use crate::server::{ACCOUNT, REGION, csr, settings, start};

fn pem(text: &str) -> Pem {
    parse_x509_pem(text.as_bytes()).unwrap().1
}

#[tokio::test]
async fn a_certificate_looks_like_amazons() {
    let server = start().await;
    let made = server.client.create_certificate_from_csr().certificate_signing_request(csr()).send().await.unwrap();
    let (ca, leaf) = (pem(server.registry.ca_pem()), pem(made.certificate_pem().unwrap()));
    let (ca, certificate) = (ca.parse_x509().unwrap(), leaf.parse_x509().unwrap());
    let issuer = "OU=Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US";
    assert_eq!(certificate.issuer().to_string(), issuer);
    assert_eq!(certificate.issuer().as_raw(), ca.subject().as_raw());
    assert_eq!(certificate.subject().to_string(), "CN=AWS IoT Certificate");
    assert_eq!(certificate.raw_serial().len(), 20);
    assert_eq!(certificate.signature_algorithm.algorithm, OID_PKCS1_SHA256WITHRSA);
    certificate.verify_signature(Some(ca.public_key())).unwrap();
    ca.verify_signature(None).unwrap();
    assert!(ca.is_ca() && !certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && usage.value.flags.count_ones() == 1);
    assert!(certificate.basic_constraints().unwrap().unwrap().critical);
    assert!(certificate.extended_key_usage().unwrap().is_none());
    assert!(
        certificate
            .extensions()
            .iter()
            .any(|extension| { matches!(extension.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(_)) })
    );
    // 2049-12-31T23:59:59Z.
    assert_eq!(certificate.validity().not_after.timestamp(), 2_524_607_999);
    use sha2::Digest as _;
    let id: String = sha2::Sha256::digest(&leaf.contents).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(made.certificate_id(), Some(id.as_str()));
}

#[tokio::test]
async fn a_server_is_localhost() {
    let server = start().await;
    let identity = server.registry.server_identity().unwrap();
    let (_, certificate) = X509Certificate::from_der(&identity.chain[0]).unwrap();
    let ca = pem(server.registry.ca_pem());
    certificate.verify_signature(Some(ca.parse_x509().unwrap().public_key())).unwrap();
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert!(names.contains(&GeneralName::DNSName("localhost")));
    assert!(names.contains(&GeneralName::IPAddress(&[127, 0, 0, 1])));
    assert!(certificate.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert!(certificate.validity().is_valid());
}

#[test]
fn an_authority_is_made_once_and_its_key_is_private() {
    let dir = TempDir::new().unwrap();
    let open = || Registry::open(dir.path(), Settings::new(ACCOUNT, REGION)).unwrap();
    let first = open().ca_pem().to_owned();
    assert_eq!(open().ca_pem(), first);
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca"), mode("ca/key.pem")), (0o700, 0o600));
    assert_ne!(Authority::generate().unwrap().pem(), first);
}

#[test]
fn a_broken_authority_is_one_clear_error() {
    let dir = TempDir::new().unwrap();
    let open = || Registry::open(dir.path(), Settings::new(ACCOUNT, REGION));
    drop(open().unwrap());
    let (key, certificate) = (dir.path().join("ca/key.pem"), dir.path().join("ca/certificate.pem"));
    let (good_key, good_certificate) = (fs::read(&key).unwrap(), fs::read(&certificate).unwrap());
    let broken = |reason: &str| {
        let error = open().unwrap_err();
        let RegistryError::Broken { path, .. } = &error else { panic!("{error}") };
        assert_eq!(*path, dir.path().join("ca"));
        assert!(error.to_string().contains(reason), "{error}");
    };
    fs::write(&key, &good_key[..good_key.len() / 2]).unwrap();
    broken("key.pem is not a key");
    fs::remove_file(&key).unwrap();
    broken("key.pem cannot be read");
    fs::write(&key, &good_key).unwrap();
    fs::write(&certificate, b"").unwrap();
    broken("certificate.pem is not a certificate");
    fs::write(&certificate, Authority::generate().unwrap().pem()).unwrap();
    broken("certificate.pem has another key than key.pem");
    fs::write(&certificate, good_certificate).unwrap();
    drop(open().unwrap());
    // A process that ended while it made one leaves no half of it.
    fs::rename(dir.path().join("ca"), dir.path().join("ca.new")).unwrap();
    fs::remove_file(dir.path().join("ca.new/certificate.pem")).unwrap();
    drop(open().unwrap());
    assert!(dir.path().join("ca/certificate.pem").exists() && !dir.path().join("ca.new").exists());
}

#[test]
fn an_account_is_a_number_and_a_region_a_name() {
    let (settings, _) = settings();
    drop(Registry::memory(settings).unwrap());
    for (account, region) in [("12345678901", REGION), ("12345678901x", REGION), (ACCOUNT, ""), (ACCOUNT, "Mars 1")] {
        let error = Registry::memory(Settings::new(account, region)).unwrap_err();
        assert!(matches!(error, RegistryError::Place(_)), "{error}");
    }
}
