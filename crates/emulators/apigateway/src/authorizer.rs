//! The JWT authorizer of an HTTP API.
//!
//! Source: API Gateway Developer Guide, "Control access to HTTP APIs with JWT authorizers in API Gateway".

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use crate::key_set::{KeySet, KeySetError, PublicKey};
use crate::key_source::KeySource;

/// The claims of an accepted token, each as the text that API Gateway passes to the function.
///
/// Strings are passed as they are, numbers in decimal, `true` and `false`, an array as `[a b]`, an object as
/// `map[a:b c:d]`.
pub type Claims = BTreeMap<String, String>;

/// The reason for which a request is not let through. The client is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// The `Authorization` header is absent.
    #[error("there is no token")]
    Missing,
    /// The header does not hold a signed token.
    #[error("the token is malformed")]
    Malformed,
    /// The token is not signed with RS256, RS384 or RS512, or with another algorithm than the key is for.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// The token does not name a key of the key set, or the keys are too old and cannot be fetched.
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
    /// `exp` has come, or is not a number.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` has not come yet, or is not a number.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The text of `cognito:groups` would read as other groups than the token has: a group's name has white space or is a
    /// list itself, or a single name begins with a bracket.
    #[error("the token's groups cannot be told apart in a claim")]
    Groups,
}

/// Lets through the tokens of one issuer for one audience.
#[derive(Debug)]
pub struct Authorizer {
    issuer: String,
    audience: String,
    keys: Keys,
}

/// The keys of an issuer.
#[derive(Debug)]
enum Keys {
    /// They never change.
    Fixed(KeySet),
    /// They are fetched.
    Source(Arc<KeySource>),
}

impl Authorizer {
    /// Lets through tokens that `issuer` signs with these keys for `audience`.
    #[must_use]
    pub fn for_key_set(issuer: &str, audience: &str, keys: KeySet) -> Self {
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys: Keys::Fixed(keys) }
    }

    /// Lets through tokens that `issuer` signs with the keys at `jwks_url` for `audience`. The keys are fetched now, again
    /// when a token names an unknown one, and within two hours at most while tokens are judged; older ones do not count.
    /// Nothing else is fetched: `issuer` is only compared. `now` is in whole seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub async fn for_jwks_url(issuer: &str, audience: &str, jwks_url: &str, now: u64) -> Result<Self, KeySetError> {
        let keys = Keys::Source(Arc::new(KeySource::open(jwks_url, now).await?));
        Ok(Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys })
    }

    /// Judges the value of a request's `Authorization` header: `Bearer <token>`, the scheme in any case, or the bare
    /// token. `now` is in whole seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`Unauthorized`].
    pub async fn authorize(&self, authorization: Option<&str>, now: u64) -> Result<Claims, Unauthorized> {
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

    fn check(&self, claims: &Map<String, Value>, now: u64) -> Result<(), Unauthorized> {
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
        let now = Value::from(now).as_f64().unwrap_or(f64::INFINITY);
        if !claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| exp > now) {
            return Err(Unauthorized::Expired);
        }
        let has_come = |name| claims.get(name).is_none_or(|time| time.as_f64().is_some_and(|time| time <= now));
        if !has_come("nbf") || !has_come("iat") {
            return Err(Unauthorized::NotYetValid);
        }
        if claims.get("cognito:groups").is_none_or(are_told_apart) { Ok(()) } else { Err(Unauthorized::Groups) }
    }

    async fn key(&self, key_id: &str, now: u64) -> Result<PublicKey, Unauthorized> {
        let key = match &self.keys {
            Keys::Fixed(keys) => keys.get(key_id).cloned(),
            Keys::Source(source) => source.get(key_id, now).await,
        };
        key.ok_or(Unauthorized::UnknownKey)
    }
}

/// Returns `true` if the text of these groups is that of no others. Cognito's names have no white space (Cognito API
/// Reference, CreateGroup); those of another issuer may have.
fn are_told_apart(groups: &Value) -> bool {
    let has_blank = |name: &str| name.contains(|character: char| character.is_whitespace() || character.is_control());
    match groups {
        Value::String(name) => !name.starts_with('[') && !has_blank(name),
        Value::Array(names) => names.iter().all(|name| match name {
            Value::String(name) => !has_blank(name),
            other => !other.is_array() && !other.is_object(),
        }),
        _ => true,
    }
}

fn bearer_token(authorization: &str) -> &str {
    let authorization = authorization.trim();
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim_start(),
        _ => authorization,
    }
}

/// Makes jsonwebtoken check the signature alone: it would judge times by its own clock.
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
