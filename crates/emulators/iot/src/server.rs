//! The server: admits principals, reads requests and answers them.

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{Deadlines, Listener, Principal, Principals, Refusal as Stranger};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use serde_json::Value;

use crate::input::Input;
use crate::refusal::{Kind, Refusal};
use crate::registry::Registry;
use crate::routes;

/// Longest body of a request in bytes: that of the longest policy.
const MAX_REQUEST_LENGTH: usize = 1024 * 1024;

/// The API over a registry, and its principals.
#[derive(Clone)]
struct Api {
    registry: Registry,
    principals: Principals,
    deadlines: Deadlines,
}

/// Serves the registry to `principals` until `until` resolves and the requests under way are answered.
pub async fn serve(
    listener: Listener,
    registry: Registry,
    principals: Principals,
    until: impl Future<Output = ()> + Send,
) {
    let api = Api { registry, principals, deadlines: listener.limits().deadlines };
    let answer = move |_peer, request| api.clone().answer(request);
    listener.serve("IoT Core", answer, until).await;
}

impl Api {
    /// Answers one HTTP request. A stranger learns nothing, and the body of a stranger's request is not read.
    async fn answer(self, request: Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let principal = match self.principals.admit(&head) {
            Ok(principal) => principal,
            Err(Stranger::Foreign) => return emulator_kit::foreign(),
            Err(Stranger::Credentials) => return refused(&unknown()),
        };
        let answered = match emulator_kit::read(body, MAX_REQUEST_LENGTH, self.deadlines.body).await {
            Ok(body) if principal.signed(&head, &body) => self.execute(principal, &head, &body).await,
            Ok(_) => Err(unknown()),
            Err(error) => Err(Refusal::invalid(format!("{error}"))),
        };
        answered.map_or_else(|refusal| refused(&refusal), done)
    }

    async fn execute(&self, principal: &Principal, head: &Parts, body: &[u8]) -> Result<Value, Refusal> {
        let (route, captures) = routes::find(head.method.as_str(), head.uri.path())?;
        let action = format!("iot:{}", route.operation);
        if !principal.grants.allow(&action) {
            let message = format!("User: {} is not authorized to perform: {action}", principal.access_key_id);
            return Err(Refusal::new(Kind::AccessDenied, message));
        }
        let input = Input::new(captures, route.query, head, body)?;
        let registry = self.registry.clone();
        // A call that has begun is finished, even if its client has gone.
        let call = tokio::task::spawn_blocking(move || registry.call(route, &input)).await;
        call.unwrap_or_else(|error| {
            tracing::error!(cause = %error, "an operation did not end");
            Err(Refusal::new(Kind::InternalFailure, "An unexpected error has occurred."))
        })
    }
}

fn unknown() -> Refusal {
    Refusal::new(Kind::UnrecognizedClient, "The security token included in the request is invalid.")
}

fn done(answer: Value) -> Response {
    let body = if answer.is_null() { String::new() } else { answer.to_string() };
    response(StatusCode::OK, body)
}

fn refused(refusal: &Refusal) -> Response {
    const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, refusal.body().to_string());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(refusal.name()));
    response
}

fn response(status: StatusCode, body: String) -> Response {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let id = HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).ok();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().extend(id.map(|id| (REQUEST_ID, id)));
    response
}
