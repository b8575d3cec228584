//! The API over HTTP.

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{BodyError, Deadlines, Listener};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::access::Actor;
use crate::account::Account;
use crate::change;
use crate::name;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::rows::View;
use crate::state::State;

/// Longest body of a request in bytes: a value of the longest kind, each character escaped, and a name.
const MAX_REQUEST_LENGTH: usize = 2 * 1024 * 1024;

/// The id of the account's user, who is also the first actor.
const USER_ID: u64 = 1;

/// An answer of the API that is no refusal.
enum Answer {
    Ok(Value),
    Created(Value),
    /// A change was made.
    Done,
}

/// Serves an account until `until` resolves and the requests under way are answered.
pub async fn serve(listener: Listener, account: Account, until: impl Future<Output = ()> + Send) {
    let deadlines = listener.limits().deadlines;
    let answer = move |_peer, request| answer(account.clone(), deadlines, request);
    listener.serve("balena", answer, until).await;
}

/// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
async fn answer(account: Account, deadlines: Deadlines, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    if emulator_kit::is_foreign(&head) {
        return emulator_kit::foreign();
    }
    if actor(&account, &account.state(), &head).is_none() {
        return Refusal::Unauthorized.into_response();
    }
    let body = match emulator_kit::read(body, MAX_REQUEST_LENGTH, deadlines.body).await {
        Ok(body) => body,
        Err(BodyError::TooLong) => return Refusal::TooLarge.into_response(),
        Err(error) => return Refusal::Malformed(error.to_string()).into_response(),
    };
    // Changes are written to the disk.
    let executed = tokio::task::spawn_blocking(move || execute(&account, &head, &body)).await;
    match executed {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// The owner of the key in `Authorization: Bearer KEY`.
fn actor(account: &Account, state: &State, head: &Parts) -> Option<Actor> {
    let key = head.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let actor = Actor::of(state, key)?;
    let is_refused = matches!(actor, Actor::Frozen(_)) && account.frozen_keys_are_refused();
    (!is_refused).then_some(actor)
}

fn execute(account: &Account, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/actor/v1/whoami") => {
            let state = account.state();
            Ok(Answer::Ok(whoami(&state, actor(account, &state, head).ok_or(Refusal::Unauthorized)?)))
        }
        (&Method::GET, "/user/v1/whoami") => match actor(account, &account.state(), head) {
            Some(Actor::User) => Ok(Answer::Ok(user())),
            _ => Err(Refusal::Unauthorized),
        },
        (_, "/actor/v1/whoami" | "/user/v1/whoami") => Err(Refusal::Method),
        (method, path) => records(account, head, method, path, body),
    }
}

/// Answers a request for records. The key is looked up again with the records, so that no change comes between.
fn records(account: &Account, head: &Parts, method: &Method, path: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let (resource, key) = name::parse(path)?;
    let query = Query::parse(head.uri.query(), resource).map_err(Refusal::Malformed)?;
    if query.searches_by_prefix() {
        account.count_prefix_search();
    }
    let conditions = [key.as_ref(), query.filter.as_ref()];
    let caller = |state: &State| actor(account, state, head).ok_or(Refusal::Unauthorized);
    match *method {
        Method::GET => {
            let state = account.state();
            let view = View { state: &state, actor: caller(&state)? };
            Ok(Answer::Ok(json!({ "d": view.rows(resource, key.as_ref(), &query) })))
        }
        Method::POST if key.is_none() => account.change(|state| {
            let actor = caller(state)?;
            let entity = change::create(state, actor, resource, body)?;
            Ok(Answer::Created(View { state, actor }.row(entity)))
        }),
        Method::PATCH => account.change(|state| {
            let actor = caller(state)?;
            change::update(state, actor, resource, &conditions, body).map(|()| Answer::Done)
        }),
        Method::DELETE => account.change(|state| {
            let actor = caller(state)?;
            change::delete(state, actor, resource, &conditions).map(|()| Answer::Done)
        }),
        _ => Err(Refusal::Method),
    }
}

fn whoami(state: &State, actor: Actor) -> Value {
    match actor {
        Actor::User => {
            json!({ "id": USER_ID, "actorType": "user", "actorTypeId": USER_ID, "username": "user", "email": "user@localhost" })
        }
        Actor::Device(id) | Actor::Frozen(id) => {
            let uuid = state.devices.get(&id).map(|device| device.uuid.clone());
            json!({ "id": USER_ID + id, "actorType": "device", "actorTypeId": id, "uuid": uuid })
        }
    }
}

fn user() -> Value {
    json!({ "id": USER_ID, "username": "user", "email": "user@localhost" })
}

impl Answer {
    fn into_response(self) -> Response {
        let json = "application/json; charset=utf-8";
        let (status, content_type, text) = match self {
            Self::Ok(value) => (StatusCode::OK, json, value.to_string()),
            Self::Created(value) => (StatusCode::CREATED, json, value.to_string()),
            Self::Done => (StatusCode::OK, "text/plain; charset=utf-8", "OK".to_owned()),
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}
