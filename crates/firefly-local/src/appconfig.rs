//! AppConfig's data API, serving files.
//!
//! The profile `P` of the application `A` is the file `A/P.json` in the directory of configurations, else `P.json`, which
//! holds for every application. A file is read at every poll.
//!
//! Source: AppConfig Data API Reference.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use emulator_kit::{self as kit, Callers, Deadlines, Refusal};

/// Longest request body in bytes: a few names.
const MAX_REQUEST_LENGTH: usize = 64 * 1024;

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

/// The API over a directory of configurations, and those who may call it.
#[derive(Clone)]
pub(crate) struct AppConfigData {
    dir: Arc<PathBuf>,
    callers: Callers,
    deadlines: Deadlines,
}

impl AppConfigData {
    pub(crate) fn new(dir: &Path, callers: Callers, deadlines: Deadlines) -> Self {
        Self { dir: Arc::new(dir.to_owned()), callers, deadlines }
    }

    /// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
    pub(crate) async fn answer(self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let caller = match self.callers.admit(&head) {
            Ok(caller) => caller,
            Err(Refusal::Foreign) => return kit::foreign(),
            Err(Refusal::Credentials) => return forbidden(),
        };
        match kit::read(body, MAX_REQUEST_LENGTH, self.deadlines.body).await {
            Ok(body) if caller.signed(&head, &body) => self.execute(&head, &body),
            Ok(_) => forbidden(),
            Err(_) => error(StatusCode::BAD_REQUEST, "BadRequestException", "The request has no body that can be read"),
        }
    }

    fn execute(&self, head: &Parts, body: &[u8]) -> Response {
        match (&head.method, head.uri.path()) {
            (&Method::POST, "/configurationsessions") => start_session(body),
            (&Method::GET, "/configuration") => self.latest(head.uri.query().unwrap_or_default()),
            _ => error(StatusCode::NOT_FOUND, "ResourceNotFoundException", "There is no such operation"),
        }
    }

    fn latest(&self, query: &str) -> Response {
        let token = query.split('&').find_map(|pair| Token::decode(pair.strip_prefix("configuration_token=")?));
        let Some(token) = token else {
            return error(StatusCode::BAD_REQUEST, "BadRequestException", "Request token is invalid");
        };
        let content = token.read(&self.dir);
        // As AppConfig does, nothing is sent again that was sent last.
        let body = content.clone().filter(|content| token.last.as_ref() != Some(content)).unwrap_or_default();
        let next = Token { last: content, ..token }.encode();
        let mut response = json_response(StatusCode::OK, body);
        let headers = [
            (HeaderName::from_static("next-poll-configuration-token"), HeaderValue::try_from(next).ok()),
            (HeaderName::from_static("next-poll-interval-in-seconds"), Some(POLL_INTERVAL_SECONDS.into())),
        ];
        response.headers_mut().extend(headers.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response
    }
}

fn start_session(body: &[u8]) -> Response {
    let Ok(session) = serde_json::from_slice::<StartSession>(body) else {
        return error(StatusCode::BAD_REQUEST, "BadRequestException", "The request is malformed");
    };
    let token = Token {
        application: session.application_identifier,
        profile: session.configuration_profile_identifier,
        last: None,
    };
    json_response(StatusCode::CREATED, json!({ "InitialConfigurationToken": token.encode() }).to_string())
}

fn forbidden() -> Response {
    let message = "The security token included in the request is invalid.";
    error(StatusCode::FORBIDDEN, "UnrecognizedClientException", message)
}

fn error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
    let mut response = json_response(status, json!({ "Message": message }).to_string());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(kind));
    response
}

fn json_response(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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
