//! The FFCE container of an encrypted backup.

use std::fmt;

/// The four bytes that every envelope starts with.
pub const MAGIC: [u8; 4] = *b"FFCE";

/// The only version of the format.
pub const VERSION: u8 = 1;

/// The bytes of the header, after which the ciphertext begins.
pub const HEADER_LENGTH: usize = 37;

/// The most bytes of plaintext, and so of ciphertext, that the firmware uploads: 512 KiB.
pub const MAX_PLAINTEXT_LENGTH: usize = 524_288;

/// The most bytes of a whole envelope.
pub const MAX_LENGTH: usize = HEADER_LENGTH + MAX_PLAINTEXT_LENGTH;

/// An AES-256-GCM ciphertext in its FFCE container, borrowed from the bytes it came in.
///
/// | offset | bytes | field                                            |
/// |-------:|------:|--------------------------------------------------|
/// |      0 |     4 | magic, [`MAGIC`]                                 |
/// |      4 |     1 | version, [`VERSION`]                             |
/// |      5 |    12 | GCM nonce                                        |
/// |     17 |     4 | plaintext length N in bytes, u32 little-endian   |
/// |     21 |    16 | GCM tag                                          |
/// |     37 |     N | ciphertext                                       |
///
/// There is no additional authenticated data, N may be 0, and nothing follows the ciphertext. Only the device
/// holds the key, so the tag is not verified here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    bytes: &'a [u8],
    nonce: &'a [u8; 12],
    tag: &'a [u8; 16],
    ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Parses all of `bytes` as one envelope.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Empty`] if there are no bytes; [`EnvelopeError::TooLarge`] if they are more than
    /// [`MAX_PLAINTEXT_LENGTH`] and not a well-formed envelope of at most [`MAX_LENGTH`]; otherwise the error of the
    /// first field that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let length = bytes.len();
        match Self::parse_any_length(bytes) {
            Ok(envelope) if length <= MAX_LENGTH => Ok(envelope),
            _ if length > MAX_PLAINTEXT_LENGTH => Err(EnvelopeError::TooLarge { length }),
            judged => judged,
        }
    }

    fn parse_any_length(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        if bytes.is_empty() {
            return Err(EnvelopeError::Empty);
        }
        let truncated = EnvelopeError::Truncated { length: bytes.len() };
        let (magic, rest) = bytes.split_first_chunk().ok_or(truncated)?;
        if *magic != MAGIC {
            return Err(EnvelopeError::BadMagic);
        }
        let (&version, rest) = rest.split_first().ok_or(truncated)?;
        if version != VERSION {
            return Err(EnvelopeError::UnsupportedVersion { version });
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(truncated)?;
        let (declared, rest) = rest.split_first_chunk().ok_or(truncated)?;
        let (tag, ciphertext) = rest.split_first_chunk().ok_or(truncated)?;
        let declared = u32::from_le_bytes(*declared);
        if usize::try_from(declared) != Ok(ciphertext.len()) {
            return Err(EnvelopeError::LengthMismatch { declared, actual: ciphertext.len() });
        }
        Ok(Self { bytes, nonce, tag, ciphertext })
    }

    /// Returns the bytes of the envelope that has these parts.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::TooLarge`] with the length the envelope would have, if `ciphertext` is longer than
    /// [`MAX_PLAINTEXT_LENGTH`].
    pub fn write(nonce: &[u8; 12], tag: &[u8; 16], ciphertext: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let length = HEADER_LENGTH.saturating_add(ciphertext.len());
        let declared = match u32::try_from(ciphertext.len()) {
            Ok(declared) if length <= MAX_LENGTH => declared,
            _ => return Err(EnvelopeError::TooLarge { length }),
        };
        Ok([&MAGIC, [VERSION].as_slice(), nonce, &declared.to_le_bytes(), tag, ciphertext].concat())
    }

    /// Returns the whole envelope.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the GCM nonce.
    #[must_use]
    pub const fn nonce(&self) -> &'a [u8; 12] {
        self.nonce
    }

    /// Returns the GCM tag.
    #[must_use]
    pub const fn tag(&self) -> &'a [u8; 16] {
        self.tag
    }

    /// Returns the ciphertext, which is as long as the plaintext.
    #[must_use]
    pub const fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }
}

/// Shows only the length: backup content is not for logs.
impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} bytes)", self.bytes.len())
    }
}

/// The reason why bytes are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// There are no bytes.
    #[error("the envelope is empty")]
    Empty,
    /// There are more than [`MAX_PLAINTEXT_LENGTH`] bytes, and they are not an envelope of at most [`MAX_LENGTH`].
    #[error(
        "{length} bytes are more than {MAX_PLAINTEXT_LENGTH} and not one complete, well-formed envelope of at most \
         {MAX_LENGTH}"
    )]
    TooLarge {
        /// The number of bytes that there are, or that would be written.
        length: usize,
    },
    /// The bytes end within the header.
    #[error("the envelope ends after {length} bytes, within its header of {HEADER_LENGTH}")]
    Truncated {
        /// The number of bytes that there are.
        length: usize,
    },
    /// The bytes do not start with [`MAGIC`].
    #[error("the envelope does not start with FFCE")]
    BadMagic,
    /// The version is not [`VERSION`].
    #[error("the envelope has version {version}, not {VERSION}")]
    UnsupportedVersion {
        /// The version byte as it was sent.
        version: u8,
    },
    /// The length field differs from the number of bytes after the header.
    #[error("the envelope declares {declared} bytes of ciphertext and carries {actual}")]
    LengthMismatch {
        /// The value of the length field, in bytes.
        declared: u32,
        /// The number of bytes after the header.
        actual: usize,
    },
}
