//! JSON Web Key Sets (RFC 7517), of which API Gateway uses the RSA keys.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::Value;

/// The longest wait for a key set.
const FETCH_DEADLINE: Duration = Duration::from_secs(10);

/// The largest key set that is read, in bytes.
const MAX_LENGTH: usize = 1024 * 1024;

/// The reason for which there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not an absolute `http` or `https` URL.
    #[error("{0:?} is not an http or https URL")]
    BadUrl(String),
    /// The URL does not answer, or not with 200.
    #[error("cannot fetch the JSON Web Key Set at {url}: {reason}")]
    Unreachable {
        /// The URL.
        url: Url,
        /// The reason.
        reason: String,
    },
    /// The text is not a key set, or the set has no key that can be used.
    #[error("{source_name} is not a usable JSON Web Key Set: {reason}")]
    Malformed {
        /// The origin of the text.
        source_name: String,
        /// The reason.
        reason: String,
    },
}

/// A member of a key set. Members of other kinds of keys are ignored.
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
pub(crate) struct PublicKey {
    /// The key.
    pub(crate) key: DecodingKey,
    /// The only algorithm that it is meant for, such as `RS256`, if the set names one.
    pub(crate) algorithm: Option<String>,
}

/// RSA signature keys by key id.
#[derive(Debug, Clone)]
pub struct KeySet(HashMap<String, PublicKey>);

impl KeySet {
    /// Reads the keys for RSA signatures that have an id; all others are left out. `source_name` names the set in errors.
    ///
    /// # Errors
    /// [`KeySetError::Malformed`].
    pub fn parse(source_name: &str, json: &Value) -> Result<Self, KeySetError> {
        let malformed =
            |reason: &str| KeySetError::Malformed { source_name: source_name.to_owned(), reason: reason.to_owned() };
        let members = json.get("keys").and_then(Value::as_array);
        let members = members.ok_or_else(|| malformed("it has no array \"keys\""))?;
        let keys: HashMap<_, _> = members.iter().filter_map(rsa_signature_key).collect();
        if keys.is_empty() { Err(malformed("it has no RSA signature key with a key id")) } else { Ok(Self(keys)) }
    }

    pub(crate) fn get(&self, key_id: &str) -> Option<&PublicKey> {
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

/// The URL of a key set, and the client that fetches it.
#[derive(Debug)]
pub(crate) struct KeySetUrl {
    client: Client,
    url: Url,
}

impl KeySetUrl {
    pub(crate) fn new(url: &str) -> Result<Self, KeySetError> {
        let bad_url = || KeySetError::BadUrl(url.to_owned());
        let url = Url::parse(url).map_err(|_| bad_url())?;
        // A process can install one provider once; all of this workspace install the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(FETCH_DEADLINE).redirect(reqwest::redirect::Policy::none());
        // A proxy of the environment does not reach this machine's own interface.
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        let client = match url.scheme() {
            "https" => client,
            // Certificates are not looked at, and need not be installed.
            "http" => client.tls_certs_only([]),
            _ => return Err(bad_url()),
        };
        let client = client.build().map_err(|error| no_answer(&url, &error))?;
        Ok(Self { client, url })
    }

    pub(crate) async fn fetch(&self) -> Result<KeySet, KeySetError> {
        let body = self.body().await?;
        let source_name = self.url.to_string();
        match serde_json::from_slice(&body) {
            Ok(json) => KeySet::parse(&source_name, &json),
            Err(error) => Err(KeySetError::Malformed { source_name, reason: error.to_string() }),
        }
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

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The error with its innermost cause: "Connection refused" rather than "error sending request".
fn no_answer(url: &Url, error: &reqwest::Error) -> KeySetError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    KeySetError::Unreachable { url: url.clone(), reason: cause.to_string() }
}
