//! Certificates in PEM, their ids, and digests of public keys.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, digest};
use x509_cert::{
    Certificate,
    der::{Decode, Encode},
};

use super::{name::decode_lower, pem};
use crate::{device::DevicePublicKey, hex};

/// Returns the SHA-256 of `bytes`.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// The id that AWS IoT gives a certificate: the SHA-256 of its DER, 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId([u8; 32]);

impl CertificateId {
    /// Takes the SHA-256 of a certificate's DER.
    #[must_use]
    pub const fn from_digest(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

impl FromStr for CertificateId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        decode_lower(text).map(Self).ok_or(DigestError)
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write_lower(f, &self.0)
    }
}

impl fmt::Debug for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateId({self})")
    }
}

/// The SHA-256 of a public key's `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1.2.7), 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyDigest([u8; 32]);

impl PublicKeyDigest {
    /// Takes the SHA-256 of a `SubjectPublicKeyInfo`.
    #[must_use]
    pub const fn from_digest(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Returns the digest of a `SubjectPublicKeyInfo` in DER.
    pub(super) fn of_spki(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// Returns the digest of a P-256 key.
    #[must_use]
    pub fn of(key: &DevicePublicKey) -> Self {
        /// The DER before the uncompressed point: id-ecPublicKey, prime256v1, a BIT STRING of 65 bytes (RFC 5480 §2).
        const PREFIX: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        Self::of_spki(&[PREFIX.as_slice(), &key.to_sec1()].concat())
    }
}

impl FromStr for PublicKeyDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        decode_lower(text).map(Self).ok_or(DigestError)
    }
}

impl fmt::Display for PublicKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write_lower(f, &self.0)
    }
}

impl fmt::Debug for PublicKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeyDigest({self})")
    }
}

/// The text is not a [`CertificateId`] or a [`PublicKeyDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 lower-case hex digits")]
pub struct DigestError;

/// An X.509 certificate in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificatePem {
    text: String,
    id: CertificateId,
    key: PublicKeyDigest,
}

impl CertificatePem {
    /// The most bytes of the PEM. Those of AWS have about 1.5 KB.
    pub const MAX_LENGTH: usize = 16_384;

    /// Parses one PEM block labelled `CERTIFICATE`. Its signature and validity are not judged.
    ///
    /// # Errors
    ///
    /// [`CertificatePemError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, CertificatePemError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(CertificatePemError);
        }
        let der = pem::decode(text, "CERTIFICATE").ok_or(CertificatePemError)?;
        let certificate = Certificate::from_der(&der).map_err(|_| CertificatePemError)?;
        let key = certificate.tbs_certificate().subject_public_key_info().to_der().map_err(|_| CertificatePemError)?;
        Ok(Self { text: text.to_owned(), id: CertificateId(sha256(&der)), key: PublicKeyDigest::of_spki(&key) })
    }

    /// Returns the text as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the SHA-256 of the certificate's DER.
    #[must_use]
    pub const fn id(&self) -> CertificateId {
        self.id
    }

    /// Returns the digest of the certificate's public key.
    #[must_use]
    pub const fn key(&self) -> PublicKeyDigest {
        self.key
    }

    /// Compares the certificate with the id that it came with and with the key that it was asked for.
    ///
    /// # Errors
    ///
    /// [`CertificateMismatch`], the id judged first.
    pub fn check(self, id: CertificateId, key: PublicKeyDigest) -> Result<CheckedCertificate, CertificateMismatch> {
        if self.id != id {
            return Err(CertificateMismatch::AnotherCertificate);
        }
        if self.key == key { Ok(CheckedCertificate(self)) } else { Err(CertificateMismatch::AnotherKey) }
    }
}

impl fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificatePem({})", self.id)
    }
}

/// Evidence that a certificate has its id and is for the key that it was asked for. Only [`CertificatePem::check`]
/// makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedCertificate(CertificatePem);

impl CheckedCertificate {
    /// Returns the certificate.
    #[must_use]
    pub const fn pem(&self) -> &CertificatePem {
        &self.0
    }

    /// Takes the certificate.
    #[must_use]
    pub fn into_pem(self) -> CertificatePem {
        self.0
    }
}

/// The text is not a certificate in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one X.509 certificate in PEM")]
pub struct CertificatePemError;

/// The reason why a certificate is not the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateMismatch {
    /// The SHA-256 of the DER is not the id.
    #[error("the certificate does not have the id that it came with")]
    AnotherCertificate,
    /// The certificate is for another public key.
    #[error("the certificate is for another public key")]
    AnotherKey,
}
