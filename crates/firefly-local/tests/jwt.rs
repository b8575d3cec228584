//! The developer issuer, and what the authorizer lets through.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use firefly_core::time::UnixSeconds;
use firefly_local::jwt::{AUDIENCE, Authorizer, DeveloperIssuer, ISSUER, Identity, SigningKeyError, Unauthorized};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::ecdsa::signature::Signer as _;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

const KEY_FILE: &str = "jwt-signing-key.pem";
const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixSeconds {
    UnixSeconds::new(seconds)
}

fn kim() -> Identity {
    Identity {
        sub: "1234".to_owned(),
        email: Some("kim@example.com".to_owned()),
        groups: vec!["super_users".to_owned(), "testers".to_owned()],
    }
}

/// A data directory with an issuer's key in it.
struct Issuer {
    dir: TempDir,
    issuer: DeveloperIssuer,
}

impl Issuer {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let issuer = DeveloperIssuer::open(dir.path()).unwrap();
        Self { dir, issuer }
    }

    fn pem(&self) -> String {
        fs::read_to_string(self.dir.path().join(KEY_FILE)).unwrap()
    }

    fn key_id(&self) -> String {
        self.issuer.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned()
    }

    fn header(&self, algorithm: Algorithm) -> Header {
        Header { kid: Some(self.key_id()), ..Header::new(algorithm) }
    }

    /// A token with any header and claims, signed with the issuer's key.
    fn sign(&self, header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_rsa_pem(self.pem().as_bytes()).unwrap();
        jsonwebtoken::encode(header, claims, &key).unwrap()
    }

    /// A token that is good, but for the claims given: each replaces one, null removes it.
    fn token_with(&self, changes: &Value) -> String {
        let mut claims = json!({"sub": "1234", "iss": ISSUER, "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 1});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign(&self.header(Algorithm::RS256), &claims)
    }

    fn authorizer(&self) -> Authorizer {
        Authorizer::for_developer(&self.issuer).unwrap()
    }
}

async fn judge(authorizer: &Authorizer, token: &str) -> Result<(), Unauthorized> {
    authorizer.authorize(Some(&format!("Bearer {token}")), at(NOW)).await.map(drop)
}

fn encode_part(json: &Value) -> String {
    BASE64URL.encode(json.to_string())
}

#[tokio::test]
async fn claims_of_an_issued_token_arrive_as_strings() {
    let issuer = Issuer::new();
    let token = issuer.issuer.token(&kim(), at(NOW), 3600).unwrap();
    let claims = issuer.authorizer().authorize(Some(&token), at(NOW)).await.unwrap();
    let expected = [
        ("sub", "1234"),
        ("email", "kim@example.com"),
        ("cognito:groups", "[super_users testers]"),
        ("cognito:username", "1234"),
        ("iss", ISSUER),
        ("aud", AUDIENCE),
        ("token_use", "id"),
        ("iat", "1800000000"),
        ("exp", "1800003600"),
    ];
    assert_eq!(claims, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());

    let nobody = Identity { sub: "s".to_owned(), email: None, groups: Vec::new() };
    let token = issuer.issuer.token(&nobody, at(NOW), 1).unwrap();
    let claims = issuer.authorizer().authorize(Some(&token), at(NOW)).await.unwrap();
    assert!(!claims.contains_key("email") && !claims.contains_key("cognito:groups"));
}

#[tokio::test]
async fn claims_of_every_type_become_text() {
    let issuer = Issuer::new();
    let token = issuer.token_with(&json!({
        "true": true, "integer": -5, "large": 18_446_744_073_709_551_615_u64, "float": 1.5, "huge": 1e21,
        "empty": [], "one": ["a"], "mixed": ["a", 1, false, ["b"]], "object": {"a": "b", "c": 1}, "text": " [x] ",
    }));
    let claims = issuer.authorizer().authorize(Some(&token), at(NOW)).await.unwrap();
    for (name, text) in [
        ("true", "true"),
        ("integer", "-5"),
        ("large", "18446744073709551615"),
        ("float", "1.5"),
        ("huge", "1000000000000000000000"),
        ("empty", "[]"),
        ("one", "[a]"),
        ("mixed", "[a 1 false [b]]"),
        ("object", "map[a:b c:1]"),
        ("text", " [x] "),
    ] {
        assert_eq!(claims[name], text, "{name}");
    }
}

#[tokio::test]
async fn every_claim_that_is_judged() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    for (changes, expected) in [
        (json!({}), Ok(())),
        (json!({"iss": "https://elsewhere"}), Err(Unauthorized::Issuer)),
        (json!({"iss": format!("{ISSUER}/")}), Err(Unauthorized::Issuer)),
        (json!({"iss": [ISSUER]}), Err(Unauthorized::Issuer)),
        (json!({"iss": null}), Err(Unauthorized::Issuer)),
        (json!({"aud": "another"}), Err(Unauthorized::Audience)),
        (json!({"aud": ["another", AUDIENCE]}), Ok(())),
        (json!({"aud": ["another"]}), Err(Unauthorized::Audience)),
        (json!({"aud": []}), Err(Unauthorized::Audience)),
        (json!({"aud": 1}), Err(Unauthorized::Audience)),
        (json!({"aud": null}), Err(Unauthorized::Audience)),
        (json!({"aud": null, "client_id": AUDIENCE}), Ok(())),
        (json!({"aud": null, "client_id": "another"}), Err(Unauthorized::Audience)),
        (json!({"aud": null, "client_id": [AUDIENCE]}), Err(Unauthorized::Audience)),
        (json!({"aud": "another", "client_id": AUDIENCE}), Err(Unauthorized::Audience)),
        (json!({"exp": NOW + 1}), Ok(())),
        (json!({"exp": NOW}), Err(Unauthorized::Expired)),
        (json!({"exp": NOW - 1}), Err(Unauthorized::Expired)),
        (json!({"exp": (NOW + 1).to_string()}), Err(Unauthorized::Expired)),
        (json!({"exp": null}), Err(Unauthorized::Expired)),
        (json!({"nbf": NOW}), Ok(())),
        (json!({"nbf": NOW + 1}), Err(Unauthorized::NotYetValid)),
        (json!({"nbf": "now"}), Err(Unauthorized::NotYetValid)),
        (json!({"iat": NOW}), Ok(())),
        (json!({"iat": NOW + 1}), Err(Unauthorized::NotYetValid)),
        (json!({"iat": null}), Ok(())),
    ] {
        assert_eq!(judge(&authorizer, &issuer.token_with(&changes)).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn only_rsa_signatures_of_a_known_key_count() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    let claims = json!({"sub": "1234", "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 1});
    let good = issuer.sign(&issuer.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &good).await, Ok(()));

    // The key set names RS256 as the algorithm of its key.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = issuer.sign(&issuer.header(algorithm), &claims);
        assert_eq!(judge(&authorizer, &token).await, Err(Unauthorized::Algorithm), "{algorithm:?}");
    }

    let private_key = RsaPrivateKey::from_pkcs8_pem(&issuer.pem()).unwrap();
    let public_pem = private_key.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
    let secret = EncodingKey::from_secret(public_pem.as_bytes());
    let hs256 = jsonwebtoken::encode(&issuer.header(Algorithm::HS256), &claims, &secret).unwrap();
    assert_eq!(judge(&authorizer, &hs256).await, Err(Unauthorized::Algorithm));

    let message = format!(
        "{}.{}",
        encode_part(&json!({"alg": "ES256", "typ": "JWT", "kid": issuer.key_id()})),
        encode_part(&claims)
    );
    let ec_key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let signature: p256::ecdsa::Signature = ec_key.sign(message.as_bytes());
    let es256 = format!("{message}.{}", BASE64URL.encode(signature.to_bytes()));
    assert_eq!(judge(&authorizer, &es256).await, Err(Unauthorized::Algorithm));

    for none in ["none", "None", "NONE", ""] {
        let header = encode_part(&json!({"alg": none, "typ": "JWT", "kid": issuer.key_id()}));
        let token = format!("{header}.{}.", encode_part(&claims));
        assert_eq!(judge(&authorizer, &token).await, Err(Unauthorized::Malformed), "{none:?}");
    }

    let other = Issuer::new();
    let unknown_key = other.sign(&other.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &unknown_key).await, Err(Unauthorized::UnknownKey));
    let other_key = other.sign(&issuer.header(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &other_key).await, Err(Unauthorized::Signature));
    let no_key = issuer.sign(&Header::new(Algorithm::RS256), &claims);
    assert_eq!(judge(&authorizer, &no_key).await, Err(Unauthorized::UnknownKey));
    let crit = Header { crit: Some(vec!["b64".to_owned()]), ..issuer.header(Algorithm::RS256) };
    assert_eq!(judge(&authorizer, &issuer.sign(&crit, &claims)).await, Err(Unauthorized::Malformed));
}

#[tokio::test]
async fn headers_that_carry_a_token_and_such_that_do_not() {
    let issuer = Issuer::new();
    let authorizer = issuer.authorizer();
    let token = issuer.token_with(&json!({}));
    for good in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
        format!(" {token} "),
    ] {
        assert!(authorizer.authorize(Some(&good), at(NOW)).await.is_ok(), "{good}");
    }
    assert_eq!(authorizer.authorize(None, at(NOW)).await, Err(Unauthorized::Missing));
    let [header, claims, signature] = *token.split('.').collect::<Vec<_>>() else { panic!("three parts") };
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {token}"),
        format!("Bearer Bearer {token}"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}{signature}"),
        format!("{header}.{claims}.{}", &signature[4..]),
        format!("{header}.{}.{signature}", encode_part(&json!({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 1}))),
        format!("{header}.{}.{signature}", BASE64URL.encode([0xff, 0xfe])),
        "\u{fffd}.ä.💡".to_owned(),
        "x".repeat(100_000),
    ] {
        assert!(authorizer.authorize(Some(&bad), at(NOW)).await.is_err(), "{bad}");
    }
}

