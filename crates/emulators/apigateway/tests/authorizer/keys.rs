//! Keys from a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use emulator_apigateway::{Authorizer, Unauthorized};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::issuer::{AUDIENCE, ISSUER, Issuer, NOW, judge};

const HOUR: u64 = 60 * 60;

/// Serves a key set that can be exchanged, and counts how often it is fetched.
struct KeyServer {
    url: String,
    key_set: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    /// A permit per answer that is still to be given.
    answers: Arc<Semaphore>,
}

/// Enough permits for all answers of a test.
const PLENTY: usize = 10_000;

impl KeyServer {
    async fn start(key_set: &Value) -> Self {
        let key_set = Arc::new(Mutex::new(key_set.to_string()));
        let fetches = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(Semaphore::new(PLENTY));
        let (served, counted, permits) = (Arc::clone(&key_set), Arc::clone(&fetches), Arc::clone(&answers));
        let keys = get(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            permits.acquire().await.unwrap().forget();
            let keys = served.lock().unwrap().clone();
            if keys.is_empty() { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(keys) }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let router = Router::new().route("/keys", keys);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key_set, fetches, answers }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    async fn authorizer(&self) -> Authorizer {
        Authorizer::for_jwks_url(ISSUER, AUDIENCE, &self.url, NOW).await.unwrap()
    }

    fn serve(&self, key_set: &Value) {
        *self.key_set.lock().unwrap() = key_set.to_string();
    }

    /// Answers every fetch with 503 from now on.
    fn fail(&self) {
        self.key_set.lock().unwrap().clear();
    }

    /// Holds every answer back from now on, until there are permits again.
    fn hold(&self) {
        self.answers.forget_permits(PLENTY);
    }

    fn release(&self) {
        self.answers.add_permits(PLENTY);
    }

    /// Waits until the keys have been fetched so many times in all.
    async fn fetched(&self, times: usize) {
        let fetched = async {
            while self.fetches() < times {
                tokio::task::yield_now().await;
            }
        };
        let fetched = tokio::time::timeout(Duration::from_secs(30), fetched).await;
        assert!(fetched.is_ok(), "{} of {times} times", self.fetches());
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

/// Judges an issuer's token, good for a day from [`NOW`] on, at this time.
async fn judge_at(authorizer: &Authorizer, issuer: &Issuer, now: u64) -> Result<(), Unauthorized> {
    let token = issuer.token_with(&json!({ "exp": NOW + 24 * HOUR }));
    authorizer.authorize(Some(&token), now).await.map(drop)
}

/// A token of nobody whose header names a key.
fn made_up(key_id: &str) -> String {
    let part = |json: Value| BASE64URL.encode(json.to_string());
    format!("{}.{}.AAAA", part(json!({ "alg": "RS256", "kid": key_id })), part(json!({ "iss": ISSUER })))
}

#[tokio::test]
async fn a_withdrawn_key_is_bad_and_its_successor_good_within_two_hours() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = server.authorizer().await;
    // Nobody asks in between: the keys are too old, and the first request waits for newer ones.
    server.serve(new.jwks());
    assert_eq!(judge_at(&authorizer, &old, NOW + HOUR - 1).await, Ok(()));
    assert_eq!(server.fetches(), 1);
    assert_eq!(judge_at(&authorizer, &old, NOW + 2 * HOUR).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&authorizer, &new, NOW + 2 * HOUR).await, Ok(()));
}

#[tokio::test]
async fn keys_are_fetched_again_beside_a_request_after_an_hour() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = server.authorizer().await;
    server.serve(new.jwks());
    server.hold();
    // The request that finds the keys old is judged by them, while the issuer has not answered yet.
    assert_eq!(judge_at(&authorizer, &old, NOW + HOUR).await, Ok(()));
    server.fetched(2).await;
    assert_eq!(judge_at(&authorizer, &old, NOW + HOUR + 1).await, Ok(()));
    server.release();
    while judge_at(&authorizer, &old, NOW + HOUR + 1).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(judge_at(&authorizer, &new, NOW + HOUR + 1).await, Ok(()));
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_again_count_for_two_hours() {
    let issuer = Issuer::new();
    let server = KeyServer::start(issuer.jwks()).await;
    let authorizer = server.authorizer().await;
    server.fail();
    for (now, fetches) in [(NOW + HOUR, 2), (NOW + HOUR + 59, 2), (NOW + 2 * HOUR - 1, 3)] {
        assert_eq!(judge_at(&authorizer, &issuer, now).await, Ok(()), "{now}");
        server.fetched(fetches).await;
    }
    assert_eq!(judge_at(&authorizer, &issuer, NOW + 2 * HOUR + 60).await, Err(Unauthorized::UnknownKey));
    // The issuer is asked once a minute, not by every request.
    let fetches = server.fetches();
    server.serve(issuer.jwks());
    assert_eq!(judge_at(&authorizer, &issuer, NOW + 2 * HOUR + 119).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), fetches);
    assert_eq!(judge_at(&authorizer, &issuer, NOW + 2 * HOUR + 120).await, Ok(()));
}

