//! The server: starts sessions and answers polls.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{Deadlines, Listener, Principals, Refusal};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::token::Token;

/// Longest request body in bytes: a few names.
const MAX_REQUEST_LENGTH: usize = 64 * 1024;

/// Seconds that a client is told to wait between polls, the least that AppConfig allows.
const POLL_INTERVAL_SECONDS: u64 = 15;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartSession {
    application_identifier: String,
    configuration_profile_identifier: String,
}

/// The API over a directory of configurations, and its principals.
#[derive(Clone)]
struct Api {
    dir: Arc<PathBuf>,
    principals: Principals,
    deadlines: Deadlines,
}

/// Serves the configurations in `dir` to `principals` until `until` resolves and the requests under way are answered.
pub async fn serve(listener: Listener, dir: PathBuf, principals: Principals, until: impl Future<Output = ()> + Send) {
    let api = Api { dir: Arc::new(dir), principals, deadlines: listener.limits().deadlines };
    let answer = move |_peer, request| api.clone().answer(request);
    listener.serve("AppConfig", answer, until).await;
}

impl Api {
    /// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
    async fn answer(self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let principal = match self.principals.admit(&head) {
            Ok(principal) => principal,
            Err(Refusal::Foreign) => return emulator_kit::foreign(),
            Err(Refusal::Credentials) => return forbidden(),
        };
        match emulator_kit::read(body, MAX_REQUEST_LENGTH, self.deadlines.body).await {
            Ok(body) if principal.signed(&head, &body) => self.execute(&head, &body),
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
        // Like AppConfig, the answer is empty when it would repeat the one before.
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
