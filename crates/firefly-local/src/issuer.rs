//! The developer issuer, which signs the tokens of users on a machine without Cognito.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use firefly_core::time::UnixSeconds;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::data_dir::OTHERS;

/// The claim `iss` of the issuer's tokens. It does not depend on an address, so that a token is good for every local cloud
/// that shares the signing key.
pub const ISSUER: &str = "https://firefly.local";

/// The claim `aud` of the issuer's tokens.
pub const AUDIENCE: &str = "firefly-local";

/// The signing key's file in the data directory: PKCS#8 in PEM, for its owner alone.
const KEY_FILE: &str = "jwt-signing-key.pem";

/// Length of the RSA key in bits, as Cognito's.
const KEY_BITS: usize = 2048;

/// The reason for which there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file does not hold an RSA private key.
    #[error("{} is broken: {reason}; remove it to have a new key made", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Other users of the machine may read or replace the file.
    #[error("others may have read {} (mode {mode:03o}); remove it to have a new key made", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A key could not be made or used.
    #[error("cannot sign tokens: {0}")]
    Crypto(String),
}

impl SigningKeyError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The user that a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: the user's id.
    pub sub: String,
    /// `email`.
    pub email: Option<String>,
    /// `cognito:groups`; the claim is absent when there are none.
    pub groups: Vec<String>,
}

/// The claims of an ID token as Cognito writes them.
#[derive(Serialize)]
struct IdToken<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(rename = "cognito:groups", skip_serializing_if = "<[String]>::is_empty")]
    groups: &'a [String],
    #[serde(rename = "cognito:username")]
    username: &'a str,
    iss: &'static str,
    aud: &'static str,
    token_use: &'static str,
    iat: u64,
    exp: u64,
}

/// Signs tokens with a key that is made once per data directory.
pub struct DeveloperIssuer {
    key: EncodingKey,
    key_id: String,
    key_set: Value,
}

impl std::fmt::Debug for DeveloperIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeveloperIssuer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl DeveloperIssuer {
    /// The issuer of a data directory. Makes the directory and the key if need be; of several processes that do so
    /// at once, one makes the key of all.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn open(data_dir: &Path) -> Result<Self, SigningKeyError> {
        let path = data_dir.join(KEY_FILE);
        if !path.try_exists().map_err(SigningKeyError::io(&path))? {
            make_key(data_dir, &path)?;
        }
        let mode = fs::metadata(&path).map_err(SigningKeyError::io(&path))?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(SigningKeyError::Exposed { path, mode });
        }
        let pem = fs::read_to_string(&path).map_err(SigningKeyError::io(&path));
        let pem = pem.map_err(|error| match error {
            SigningKeyError::Io { path, source } if source.kind() == io::ErrorKind::InvalidData => {
                SigningKeyError::Broken { path, reason: "it is not text".to_owned() }
            }
            other => other,
        })?;
        Self::from_pem(&pem).map_err(|reason| SigningKeyError::Broken { path, reason })
    }

    fn from_pem(pem: &str) -> Result<Self, String> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|error| error.to_string())?;
        key.validate().map_err(|error| error.to_string())?;
        let (n, e) = (BASE64URL.encode(key.n().to_bytes_be()), BASE64URL.encode(key.e().to_bytes_be()));
        // The thumbprint of RFC 7638: the required members in this order, without white space.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let key_id = BASE64URL.encode(thumbprint);
        let public = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": n, "e": e});
        Ok(Self {
            key: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| error.to_string())?,
            key_id,
            key_set: json!({"keys": [public]}),
        })
    }

    /// The issuer's JSON Web Key Set (RFC 7517): its one public key.
    #[must_use]
    pub const fn jwks(&self) -> &Value {
        &self.key_set
    }

    /// An ID token issued at `now` that is good for `lifetime` seconds.
    ///
    /// # Errors
    /// [`SigningKeyError::Crypto`].
    pub fn token(&self, identity: &Identity, now: UnixSeconds, lifetime: u64) -> Result<String, SigningKeyError> {
        let claims = IdToken {
            sub: &identity.sub,
            email: identity.email.as_deref(),
            groups: &identity.groups,
            username: &identity.sub,
            iss: ISSUER,
            aud: AUDIENCE,
            token_use: "id",
            iat: now.get(),
            exp: now.saturating_add(lifetime).get(),
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|error| SigningKeyError::Crypto(error.to_string()))
    }
}

/// Makes a key and puts it in `path`, unless another process has done so first: the link to a complete file is made
/// only if there is nothing of that name.
fn make_key(data_dir: &Path, path: &Path) -> Result<(), SigningKeyError> {
    let crypto = |error: &dyn std::fmt::Display| SigningKeyError::Crypto(error.to_string());
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS).map_err(|error| crypto(&error))?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| crypto(&error))?;

    let made = DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.map_err(SigningKeyError::io(data_dir))?;
    let temporary = data_dir.join(format!("{KEY_FILE}.{:016x}.tmp", rand::random::<u64>()));
    let linked = write_private(&temporary, pem.as_bytes()).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(SigningKeyError::io(path))?,
    }
    removed.map_err(SigningKeyError::io(&temporary))?;
    fs::File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(SigningKeyError::io(data_dir))
}

/// Writes a new file that only its owner can read from its first moment on.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
