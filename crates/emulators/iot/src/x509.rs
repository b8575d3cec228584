//! Certificate signing requests, certificates and their keys, read.

use rcgen::SubjectPublicKeyInfo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo as ParsedKey;

/// Least length in bits of an RSA key.
const LEAST_RSA_BITS: usize = 2_048;

/// The reason for which a text is not a request or a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(String);

impl Invalid {
    pub(crate) fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A certificate.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The SHA-256 of the DER in lower-case hex.
    pub(crate) id: String,
    pub(crate) pem: String,
    /// Its validity in seconds since the epoch.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Leaf {
    /// Reads a certificate; `pem` is its text.
    pub(crate) fn new(der: &[u8], pem: String) -> Result<Self, Invalid> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(Invalid::new)?;
        end(rest)?;
        check_key(certificate.public_key())?;
        let validity = certificate.validity();
        let id = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        let (not_before, not_after) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Ok(Self { id, pem, not_before, not_after })
    }
}

/// The key of a certificate signing request in PEM (RFC 2986), whose signature is verified.
pub(crate) fn csr_key(pem: &str) -> Result<SubjectPublicKeyInfo, Invalid> {
    let der = CertificateSigningRequestDer::from_pem_slice(section(pem, "CERTIFICATE REQUEST")?);
    let der = der.map_err(Invalid::new)?;
    let (rest, request) = X509CertificationRequest::from_der(&der).map_err(Invalid::new)?;
    end(rest)?;
    let key = &request.certification_request_info.subject_pki;
    let (key_der, parsed) = (key.raw, check_key(key));
    parsed?;
    request.verify_signature().map_err(|_| Invalid::new("its signature is not that of its key"))?;
    public_key(key_der)
}

/// Reads a key, a SubjectPublicKeyInfo in DER.
pub(crate) fn public_key(der: &[u8]) -> Result<SubjectPublicKeyInfo, Invalid> {
    SubjectPublicKeyInfo::from_der(der).map_err(Invalid::new)
}

/// Reads a certificate in PEM.
pub(crate) fn leaf(pem: &str) -> Result<Leaf, Invalid> {
    let der = CertificateDer::from_pem_slice(section(pem, "CERTIFICATE")?).map_err(Invalid::new)?;
    Leaf::new(&der, pem.to_owned())
}

/// The bytes of a text of nothing but one section of this label.
fn section<'a>(pem: &'a str, label: &str) -> Result<&'a [u8], Invalid> {
    let text = pem.trim();
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let whole = text.starts_with(&begin) && text.ends_with(&end) && text.matches("-----BEGIN ").count() == 1;
    if whole { Ok(text.as_bytes()) } else { Err(Invalid(format!("it is not one {label} in PEM"))) }
}

fn end(rest: &[u8]) -> Result<(), Invalid> {
    if rest.is_empty() { Ok(()) } else { Err(Invalid::new("bytes follow its end")) }
}

fn check_key(key: &ParsedKey<'_>) -> Result<(), Invalid> {
    match key.parsed().map_err(Invalid::new)? {
        PublicKey::RSA(key) if key.key_size() < LEAST_RSA_BITS => {
            Err(Invalid(format!("its RSA key has {} bits, fewer than {LEAST_RSA_BITS}", key.key_size())))
        }
        PublicKey::RSA(_) | PublicKey::EC(_) => Ok(()),
        _ => Err(Invalid::new("its key is neither RSA nor one of an elliptic curve")),
    }
}
