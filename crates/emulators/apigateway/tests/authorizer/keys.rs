//! Keys from a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use emulator_apigateway::{Authorizer, Unauthorized};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::issuer::{AUDIENCE, ISSUER, Issuer, NOW, judge};

/// Serves a key set that can be exchanged, and counts how often it is fetched.
struct KeyServer {
    url: String,
    key_set: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(key_set: &Value) -> Self {
        let key_set = Arc::new(Mutex::new(key_set.to_string()));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&key_set), Arc::clone(&fetches));
        let keys = get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            served.lock().unwrap().clone()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", keys);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key_set, fetches }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    async fn authorizer(&self) -> Authorizer {
        Authorizer::for_jwks_url(ISSUER, AUDIENCE, &self.url).await.unwrap()
    }
}

#[tokio::test]
async fn an_rsa_key_of_a_url_is_used_and_any_other_key_is_left_out() {
    let issuer = Issuer::new();
    let public = issuer.jwks()["keys"][0].clone();
    let mut any_rsa_algorithm = public.clone();
    any_rsa_algorithm.as_object_mut().unwrap().retain(|name, _| name != "alg" && name != "use");
    let others = [
        json!({"kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": issuer.key_id(), "k": "AAAA"}),
        json!({"kty": "RSA", "kid": "encrypts", "use": "enc", "n": public["n"], "e": public["e"]}),
        json!("nonsense"),
    ];
    let server =
        KeyServer::start(&json!({"keys": [others[0], others[1], others[2], others[3], any_rsa_algorithm]})).await;
    let authorizer = server.authorizer().await;
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 1});
    for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512] {
        let token = issuer.sign(&issuer.header(algorithm), &claims);
        assert_eq!(judge(&authorizer, &token).await, Ok(()), "{algorithm:?}");
    }
    let pss = issuer.sign(&issuer.header(Algorithm::PS256), &claims);
    assert_eq!(judge(&authorizer, &pss).await, Err(Unauthorized::Algorithm));
    assert_eq!(server.fetches(), 1);

    let enc = Header { kid: Some("encrypts".to_owned()), ..Header::new(Algorithm::RS256) };
    assert_eq!(judge(&authorizer, &issuer.sign(&enc, &claims)).await, Err(Unauthorized::UnknownKey));
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_at_most_once_a_minute() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = server.authorizer().await;
    let judge_at = async |issuer: &Issuer, now: u64| {
        let token = issuer.token_with(&json!({"exp": NOW + 1000}));
        authorizer.authorize(Some(&token), now).await.map(drop)
    };
    assert_eq!(judge_at(&new, NOW).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), 2);

    *server.key_set.lock().unwrap() = new.jwks().to_string();
    assert_eq!(judge_at(&new, NOW + 59).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&old, NOW + 59).await, Ok(()));
    assert_eq!(server.fetches(), 2);
    assert_eq!(judge_at(&new, NOW + 60).await, Ok(()));
    assert_eq!(judge_at(&old, NOW + 61).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), 3);

    // A key set that cannot be had any more leaves the known keys as they are.
    "oops".clone_into(&mut server.key_set.lock().unwrap());
    assert_eq!(judge_at(&old, NOW + 200).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&new, NOW + 200).await, Ok(()));
    assert_eq!(server.fetches(), 4);
}

#[tokio::test]
async fn a_key_set_that_cannot_be_had_is_one_clear_line() {
    let error_of = async |url: &str| Authorizer::for_jwks_url(ISSUER, AUDIENCE, url).await.unwrap_err().to_string();
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{unused}/keys");
    let error = error_of(&url).await;
    let expected = format!("cannot fetch the JSON Web Key Set at {url}: Connection refused");
    assert!(error.starts_with(&expected) && !error.contains('\n'), "{error}");
    assert_eq!(error_of("keys").await, r#""keys" is not an http or https URL"#);
    assert_eq!(error_of("file:///keys").await, r#""file:///keys" is not an http or https URL"#);

    let server = KeyServer::start(&json!({"keys": []})).await;
    let unusable = format!("{} is not a usable JSON Web Key Set: ", server.url);
    assert_eq!(error_of(&server.url).await, format!("{unusable}it has no RSA signature key with a key id"));
    "{}".clone_into(&mut server.key_set.lock().unwrap());
    assert_eq!(error_of(&server.url).await, format!("{unusable}it has no array \"keys\""));
    "<html>".clone_into(&mut server.key_set.lock().unwrap());
    assert_eq!(error_of(&server.url).await, format!("{unusable}expected value at line 1 column 1"));
    let absent = server.url.replace("/keys", "/absent");
    assert_eq!(
        error_of(&absent).await,
        format!("cannot fetch the JSON Web Key Set at {absent}: it answers 404 Not Found")
    );
}
