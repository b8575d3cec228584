//! TLS with a client certificate that the registry knows.

use std::sync::Arc;

use emulator_iot::{CertificateStatus, Registry, RegistryError};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// The id of a certificate: the lower-case hex SHA-256 of its DER.
pub(crate) fn certificate_id(der: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = Sha256::digest(der).into_iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    nibbles.filter_map(|nibble| DIGITS.get(usize::from(nibble)).copied().map(char::from)).collect()
}

/// The reasons for which the broker cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The registry makes no certificate for the server.
    #[error("the registry makes no certificate for the broker: {0}")]
    Identity(#[from] RegistryError),
    /// The certificate or its key is of no use for TLS.
    #[error("the broker's certificate is of no use: {0}")]
    Tls(#[from] Error),
}

/// TLS 1.2 and 1.3 under the registry's certificate for this server. No session is resumed: every connection shows its
/// certificate again. A client that sends no server name is served.
///
/// # Errors
/// There is no certificate, or it is of no use.
pub(crate) fn server_config(registry: &Registry) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Arc::new(KnownCertificates { registry: registry.clone(), algorithms });
    let identity = registry.server_identity()?;
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12])?;
    let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(identity.chain, identity.key)?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// Admits the holder of the key of a certificate that is ACTIVE, whoever has signed the certificate.
#[derive(Debug)]
struct KnownCertificates {
    registry: Registry,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for KnownCertificates {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.registry.certificate_status(&certificate_id(end_entity)) {
            Some(CertificateStatus::Active) => Ok(ClientCertVerified::assertion()),
            Some(_) => Err(CertificateError::Revoked.into()),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
