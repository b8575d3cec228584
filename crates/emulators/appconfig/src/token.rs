//! The tokens between polls.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The content of a token: a profile, and the text of it that was sent last.
#[derive(Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) application: String,
    pub(crate) profile: String,
    pub(crate) last: Option<String>,
}

impl Token {
    /// Writes the token as a client gets it: JSON in Base64 for URLs.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a token of a client; `None` for any other text, such as the same JSON with white space.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let token: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (token.encode() == text).then_some(token)
    }

    /// Reads the profile; `None` where there is no such file, or a name has other characters than letters, digits and `-`.
    pub(crate) fn read(&self, dir: &Path) -> Option<String> {
        let plain = |name: &str| name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
        if !plain(&self.application) || !plain(&self.profile) {
            return None;
        }
        let file = format!("{}.json", self.profile);
        let own = std::fs::read_to_string(dir.join(&self.application).join(&file));
        own.or_else(|_| std::fs::read_to_string(dir.join(file))).ok()
    }
}
