//! An issuer of tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use emulator_apigateway::{Authorizer, KeySet, Unauthorized};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "the-audience";
/// The time at which tokens are judged.
pub(crate) const NOW: u64 = 1_800_000_000;

/// An issuer with a key of its own.
pub(crate) struct Issuer {
    private_key: RsaPrivateKey,
    key_id: String,
    key_set: Value,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let private_key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let (n, e) = (private_key.n().to_bytes_be(), private_key.e().to_bytes_be());
        let (n, e) = (BASE64URL.encode(n), BASE64URL.encode(e));
        let key_id = n[..16].to_owned();
        let key_set = json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": n, "e": e}]});
        Self { private_key, key_id, key_set }
    }

    /// The key set: RS256 is the algorithm of its one key.
    pub(crate) fn jwks(&self) -> &Value {
        &self.key_set
    }

    pub(crate) fn public_key(&self) -> RsaPublicKey {
        self.private_key.to_public_key()
    }

    pub(crate) fn key_id(&self) -> String {
        self.key_id.clone()
    }

    pub(crate) fn header(&self, algorithm: Algorithm) -> Header {
        Header { kid: Some(self.key_id()), ..Header::new(algorithm) }
    }

    /// A token with any header and claims, signed with the issuer's key.
    pub(crate) fn sign(&self, header: &Header, claims: &Value) -> String {
        let pem = self.private_key.to_pkcs8_pem(LineEnding::LF).unwrap();
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    /// A good token, apart from these claims: each replaces one, and null removes it.
    pub(crate) fn token_with(&self, changes: &Value) -> String {
        let mut claims = json!({"sub": "1234", "iss": ISSUER, "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 1});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(&self.header(Algorithm::RS256), &claims)
    }

    pub(crate) fn authorizer(&self) -> Authorizer {
        let keys = KeySet::parse("the issuer's keys", &self.key_set).unwrap();
        Authorizer::for_key_set(ISSUER, AUDIENCE, keys)
    }
}

/// Judges a token at [`NOW`].
pub(crate) async fn judge(authorizer: &Authorizer, token: &str) -> Result<(), Unauthorized> {
    authorizer.authorize(Some(&format!("Bearer {token}")), NOW).await.map(drop)
}
