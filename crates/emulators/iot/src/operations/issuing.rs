//! New certificates. They are made without a view of the registry, so that no other call waits for keys and signatures.

use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::authority::Authority;
use crate::input::Input;
use crate::record::{CertificateMode, CertificateStatus};
use crate::refusal::{Kind, Refusal};
use crate::x509::{self, Leaf};

/// Longest CSR in characters, and longest certificate in PEM.
const MAX_CSR: usize = 4_096;
const MAX_PEM: usize = 65_536;

/// The length in bits of the keys that CreateKeysAndCertificate makes.
const KEY_BITS: usize = 2_048;

/// A certificate that is not in the registry yet. Its answer may hold a private key.
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) pem: String,
    pub(crate) status: CertificateStatus,
    pub(crate) mode: CertificateMode,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// The members of the answer but the certificate's id and ARN.
    pub(crate) answer: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateCertificateFromCsr {
    certificate_signing_request: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RegisterCertificateWithoutCa {
    certificate_pem: String,
    status: Option<String>,
}

/// CreateCertificateFromCsr. `now` is in milliseconds.
pub(crate) fn from_csr(authority: &Authority, input: &Input, now: u64) -> Result<Issued, Refusal> {
    let CreateCertificateFromCsr { certificate_signing_request: csr } = input.json()?;
    let status = status(input)?;
    if csr.chars().count() > MAX_CSR {
        return Err(Refusal::invalid(format!("The CSR has more than {MAX_CSR} characters")));
    }
    let key = x509::csr_key(&csr).map_err(|reason| Refusal::invalid(format!("The CSR is not valid: {reason}")))?;
    let leaf = authority.issue(&key, now).map_err(internal)?;
    let answer = Map::from_iter([("certificatePem".to_owned(), json!(leaf.pem))]);
    Ok(issued(leaf, status, CertificateMode::Default, answer))
}

/// CreateKeysAndCertificate. `now` is in milliseconds.
pub(crate) fn with_keys(authority: &Authority, input: &Input, now: u64) -> Result<Issued, Refusal> {
    input.no_body()?;
    let status = status(input)?;
    let private_key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).map_err(internal)?;
    let public_key = private_key.to_public_key();
    let key = x509::public_key(public_key.to_public_key_der().map_err(internal)?.as_bytes()).map_err(internal)?;
    let leaf = authority.issue(&key, now).map_err(internal)?;
    let pair = json!({
        "PublicKey": public_key.to_public_key_pem(LineEnding::LF).map_err(internal)?,
        "PrivateKey": private_key.to_pkcs1_pem(LineEnding::LF).map_err(internal)?.as_str(),
    });
    let answer = Map::from_iter([("certificatePem".to_owned(), json!(leaf.pem)), ("keyPair".to_owned(), pair)]);
    Ok(issued(leaf, status, CertificateMode::Default, answer))
}

/// RegisterCertificateWithoutCA.
pub(crate) fn register(_: &Authority, input: &Input, _: u64) -> Result<Issued, Refusal> {
    let RegisterCertificateWithoutCa { certificate_pem: pem, status } = input.json()?;
    let status = match status.as_deref() {
        Some("ACTIVE") => CertificateStatus::Active,
        None | Some("INACTIVE") => CertificateStatus::Inactive,
        Some(internal @ ("PENDING_TRANSFER" | "PENDING_ACTIVATION")) => {
            let message = format!("A certificate cannot be registered with the status {internal}");
            return Err(Refusal::new(Kind::CertificateState, message));
        }
        Some(other) => return Err(Refusal::invalid(format!("a certificate cannot be registered as {other:?}"))),
    };
    if pem.is_empty() || pem.chars().count() > MAX_PEM {
        return Err(Refusal::invalid(format!("certificatePem has not 1 to {MAX_PEM} characters")));
    }
    let leaf = x509::leaf(&pem).map_err(|reason| {
        Refusal::new(Kind::CertificateValidation, format!("The certificate is not valid: {reason}"))
    })?;
    Ok(issued(leaf, status, CertificateMode::SniOnly, Map::new()))
}

fn issued(leaf: Leaf, status: CertificateStatus, mode: CertificateMode, answer: Map<String, Value>) -> Issued {
    let Leaf { id, pem, not_before, not_after } = leaf;
    Issued { id, pem, status, mode, not_before, not_after, answer }
}

fn status(input: &Input) -> Result<CertificateStatus, Refusal> {
    Ok(if input.flag("setAsActive")? { CertificateStatus::Active } else { CertificateStatus::Inactive })
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(cause = %error, "a certificate cannot be made");
    Refusal::new(Kind::InternalFailure, "An unexpected error has occurred.")
}
