//! The credentials of one run of the emulators.

use std::collections::BTreeMap;

/// The secret access key and session token of all who may call the emulators of one run. They are drawn at its start; the
/// access key id tells the principals apart.
#[derive(Clone)]
pub struct Credentials {
    secret_access_key: String,
    session_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Draws 256 bits for each from the operating system's generator, written as 64 hexadecimal digits, which need no
    /// quotes in a URL or a shell.
    #[must_use]
    pub fn generate() -> Self {
        let draw = || -> String { rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect() };
        Self { secret_access_key: draw(), session_token: draw() }
    }

    /// The secret access key.
    #[must_use]
    pub fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    /// The session token.
    #[must_use]
    pub fn session_token(&self) -> &str {
        &self.session_token
    }

    /// The credentials of the principal with this access key id, as the environment variables of AWS's SDKs.
    #[must_use]
    pub fn environment(&self, access_key_id: &str) -> BTreeMap<String, String> {
        [
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_SESSION_TOKEN", &self.session_token),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}
