//! TLS as AWS's endpoints speak it, with a certificate of the bench's own.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::error::{BenchError, io_error};

/// The server's side, and the file with the certificate that its clients have to trust.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<NamedTempFile>,
}

impl Tls {
    /// Makes a certificate (ECDSA P-256) for `127.0.0.1`.
    pub(crate) fn new() -> Result<Self, BenchError> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(|_| BenchError::Certificate)?;
        let mut certificate = NamedTempFile::new().map_err(io_error("cannot make a temporary file"))?;
        certificate.write_all(made.cert.pem().as_bytes()).map_err(io_error("cannot write a temporary file"))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .map_err(|_| BenchError::Certificate)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: Arc::new(certificate) })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// PEM.
    pub(crate) fn certificate(&self) -> &Path {
        self.certificate.path()
    }
}
