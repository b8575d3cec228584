//! JSON Web Key Sets (RFC 7517), of which API Gateway uses the RSA keys.

use std::collections::HashMap;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;

/// How long a key set may take to arrive.
const FETCH_DEADLINE: Duration = Duration::from_secs(10);

/// The largest key set that is read, in bytes.
const MAX_LENGTH: usize = 1024 * 1024;

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not an absolute `http` or `https` URL.
    #[error("{0:?} is not an http or https URL")]
    BadUrl(String),
    /// The URL gives no answer, or another one than 200.
    #[error("cannot fetch the JSON Web Key Set at {url}: {reason}")]
    Unreachable {
        /// The URL.
        url: Url,
        /// What happened.
        reason: String,
    },
    /// What came is no key set, or one without a key that can be used.
    #[error("{source_name} is not a usable JSON Web Key Set: {reason}")]
    Malformed {
        /// Where it came from.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A member of a key set. What other kinds of keys have besides is ignored.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// A public RSA key.
#[derive(Debug, Clone)]
pub(super) struct PublicKey {
    /// What verifies with it.
    pub(super) key: DecodingKey,
    /// The only algorithm it is meant for, such as `RS256`, if the key says so.
    pub(super) algorithm: Option<String>,
}

/// RSA signature keys by key id.
#[derive(Debug, Clone)]
pub(super) struct KeySet(HashMap<String, PublicKey>);

impl KeySet {
    /// The keys for RSA signatures that have an id; all others are left out.
    pub(super) fn parse(json: &Value) -> Result<Self, &'static str> {
        let members = json.get("keys").and_then(Value::as_array).ok_or("it has no array \"keys\"")?;
        let keys: HashMap<_, _> = members.iter().filter_map(rsa_signature_key).collect();
        if keys.is_empty() { Err("it has no RSA signature key with a key id") } else { Ok(Self(keys)) }
    }

    pub(super) fn get(&self, key_id: &str) -> Option<&PublicKey> {
        self.0.get(key_id)
    }
}

fn rsa_signature_key(member: &Value) -> Option<(String, PublicKey)> {
    let Key { kty, kid, usage, alg, n, e } = Key::deserialize(member).ok()?;
    if kty != "RSA" || usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let key = DecodingKey::from_rsa_components(&n?, &e?).ok()?;
    Some((kid?, PublicKey { key, algorithm: alg }))
}

/// Where a key set is fetched from.
#[derive(Debug)]
pub(super) struct KeySetUrl {
    client: Client,
    url: Url,
}

impl KeySetUrl {
    pub(super) fn new(url: &str) -> Result<Self, KeySetError> {
        let bad_url = || KeySetError::BadUrl(url.to_owned());
        let url = Url::parse(url).map_err(|_| bad_url())?;
        // The provider can be installed once in a process; whoever was first chose the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(FETCH_DEADLINE).redirect(reqwest::redirect::Policy::none());
        let client = match url.scheme() {
            "https" => client,
            // No certificate is looked at, so none has to be installed.
            "http" => client.tls_certs_only([]),
            _ => return Err(bad_url()),
        };
        let client = client.build().map_err(|error| no_answer(&url, &error))?;
        Ok(Self { client, url })
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, KeySetError> {
        let body = self.body().await?;
        let malformed = |reason: String| KeySetError::Malformed { source_name: self.url.to_string(), reason };
        let json: Value = serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
        KeySet::parse(&json).map_err(|reason| malformed(reason.to_owned()))
    }

    async fn body(&self) -> Result<Vec<u8>, KeySetError> {
        let failed = |error: reqwest::Error| no_answer(&self.url, &error);
        let refused = |reason: String| KeySetError::Unreachable { url: self.url.clone(), reason };
        let mut response = self.client.get(self.url.clone()).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(refused(format!("it answers {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_LENGTH {
                return Err(refused(format!("it is longer than {MAX_LENGTH} bytes")));
            }
        }
        Ok(body)
    }
}

/// The innermost cause says it best: "Connection refused" rather than "error sending request".
fn no_answer(url: &Url, error: &reqwest::Error) -> KeySetError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    KeySetError::Unreachable { url: url.clone(), reason: cause.to_string() }
}
