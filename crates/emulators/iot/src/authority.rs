//! The certificate authority: its own certificate, and those that it issues.
//!
//! | path below the root  | content                                       |
//! |----------------------|-----------------------------------------------|
//! | `ca/key.pem`         | the key, RSA 2048, PKCS#8; mode 0600          |
//! | `ca/certificate.pem` | the certificate                               |
//! | `ca.new`             | both being written; renamed to `ca`           |

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, PublicKeyData as _, SerialNumber, SubjectPublicKeyInfo,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use time::macros::datetime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::error::RegistryError;
use crate::x509::{Invalid, Leaf};

/// The issuer of Amazon's certificates: one attribute has the whole text.
const ISSUER: &str = "Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US";

/// The subject of Amazon's certificates.
const SUBJECT: &str = "AWS IoT Certificate";

/// The length in bits of the authority's key.
const KEY_BITS: usize = 2_048;

/// The validity of the authority and of servers. It begins before every clock that may check it.
const NOT_BEFORE: OffsetDateTime = datetime!(2015-10-08 00:00:00 UTC);

/// The end of all certificates.
const NOT_AFTER: OffsetDateTime = datetime!(2049-12-31 23:59:59 UTC);

/// A certificate authority.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// A key and the certificates of a TLS server that is `localhost`, 127.0.0.1 and ::1.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The certificate. The authority's own is not part of it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key, P-256.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes an authority with a new key, which takes a moment.
    ///
    /// # Errors
    /// [`RegistryError::Crypto`].
    pub fn generate() -> Result<Self, RegistryError> {
        let (key, certificate) = generate()?;
        let key = read_key(&key).map_err(|error| RegistryError::crypto(&error))?;
        Ok(Self::new(key, certificate))
    }

    fn new(key: KeyPair, certificate: String) -> Self {
        Self(Arc::new(Inner { issuer: Issuer::new(params(), key), certificate }))
    }

    /// Opens the authority in the folder `ca` of `dir`, which is made if it is absent.
    pub(crate) fn open(dir: &Path) -> Result<Self, RegistryError> {
        let path = dir.join("ca");
        if !path.try_exists().map_err(RegistryError::io(&path))? {
            let (key, certificate) = generate()?;
            write(dir, &key, &certificate).map_err(RegistryError::io(&path))?;
        }
        let read = |name: &str| {
            let read = fs::read_to_string(path.join(name));
            read.map_err(|error| broken(&path, format_args!("{name} cannot be read: {error}")))
        };
        let (key, certificate) = (read("key.pem")?, read("certificate.pem")?);
        let key = read_key(&key).map_err(|error| broken(&path, format_args!("key.pem is not a key: {error}")))?;
        match certified_key(&certificate) {
            None => Err(broken(&path, "certificate.pem is not a certificate")),
            Some(certified) if certified != key.subject_public_key_info() => {
                Err(broken(&path, "certificate.pem has another key than key.pem"))
            }
            Some(_) => Ok(Self::new(key, certificate)),
        }
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0.certificate
    }

    /// Makes a certificate of a device's key. `now` is in milliseconds.
    pub(crate) fn issue(&self, key: &SubjectPublicKeyInfo, now: u64) -> Result<Leaf, Invalid> {
        let seconds = i64::try_from(now / 1000).unwrap_or(i64::MAX);
        let mut params = CertificateParams::default();
        params.not_before = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(NOT_AFTER);
        params.not_after = NOT_AFTER;
        params.distinguished_name = name(DnType::CommonName, SUBJECT);
        params.serial_number = Some(serial_number());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.0.issuer).map_err(Invalid::new)?;
        Leaf::new(certificate.der(), certificate.pem())
    }

    /// Makes a new key and certificate for a server on the loopback interface.
    ///
    /// # Errors
    /// [`RegistryError::Crypto`].
    pub fn server_identity(&self) -> Result<ServerIdentity, RegistryError> {
        let crypto = |error: rcgen::Error| RegistryError::crypto(&error);
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(crypto)?;
        (params.not_before, params.not_after) = (NOT_BEFORE, NOT_AFTER);
        params.distinguished_name = name(DnType::CommonName, "localhost");
        params.serial_number = Some(serial_number());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(crypto)?;
        let certificate = params.signed_by(&key, &self.0.issuer).map_err(crypto)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(ServerIdentity { chain: vec![certificate.der().clone()], key })
    }
}

/// The authority's own certificate, but for its key.
fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (NOT_BEFORE, NOT_AFTER);
    params.distinguished_name = name(DnType::OrganizationalUnitName, ISSUER);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn name(kind: DnType, value: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(kind, value);
    name
}

/// Draws a positive number of 20 bytes, the most that RFC 5280 allows.
fn serial_number() -> SerialNumber {
    let mut bytes: [u8; 20] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Makes a key and its certificate, both in PEM.
fn generate() -> Result<(String, String), RegistryError> {
    let key =
        RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).map_err(|error| RegistryError::crypto(&error))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| RegistryError::crypto(&error))?;
    let key = read_key(&pem).map_err(|error| RegistryError::crypto(&error))?;
    let mut params = params();
    params.serial_number = Some(serial_number());
    let certificate = params.self_signed(&key).map_err(|error| RegistryError::crypto(&error))?;
    Ok((pem.as_str().to_owned(), certificate.pem()))
}

fn read_key(pem: &str) -> Result<KeyPair, rcgen::Error> {
    KeyPair::from_pkcs8_pem_and_sign_algo(pem, &PKCS_RSA_SHA256)
}

/// The key in a certificate, a SubjectPublicKeyInfo in DER.
fn certified_key(pem: &str) -> Option<Vec<u8>> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
    rest.is_empty().then(|| certificate.public_key().raw.to_owned())
}

fn broken(path: &Path, reason: impl std::fmt::Display) -> RegistryError {
    RegistryError::broken(path, format_args!("{reason}; without the folder a new authority is made"))
}

/// Puts the folder `ca` into `dir`, whole.
fn write(dir: &Path, key: &str, certificate: &str) -> io::Result<()> {
    let temporary = dir.join("ca.new");
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&temporary)?;
    for (name, content) in [("key.pem", key), ("certificate.pem", certificate)] {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary.join(name))?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
    }
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, dir.join("ca"))?;
    File::open(dir)?.sync_all()
}
