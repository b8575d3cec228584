//! Sealed backups: AES-256-GCM without additional authenticated data, in an FFCE envelope.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use firefly_core::envelope::{Envelope, EnvelopeError};
use firefly_core::etag::ETag;
use sha2::{Digest as _, Sha256};

use crate::identity::Identity;

impl Identity {
    /// Encrypts a configuration into an FFCE envelope. A GCM nonce must never be used twice with one device.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::TooLarge`] if `plaintext` is longer than
    /// [`MAX_PLAINTEXT_LENGTH`](firefly_core::envelope::MAX_PLAINTEXT_LENGTH).
    pub fn seal(&self, plaintext: &[u8], gcm_nonce: &[u8; 12]) -> Result<Vec<u8>, EnvelopeError> {
        let mut ciphertext = plaintext.to_vec();
        let tag = Aes256Gcm::new(self.backup_key().into())
            .encrypt_inout_detached(&Nonce::from(*gcm_nonce), &[], ciphertext.as_mut_slice().into())
            .map_err(|_| EnvelopeError::TooLarge { length: plaintext.len() })?;
        Envelope::write(gcm_nonce, &tag.into(), &ciphertext)
    }

    /// Decrypts an FFCE envelope that this device sealed.
    ///
    /// # Errors
    ///
    /// [`OpenError::Envelope`] when the bytes are not an FFCE envelope, [`OpenError::Unauthentic`] when this device's
    /// key does not open it.
    pub fn open(&self, envelope: &[u8]) -> Result<Vec<u8>, OpenError> {
        let envelope = Envelope::parse(envelope)?;
        let mut plaintext = envelope.ciphertext().to_vec();
        Aes256Gcm::new(self.backup_key().into())
            .decrypt_inout_detached(
                &Nonce::from(*envelope.nonce()),
                &[],
                plaintext.as_mut_slice().into(),
                &Tag::from(*envelope.tag()),
            )
            .map_err(|_| OpenError::Unauthentic)?;
        Ok(plaintext)
    }
}

/// The reason why an envelope could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are not an FFCE envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The GCM tag does not match: another device's key sealed the envelope, or bytes were altered.
    #[error("the envelope was sealed by another device or altered since")]
    Unauthentic,
}

/// Returns the entity tag of a plaintext.
pub fn etag(plaintext: &[u8]) -> ETag {
    ETag::from_digest(Sha256::digest(plaintext).into())
}
