//! TLS as AWS's endpoints speak it, with a certificate of the tests' own.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The server's side, and the file with the certificate that its clients have to trust.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<NamedTempFile>,
}

impl Default for Tls {
    /// Makes a certificate (ECDSA P-256) for `127.0.0.1`.
    fn default() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
        let certificate = NamedTempFile::new().expect("a temporary file can be made");
        std::fs::write(certificate.path(), made.cert.pem()).expect("a temporary file can be written");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .expect("the certificate fits its key");
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: Arc::new(certificate) }
    }
}

impl Tls {
    /// The server's side.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The file of the certificate, in PEM.
    pub fn certificate(&self) -> &Path {
        self.certificate.path()
    }

    /// Listens on a free port of 127.0.0.1, passes what comes over TLS on to `endpoint` (`http://HOST:PORT`), and returns
    /// the URL of that port.
    pub async fn in_front_of(&self, endpoint: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("https://{}", listener.local_addr().expect("a listener has an address"));
        let (acceptor, engine) = (self.acceptor(), endpoint.trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, engine) = (acceptor.clone(), engine.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends the handshake.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut engine = TcpStream::connect(&engine).await.expect("the engine listens");
                    let _ = copy_bidirectional(&mut client, &mut engine).await;
                });
            }
        });
        url
    }
}
