//! The emulator with the SDK's client.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../../../../tests/truncation.rs"]
pub mod truncation;

use std::fs;
use std::path::Path;

use aws_sdk_appconfigdata::Client;
use aws_sdk_appconfigdata::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_appconfigdata::error::ProvideErrorMetadata as _;
use emulator_appconfig::serve;
use emulator_kit::{Caller, Callers, Grants, Limits, Listener};
use tempfile::TempDir;
use truncation::{assert_no_other_length, text};

/// The URL of a server of the configurations in a directory.
async fn start(dir: &Path) -> String {
    let listener = Listener::loopback(Limits::default()).await.unwrap();
    let url = listener.url();
    let callers = Callers::new([Caller {
        access_key_id: "caller".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
        grants: Grants::Everything,
    }]);
    tokio::spawn(serve(listener, dir.to_owned(), callers, std::future::pending()));
    url
}

fn client(url: &str, secret: &str) -> Client {
    let config = aws_sdk_appconfigdata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("caller", secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

/// Starts a session and returns its first token.
async fn session(client: &Client, application: &str, profile: &str) -> String {
    let start = client.start_configuration_session().application_identifier(application);
    let start = start.environment_identifier("any").configuration_profile_identifier(profile);
    start.send().await.unwrap().initial_configuration_token.unwrap()
}

/// Polls with a token; returns the text and the next token.
async fn poll(client: &Client, token: &str) -> (String, String) {
    let answer = client.get_latest_configuration().configuration_token(token).send().await.unwrap();
    assert_eq!(answer.next_poll_interval_in_seconds(), 15);
    let text = answer.configuration.unwrap_or_default().into_inner();
    (String::from_utf8(text).unwrap(), answer.next_poll_configuration_token.unwrap())
}

#[tokio::test]
async fn a_poll_answers_what_is_new_and_is_empty_otherwise() {
    let dir = TempDir::new().unwrap();
    let client = client(&start(dir.path()).await, "secret");
    let (text, token) = poll(&client, &session(&client, "application", "profile").await).await;
    assert_eq!(text, "");
    fs::write(dir.path().join("profile.json"), "one").unwrap();
    let (text, token) = poll(&client, &token).await;
    assert_eq!(text, "one");
    let (text, token) = poll(&client, &token).await;
    assert_eq!(text, "");
    fs::write(dir.path().join("profile.json"), "two").unwrap();
    assert_eq!(poll(&client, &token).await.0, "two");
}

#[tokio::test]
async fn an_application_has_its_own_file_before_the_common_one() {
    let dir = TempDir::new().unwrap();
    let client = client(&start(dir.path()).await, "secret");
    fs::write(dir.path().join("profile.json"), "common").unwrap();
    fs::create_dir(dir.path().join("one")).unwrap();
    fs::write(dir.path().join("one/profile.json"), "own").unwrap();
    for (application, expected) in [("one", "own"), ("other", "common")] {
        assert_eq!(poll(&client, &session(&client, application, "profile").await).await.0, expected);
    }
}

#[tokio::test]
async fn a_name_with_other_characters_reads_no_file() {
    let dir = TempDir::new().unwrap();
    let configurations = dir.path().join("configurations");
    fs::create_dir(&configurations).unwrap();
    fs::write(dir.path().join("outside.json"), "outside").unwrap();
    let client = client(&start(&configurations).await, "secret");
    for (application, profile) in [("a", "../outside"), ("..", "outside"), ("a/..", "outside"), ("", "../outside")] {
        let token = session(&client, application, profile).await;
        assert_eq!(poll(&client, &token).await.0, "", "{application:?} {profile:?}");
    }
}

/// The profiles' names make the tokens of every length that Base64 has.
#[test]
fn a_token_has_no_other_length() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = TempDir::new().unwrap();
    let client = runtime.block_on(async { client(&start(dir.path()).await, "secret") });
    for profile in ["profile", "profile1", "profile12"] {
        let token = runtime.block_on(session(&client, "application", profile));
        let poll = |token: &str| {
            let answer = client.get_latest_configuration().configuration_token(token).send();
            runtime.block_on(answer).map_err(|error| error.code().map(str::to_owned))
        };
        assert_no_other_length(token.as_bytes(), b"", text(poll));
    }
}

#[tokio::test]
async fn a_bad_token_and_a_wrong_signature_are_refused() {
    let dir = TempDir::new().unwrap();
    let url = start(dir.path()).await;
    let client_of = |secret| client(&url, secret);
    let whole = session(&client_of("secret"), "application", "profile").await;
    for token in ["nonsense", &whole[1..], &whole[..whole.len() / 2]] {
        let error = client_of("secret").get_latest_configuration().configuration_token(token).send().await.unwrap_err();
        assert_eq!(error.code(), Some("BadRequestException"), "{token:?}");
    }
    let error = client_of("a guess").get_latest_configuration().configuration_token(whole).send().await.unwrap_err();
    let status = error.raw_response().unwrap().status().as_u16();
    assert_eq!((error.code(), status), (Some("UnrecognizedClientException"), 403));
}
