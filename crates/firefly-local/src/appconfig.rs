//! AppConfig's data API, serving files.
//!
//! The profile `P` of the application `A` is the file `A/P.json` in the directory of configurations, else `P.json`, which
//! holds for every application. A file is read at every poll.
//!
//! Source: AppConfig Data API Reference.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Seconds that a client is told to wait between polls; the least that AppConfig allows.
const POLL_INTERVAL_SECONDS: u64 = 15;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartSession {
    application_identifier: String,
    configuration_profile_identifier: String,
}

/// What a token says: which profile, and what of it was sent last.
#[derive(Serialize, Deserialize)]
struct Token {
    application: String,
    profile: String,
    last: Option<String>,
}

#[derive(Deserialize)]
struct Latest {
    configuration_token: String,
}

/// The API over the configurations in `dir`.
pub(crate) fn router(dir: &Path) -> Router {
    Router::new()
        .route("/configurationsessions", post(start_session))
        .route("/configuration", get(latest))
        .with_state(Arc::new(dir.to_owned()))
}

async fn start_session(Json(session): Json<StartSession>) -> Response {
    let token = Token {
        application: session.application_identifier,
        profile: session.configuration_profile_identifier,
        last: None,
    };
    (StatusCode::CREATED, Json(json!({ "InitialConfigurationToken": token.encode() }))).into_response()
}

async fn latest(State(dir): State<Arc<PathBuf>>, Query(query): Query<Latest>) -> Response {
    let Some(token) = Token::decode(&query.configuration_token) else {
        let error = [("x-amzn-errortype", "BadRequestException")];
        return (StatusCode::BAD_REQUEST, error, Json(json!({ "Message": "Request token is invalid" })))
            .into_response();
    };
    let content = token.read(&dir);
    // As AppConfig does, nothing is sent again that was sent last.
    let body = content.clone().filter(|content| token.last.as_ref() != Some(content)).unwrap_or_default();
    let next = Token { last: content, ..token }.encode();
    let headers = [
        ("Next-Poll-Configuration-Token", next),
        ("Next-Poll-Interval-In-Seconds", POLL_INTERVAL_SECONDS.to_string()),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    (StatusCode::OK, headers, Body::from(body)).into_response()
}

impl Token {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    fn read(&self, dir: &Path) -> Option<String> {
        let plain = |name: &str| name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
        if !plain(&self.application) || !plain(&self.profile) {
            return None;
        }
        let file = format!("{}.json", self.profile);
        let own = std::fs::read_to_string(dir.join(&self.application).join(&file));
        own.or_else(|_| std::fs::read_to_string(dir.join(file))).ok()
    }
}