#[tokio::test]
async fn a_clock_that_was_set_back_delays_no_fetch() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = server.authorizer().await;
    assert_eq!(judge_at(&authorizer, &new, NOW).await, Err(Unauthorized::UnknownKey));
    server.serve(new.jwks());
    let token = new.token_with(&json!({ "iat": NOW - 2 * HOUR }));
    assert!(authorizer.authorize(Some(&token), NOW - HOUR).await.is_ok());
    let token = old.token_with(&json!({ "iat": NOW - 2 * HOUR }));
    assert_eq!(authorizer.authorize(Some(&token), NOW - HOUR).await, Err(Unauthorized::UnknownKey));
}

/// A stranger has the issuer asked all the time; the issuer does not answer.
#[tokio::test]
async fn a_made_up_key_id_delays_nobody() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = Arc::new(server.authorizer().await);
    server.hold();
    let mut strangers = JoinSet::new();
    for number in 0..100 {
        let (authorizer, token) = (Arc::clone(&authorizer), made_up(&format!("made up {number}")));
        strangers.spawn(async move { authorizer.authorize(Some(&token), NOW).await.map(drop) });
    }
    server.fetched(2).await;
    // A known key is judged meanwhile.
    assert_eq!(judge_at(&authorizer, &old, NOW + 1).await, Ok(()));
    // A key that the issuer has just begun to use is found by the next fetch.
    server.serve(&json!({ "keys": [old.jwks()["keys"][0], new.jwks()["keys"][0]] }));
    server.release();
    assert_eq!(judge_at(&authorizer, &new, NOW + 1).await, Ok(()));
    for refused in strangers.join_all().await {
        assert_eq!(refused, Err(Unauthorized::UnknownKey));
    }
    assert!(server.fetches() <= 4, "100 requests at once made {} fetches", server.fetches());
    // One after the other they do not keep a new key waiting for a minute, either.
    let newest = Issuer::new();
    for number in 0..5 {
        let token = made_up(&format!("made up later {number}"));
        assert!(authorizer.authorize(Some(&token), NOW + 2).await.is_err());
    }
    server.serve(newest.jwks());
    assert_eq!(judge_at(&authorizer, &newest, NOW + 2).await, Ok(()));
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_at_most_once_a_minute() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let server = KeyServer::start(old.jwks()).await;
    let authorizer = server.authorizer().await;
    let judge_at = async |issuer: &Issuer, now: u64| judge_at(&authorizer, issuer, now).await;
    assert_eq!(judge_at(&new, NOW).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), 2);

    *server.key_set.lock().unwrap() = new.jwks().to_string();
    assert_eq!(judge_at(&new, NOW + 59).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&old, NOW + 59).await, Ok(()));
    assert_eq!(server.fetches(), 2);
    assert_eq!(judge_at(&new, NOW + 60).await, Ok(()));
    assert_eq!(server.fetches(), 3);
    // Another key id has a minute of its own.
    assert_eq!(judge_at(&old, NOW + 61).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&old, NOW + 120).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), 4);

    // A key set that cannot be had any more leaves the known keys as they are.
    "oops".clone_into(&mut server.key_set.lock().unwrap());
    assert_eq!(judge_at(&old, NOW + 200).await, Err(Unauthorized::UnknownKey));
    assert_eq!(judge_at(&new, NOW + 200).await, Ok(()));
    assert_eq!(server.fetches(), 5);
}

#[tokio::test]
async fn a_key_set_that_cannot_be_had_is_one_clear_line() {
    let error_of =
        async |url: &str| Authorizer::for_jwks_url(ISSUER, AUDIENCE, url, NOW).await.unwrap_err().to_string();
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
