//! The two variables of a balena device: `AWS_CERT` and `AWS_PRIVATE_KEY`.
//!
//! A value is the standard Base64 (RFC 4648 §4, padded) of a PEM text with its line breaks: balena allows none in a
//! value.

use base64::{Engine, prelude::BASE64_STANDARD};
use p256::{SecretKey, pkcs8::DecodePrivateKey};
use x509_cert::{
    der::{
        Any, Decode, Encode, Reader, SliceReader,
        asn1::{BitString, ObjectIdentifier, UintRef},
    },
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
};
use zeroize::Zeroizing;

use super::{
    certificate::{CertificateId, CertificatePem, PublicKeyDigest},
    pem,
};
use crate::device::DevicePublicKey;

/// The most characters of a value that balena takes (open-balena-api 49, `device_environment_variable`).
const MAX_LENGTH: usize = 100_000;

/// rsaEncryption (RFC 8017, appendix A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A variable that a balena device connects with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// The certificate.
    Certificate,
    /// The private key.
    PrivateKey,
}

impl Variable {
    /// Returns the variable's name, which the client reads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certificate => "AWS_CERT",
            Self::PrivateKey => "AWS_PRIVATE_KEY",
        }
    }

    /// Returns the value for a PEM text.
    #[must_use]
    pub fn value(pem: &str) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(pem))
    }
}

/// The value of a variable, as far as it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<T> {
    /// The variable does not exist.
    Absent,
    /// The variable holds a text that is not of this kind.
    Unreadable,
    /// The variable holds this.
    Of(T),
}

/// Both variables of one scope. The private key itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variables {
    /// The certificate's id and the digest of its public key.
    pub certificate: Value<(CertificateId, PublicKeyDigest)>,
    /// The digest of the private key's public half.
    pub key: Value<PublicKeyDigest>,
}

impl Variables {
    /// Neither variable exists.
    pub const ABSENT: Self = Self { certificate: Value::Absent, key: Value::Absent };

    /// Judges the values of both variables, `None` for an absent one.
    #[must_use]
    pub fn read(certificate: Option<&str>, key: Option<&str>) -> Self {
        Self { certificate: judge(certificate, certificate_of), key: judge(key, public_half) }
    }

    /// Returns the certificate and its key's digest if the variables are a pair: the key is the certificate's.
    #[must_use]
    pub fn pair(&self) -> Option<(CertificateId, PublicKeyDigest)> {
        match (self.certificate, self.key) {
            (Value::Of((id, of_certificate)), Value::Of(key)) if of_certificate == key => Some((id, key)),
            _ => None,
        }
    }
}

fn judge<T>(value: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Value<T> {
    let Some(value) = value else { return Value::Absent };
    let text = || {
        let bytes = (value.len() <= MAX_LENGTH).then(|| BASE64_STANDARD.decode(value).map(Zeroizing::new))?.ok()?;
        parse(str::from_utf8(&bytes).ok()?)
    };
    text().map_or(Value::Unreadable, Value::Of)
}

fn certificate_of(text: &str) -> Option<(CertificateId, PublicKeyDigest)> {
    let certificate = CertificatePem::parse(text).ok()?;
    Some((certificate.id(), certificate.key()))
}

/// Returns the digest of the public half of a private key in PEM: P-256 in PKCS#8, or RSA in PKCS#1.
///
/// AWS makes keys of the second kind (`CreateKeysAndCertificate`): devices that were provisioned with one are adopted.
fn public_half(text: &str) -> Option<PublicKeyDigest> {
    if let Some(der) = pem::decode(text, "PRIVATE KEY") {
        let public = SecretKey::from_pkcs8_der(&der).ok()?.public_key();
        return Some(PublicKeyDigest::of(&DevicePublicKey::from_p256(public)));
    }
    rsa_public_half(&pem::decode(text, "RSA PRIVATE KEY")?)
}

/// Reads version, modulus and public exponent of an `RSAPrivateKey` (RFC 8017, appendix A.1.2).
fn rsa_public_half(der: &[u8]) -> Option<PublicKeyDigest> {
    let mut reader = SliceReader::new(der).ok()?;
    let public: Vec<u8> = reader
        .sequence(|reader| {
            let _version = u8::decode(reader)?;
            let public = [UintRef::decode(reader)?.to_der()?, UintRef::decode(reader)?.to_der()?].concat();
            while !reader.is_finished() {
                UintRef::decode(reader)?;
            }
            Ok::<_, x509_cert::der::Error>(public)
        })
        .ok()?;
    reader.finish().ok()?;
    let spki = SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid: RSA_ENCRYPTION, parameters: Some(Any::null()) },
        subject_public_key: BitString::from_bytes(&sequence(&public)?).ok()?,
    };
    Some(PublicKeyDigest::of_spki(&spki.to_der().ok()?))
}

/// Returns `content` as a SEQUENCE in DER.
fn sequence(content: &[u8]) -> Option<Vec<u8>> {
    Any::new(x509_cert::der::Tag::Sequence, content).ok()?.to_der().ok()
}
