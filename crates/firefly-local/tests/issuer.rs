//! The developer issuer: its key, and the tokens that it signs.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use emulator_apigateway::{Authorizer, KeySet};
use firefly_core::time::UnixSeconds;
use firefly_local::issuer::{AUDIENCE, DeveloperIssuer, ISSUER, Identity, SigningKeyError};
use tempfile::TempDir;

const KEY_FILE: &str = "jwt-signing-key.pem";
const NOW: u64 = 1_800_000_000;

#[tokio::test]
async fn claims_of_an_issued_token_arrive_as_strings() {
    let dir = TempDir::new().unwrap();
    let issuer = DeveloperIssuer::open(dir.path()).unwrap();
    let authorizer =
        Authorizer::for_key_set(ISSUER, AUDIENCE, KeySet::parse("the issuer's key", issuer.jwks()).unwrap());
    let kim = Identity {
        sub: "1234".to_owned(),
        email: Some("kim@example.com".to_owned()),
        groups: vec!["super_users".to_owned(), "testers".to_owned()],
    };
    let token = issuer.token(&kim, UnixSeconds::new(NOW), 3600).unwrap();
    let claims = authorizer.authorize(Some(&token), NOW).await.unwrap();
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
    let token = issuer.token(&nobody, UnixSeconds::new(NOW), 1).unwrap();
    let claims = authorizer.authorize(Some(&token), NOW).await.unwrap();
    assert!(!claims.contains_key("email") && !claims.contains_key("cognito:groups"));
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
    let whole = whole_key();
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

/// The text of a good key file.
fn whole_key() -> String {
    let dir = TempDir::new().unwrap();
    DeveloperIssuer::open(dir.path()).unwrap();
    fs::read_to_string(dir.path().join(KEY_FILE)).unwrap()
}
