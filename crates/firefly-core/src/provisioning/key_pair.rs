//! The key pair that is made for a balena device.

use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer},
    pkcs8::{EncodePrivateKey, LineEnding},
};
use x509_cert::{
    der::{
        Any, Encode, EncodePem, Error,
        asn1::{BitString, SetOfVec},
    },
    name::Name,
    request::{CertReq, CertReqInfo, Version},
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};
use zeroize::Zeroizing;

use super::{
    certificate::PublicKeyDigest,
    name::ThingName,
    request::{CertificateRequest, EC_PUBLIC_KEY, ECDSA_WITH_SHA256, P256},
};
use crate::device::DevicePublicKey;

/// A P-256 key pair and the request for its certificate.
///
/// It has no `Debug`, and its private half is overwritten when it is dropped.
pub struct KeyPair {
    pem: Zeroizing<String>,
    request: CertificateRequest,
}

impl KeyPair {
    /// The random bytes that make a private key.
    pub const LENGTH: usize = 32;

    /// Takes random bytes as the private scalar, big-endian, and signs a request whose subject is `CN=<thing>`.
    ///
    /// Returns `None` if they are not within 1..n, n being the order of the curve: about one draw in 2³² is not.
    /// The caller draws again. The signature is that of RFC 6979 and needs no randomness.
    #[must_use]
    pub fn from_random(bytes: &[u8; Self::LENGTH], thing: &ThingName) -> Option<Self> {
        let secret = SecretKey::from_slice(bytes).ok()?;
        let key = DevicePublicKey::from_p256(secret.public_key());
        let request = signed_request(&SigningKey::from(&secret), &key, thing).ok()?;
        Some(Self {
            pem: secret.to_pkcs8_pem(LineEnding::LF).ok()?,
            request: CertificateRequest::parse(&request).ok()?,
        })
    }

    /// Returns the request for a certificate of the public half.
    #[must_use]
    pub const fn request(&self) -> &CertificateRequest {
        &self.request
    }

    /// Returns the digest of the public half.
    #[must_use]
    pub fn digest(&self) -> PublicKeyDigest {
        PublicKeyDigest::of(self.request.key())
    }

    /// Returns the private half as PKCS#8 (RFC 5208) in PEM. It goes into the device's variable and nowhere else.
    #[must_use]
    pub fn private_key_pem(&self) -> &str {
        &self.pem
    }
}

fn signed_request(signer: &SigningKey, key: &DevicePublicKey, thing: &ThingName) -> Result<String, Error> {
    let info = CertReqInfo {
        version: Version::V1,
        subject: format!("CN={thing}").parse::<Name>()?,
        public_key: SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid: EC_PUBLIC_KEY, parameters: Some(Any::encode_from(&P256)?) },
            subject_public_key: BitString::from_bytes(&key.to_sec1())?,
        },
        attributes: SetOfVec::new(),
    };
    let signature: Signature = signer.sign(&info.to_der()?);
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None },
        signature: BitString::from_bytes(signature.to_der().as_bytes())?,
    };
    request.to_pem(LineEnding::LF)
}
