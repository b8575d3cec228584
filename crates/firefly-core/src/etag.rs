//! The entity tag that a device gives its backup.

use std::{fmt, str::FromStr};

use crate::hex;

/// A backup's entity tag: the SHA-256 of the plaintext, which only the device can compute.
///
/// The cloud keeps it, returns it and compares it. It proves nothing about the envelope that it came with.
///
/// It parses from 64 hex digits of any case, bare or in one pair of double quotes (RFC 9110 §8.8.3, strong tags
/// only).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ETag([u8; 32]);

impl ETag {
    /// Takes the SHA-256 of a plaintext as its tag.
    #[must_use]
    pub const fn from_digest(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Returns 64 lower-case hex digits, the form that is stored.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.to_string()
    }

    /// Returns `"<64 lower-case hex digits>"` with its double quotes, the form of an `ETag` header.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write_lower(f, &self.0)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({self})")
    }
}

impl FromStr for ETag {
    type Err = ETagError;

    fn from_str(text: &str) -> Result<Self, ETagError> {
        let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        hex::decode(digits).map(Self).ok_or(ETagError)
    }
}

/// The text is not an entity tag of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hex digits, bare or in double quotes")]
pub struct ETagError;

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn bare_and_quoted_in_any_case_are_the_same_tag() {
        let tag: ETag = HEX.parse().unwrap();
        assert_eq!(tag.to_hex(), HEX);
        assert_eq!(tag.quoted(), format!("\"{HEX}\""));
        for text in [tag.quoted(), HEX.to_uppercase(), format!("\"{}\"", HEX.to_uppercase())] {
            assert_eq!(text.parse(), Ok(tag), "{text}");
        }
    }

    #[test]
    fn a_digest_is_written_in_hex() {
        assert_eq!(ETag::from_digest([0xAB; 32]).to_hex(), "ab".repeat(32));
    }

    #[test]
    fn any_other_form_is_refused() {
        for text in [
            String::new(),
            "\"".to_owned(),
            "\"\"".to_owned(),
            "*".to_owned(),
            format!("W/\"{HEX}\""),
            format!("\"{HEX}"),
            format!("{HEX}\""),
            format!("\"\"{HEX}\"\""),
            format!("'{HEX}'"),
            format!(" {HEX}"),
            format!("\"{HEX}\", \"{HEX}\""),
            format!("{HEX}0"),
            format!("{HEX}00"),
            HEX.replace('e', "g"),
            HEX.replace("e3", "é"),
            HEX.replacen('e', "+", 1),
        ] {
            assert_eq!(text.parse::<ETag>(), Err(ETagError), "{text}");
        }
    }
}
