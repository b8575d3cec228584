//! Certificate signing requests.

use std::fmt;

use x509_cert::{
    der::{Decode, Encode, asn1::ObjectIdentifier},
    request::CertReq,
};

use super::pem;
use crate::{device::DevicePublicKey, signature::Signature};

/// id-ecPublicKey (RFC 5480 §2.1.1).
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1 (RFC 5480 §2.1.1.1).
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// ecdsa-with-SHA256 (RFC 5758 §3.2).
pub(super) const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// A PKCS#10 request (RFC 2986) for a P-256 key, whose holder signed it with ECDSA and SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    pem: String,
    key: DevicePublicKey,
}

impl CertificateRequest {
    /// The label of the PEM block.
    pub const LABEL: &str = "CERTIFICATE REQUEST";

    /// The most bytes of the PEM: AWS IoT's own limit (`CreateCertificateFromCsr`).
    pub const MAX_LENGTH: usize = 4_096;

    /// Parses one PEM block and verifies its signature.
    ///
    /// # Errors
    ///
    /// [`CertificateRequestError`], in the order of its variants.
    pub fn parse(text: &str) -> Result<Self, CertificateRequestError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(CertificateRequestError::TooLarge { length: text.len() });
        }
        let der = pem::decode(text, Self::LABEL).ok_or(CertificateRequestError::NotPem)?;
        let request = CertReq::from_der(&der).map_err(|_| CertificateRequestError::NotPkcs10)?;
        // The signature is over the bytes that were sent: what is written again has to be the same.
        let signed = request.info.to_der().map_err(|_| CertificateRequestError::NotPkcs10)?;
        if request.to_der().ok().as_deref() != Some(der.as_slice()) {
            return Err(CertificateRequestError::NotPkcs10);
        }
        let key = p256_key(&request).ok_or(CertificateRequestError::NotP256)?;
        let algorithm = &request.algorithm;
        if algorithm.oid != ECDSA_WITH_SHA256 || algorithm.parameters.is_some() {
            return Err(CertificateRequestError::NotEcdsaWithSha256);
        }
        let signature = request.signature.as_bytes().unwrap_or_default();
        let signature = Signature::from_der(signature).map_err(|_| CertificateRequestError::BadSignature)?;
        key.verify(&signed, &signature).map_err(|_| CertificateRequestError::BadSignature)?;
        Ok(Self { pem: text.to_owned(), key })
    }

    /// Returns the PEM.
    #[must_use]
    pub fn as_pem(&self) -> &str {
        &self.pem
    }

    /// Returns the public key that a certificate is asked for.
    #[must_use]
    pub const fn key(&self) -> &DevicePublicKey {
        &self.key
    }

    /// Proves that the request is for the key of a registered device.
    ///
    /// The signature of a device's HTTP request does not cover the body: without this check, whoever changes the body
    /// on its way gets the device's certificate.
    ///
    /// # Errors
    ///
    /// [`AnotherKey`] if it is for any other key.
    pub fn for_registered(self, registered: &DevicePublicKey) -> Result<RegisteredKeyRequest, AnotherKey> {
        if self.key == *registered { Ok(RegisteredKeyRequest { request: self }) } else { Err(AnotherKey) }
    }
}

/// Returns the request's key if it is a P-256 point in the uncompressed form.
fn p256_key(request: &CertReq) -> Option<DevicePublicKey> {
    let spki = &request.info.public_key;
    let curve: ObjectIdentifier = spki.algorithm.parameters.as_ref()?.decode_as().ok()?;
    if spki.algorithm.oid != EC_PUBLIC_KEY || curve != P256 {
        return None;
    }
    DevicePublicKey::from_sec1(spki.subject_public_key.as_bytes()?)
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateRequest({:?})", self.key)
    }
}

/// Evidence that a request is for the key of a registered device; [`CertificateRequest::for_registered`] alone makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredKeyRequest {
    request: CertificateRequest,
}

impl RegisteredKeyRequest {
    /// Returns the request.
    #[must_use]
    pub const fn request(&self) -> &CertificateRequest {
        &self.request
    }
}

/// The reason why a text is not a certificate signing request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRequestError {
    /// The text is longer than [`CertificateRequest::MAX_LENGTH`].
    #[error("the request of {length} bytes is larger than {}", CertificateRequest::MAX_LENGTH)]
    TooLarge {
        /// The text's length in bytes.
        length: usize,
    },
    /// The text is not exactly one PEM block with the label of a request.
    #[error("not one PEM block labelled CERTIFICATE REQUEST")]
    NotPem,
    /// The block does not hold a request in DER.
    #[error("not a PKCS#10 request in DER")]
    NotPkcs10,
    /// The request is not for a P-256 key in the uncompressed form.
    #[error("not for a P-256 key in the uncompressed form")]
    NotP256,
    /// The request is signed with another algorithm.
    #[error("not signed with ECDSA and SHA-256")]
    NotEcdsaWithSha256,
    /// The signature is not that of the request's key.
    #[error("the request's signature does not verify")]
    BadSignature,
}

/// A request is not for the key of the registered device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not for the registered public key")]
pub struct AnotherKey;