#[test]
fn the_key_is_private_and_the_same_ever_after() {
    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().join("new/.firefly");
    let first = DeveloperIssuer::open(&data_dir).unwrap();
    let mode = fs::metadata(data_dir.join(KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = DeveloperIssuer::open(&data_dir).unwrap();
    assert_eq!(first.jwks(), second.jwks());
    assert_eq!(files_in(&data_dir), [KEY_FILE]);
    assert!(!format!("{first:?}").contains("PRIVATE"));
}

#[test]
fn issuers_that_race_for_the_key_share_it() {
    let dir = TempDir::new().unwrap();
    let start = Barrier::new(4);
    let open = || {
        start.wait();
        DeveloperIssuer::open(dir.path()).unwrap()
    };
    let issuers = thread::scope(|scope| [(); 4].map(|()| scope.spawn(open)).map(|opened| opened.join().unwrap()));
    assert!(issuers.iter().all(|issuer| issuer.jwks() == issuers[0].jwks()));
    assert_eq!(files_in(dir.path()), [KEY_FILE]);
}

#[test]
fn a_broken_key_file_is_named_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(KEY_FILE);
    let whole = Issuer::new().pem();
    for bytes in [b"".as_slice(), b"garbage", b"\xff\xfe", &whole.as_bytes()[..whole.len() / 2]] {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = DeveloperIssuer::open(dir.path()).unwrap_err();
        assert!(matches!(&error, SigningKeyError::Broken { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_key_file_that_others_may_read_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    DeveloperIssuer::open(dir.path()).unwrap();
    let path = dir.path().join(KEY_FILE);
    let key = fs::read(&path).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = DeveloperIssuer::open(dir.path()).unwrap_err();
        assert!(matches!(error, SigningKeyError::Exposed { mode: found, .. } if found == mode), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&path).unwrap(), key);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(DeveloperIssuer::open(dir.path()).is_ok());
}

fn files_in(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

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
async fn keys_from_a_url() {
    let issuer = Issuer::new();
    let public = issuer.issuer.jwks()["keys"][0].clone();
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
    let server = KeyServer::start(old.issuer.jwks()).await;
    let authorizer = server.authorizer().await;
    let judge_at = async |issuer: &Issuer, now: u64| {
        let token = issuer.token_with(&json!({"exp": NOW + 1000}));
        authorizer.authorize(Some(&token), at(now)).await.map(drop)
    };
    assert_eq!(judge_at(&new, NOW).await, Err(Unauthorized::UnknownKey));
    assert_eq!(server.fetches(), 2);

    *server.key_set.lock().unwrap() = new.issuer.jwks().to_string();
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
