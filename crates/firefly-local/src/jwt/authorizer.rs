//! What API Gateway's JWT authorizer of an HTTP API lets through.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use firefly_core::time::UnixSeconds;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::issuer::{AUDIENCE, DeveloperIssuer, ISSUER};
use super::key_set::{KeySet, KeySetError, KeySetUrl, PublicKey};

/// Seconds between two fetches of a key set for the sake of an unknown key id.
const REFRESH_INTERVAL_SECONDS: u64 = 60;

/// The claims of an accepted token, each as the text that API Gateway passes to the function: strings as they are,
/// numbers in decimal, `true` and `false`, an array as `[a b]`, an object as `map[a:b c:d]`.
pub type Claims = BTreeMap<String, String>;

/// Why a request is not let through. The client is told only that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// There is no `Authorization` header.
    #[error("there is no token")]
    Missing,
    /// What the header holds is no signed token.
    #[error("the token is malformed")]
    Malformed,
    /// Signed with something other than RS256, RS384 or RS512, or with another algorithm than the key is for.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// The token names no key, or one that is not in the key set.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// `iss` is another issuer.
    #[error("the token's issuer is wrong")]
    Issuer,
    /// `aud`, or `client_id` of a token without `aud`, is another audience.
    #[error("the token's audience is wrong")]
    Audience,
    /// `exp` has come, or is no number.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` has not come yet, or is no number.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// Lets through the tokens of one issuer for one audience.
#[derive(Debug)]
pub struct Authorizer {
    issuer: String,
    audience: String,
    keys: RwLock<Arc<KeySet>>,
    /// Where newer keys come from; the developer issuer has only ever one.
    source: Option<KeySource>,
}

#[derive(Debug)]
struct KeySource {
    url: KeySetUrl,
    /// When the keys were last fetched for the sake of an unknown key id.
    refreshed_at: Mutex<Option<UnixSeconds>>,
}

impl Authorizer {
    /// Lets through what the developer issuer signs.
    ///
    /// # Errors
    /// [`KeySetError::Malformed`] if the issuer's key cannot be used.
    pub fn for_developer(issuer: &DeveloperIssuer) -> Result<Self, KeySetError> {
        let keys = KeySet::parse(issuer.jwks()).map_err(|reason| KeySetError::Malformed {
            source_name: "the developer issuer's key".to_owned(),
            reason: reason.to_owned(),
        })?;
        Ok(Self {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            keys: RwLock::new(Arc::new(keys)),
            source: None,
        })
    }

    /// Lets through what any issuer signs with the keys at `jwks_url`. The keys are fetched now, and again when a
    /// token names an unknown one; nothing else ever is, `issuer` is only compared.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub async fn for_jwks_url(issuer: &str, audience: &str, jwks_url: &str) -> Result<Self, KeySetError> {
        let url = KeySetUrl::new(jwks_url)?;
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys: RwLock::new(Arc::new(url.fetch().await?)),
            source: Some(KeySource { url, refreshed_at: Mutex::new(None) }),
        })
    }

    /// Judges the value of a request's `Authorization` header: `Bearer <token>`, the scheme in any case, or the bare
    /// token.
    ///
    /// # Errors
    /// [`Unauthorized`].
    pub async fn authorize(&self, authorization: Option<&str>, now: UnixSeconds) -> Result<Claims, Unauthorized> {
        let token = bearer_token(authorization.ok_or(Unauthorized::Missing)?);
        let header = jsonwebtoken::decode_header(token).map_err(|_| Unauthorized::Malformed)?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512) {
            return Err(Unauthorized::Algorithm);
        }
        // RFC 7515, section 4.1.11: a token with extensions that are not understood is to be rejected.
        if header.crit.is_some() {
            return Err(Unauthorized::Malformed);
        }
        let key = self.key(&header.kid.ok_or(Unauthorized::UnknownKey)?, now).await?;
        if key.algorithm.is_some_and(|only| only != format!("{:?}", header.alg)) {
            return Err(Unauthorized::Algorithm);
        }
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &signature_only(header.alg));
        let claims = claims.map_err(|_| Unauthorized::Signature)?.claims;
        self.check(&claims, now)?;
        Ok(claims.into_iter().map(|(name, value)| (name, text(&value))).collect())
    }

    fn check(&self, claims: &Map<String, Value>, now: UnixSeconds) -> Result<(), Unauthorized> {
        let is = |name: &str, expected: &str| claims.get(name).and_then(Value::as_str) == Some(expected);
        if !is("iss", &self.issuer) {
            return Err(Unauthorized::Issuer);
        }
        let audience_matches = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == &self.audience),
            Some(audience) => audience == &self.audience,
            None => is("client_id", &self.audience),
        };
        if !audience_matches {
            return Err(Unauthorized::Audience);
        }
        let now = Value::from(now.get()).as_f64().unwrap_or(f64::INFINITY);
        if !claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp > now) {
            return Err(Unauthorized::Expired);
        }
        let has_come = |name| claims.get(name).is_none_or(|time| time.as_f64().is_some_and(|time| time <= now));
        if has_come("nbf") && has_come("iat") { Ok(()) } else { Err(Unauthorized::NotYetValid) }
    }

    async fn key(&self, key_id: &str, now: UnixSeconds) -> Result<PublicKey, Unauthorized> {
        if let Some(key) = self.known_key(key_id) {
            return Ok(key);
        }
        let source = self.source.as_ref().ok_or(Unauthorized::UnknownKey)?;
        let mut refreshed_at = source.refreshed_at.lock().await;
        // While this request waited for the lock, another may have fetched.
        if let Some(key) = self.known_key(key_id) {
            return Ok(key);
        }
        if refreshed_at.is_some_and(|at| now < at.saturating_add(REFRESH_INTERVAL_SECONDS)) {
            return Err(Unauthorized::UnknownKey);
        }
        *refreshed_at = Some(now);
        match source.url.fetch().await {
            Ok(keys) => *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys),
            Err(error) => tracing::warn!(%error, "the keys stay as they are"),
        }
        self.known_key(key_id).ok_or(Unauthorized::UnknownKey)
    }

    fn known_key(&self, key_id: &str) -> Option<PublicKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned()
    }
}

fn bearer_token(authorization: &str) -> &str {
    let authorization = authorization.trim();
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim_start(),
        _ => authorization,
    }
}

/// The crate checks the signature alone: it would judge times by its own clock.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// A claim as API Gateway writes it, which is how Go's `fmt` prints the value.
fn text(value: &Value) -> String {
    let join = |items: Vec<String>| items.join(" ");
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        },
        Value::String(string) => string.clone(),
        Value::Array(items) => format!("[{}]", join(items.iter().map(text).collect())),
        Value::Object(members) => {
            format!("map[{}]", join(members.iter().map(|(name, value)| format!("{name}:{}", text(value))).collect()))
        }
    }
}
