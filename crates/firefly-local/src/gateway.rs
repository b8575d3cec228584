//! What an API Gateway HTTP API does: routes, JWT authorizer, CORS, payload 2.0 in and out, limits.

mod cors;
mod event;
mod reply;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{BodyError, Deadlines};
use firefly_core::time::UnixSeconds;
use firefly_functions::Running;
use firefly_runtime::Invocation;
use firefly_templates::{Authorizer, CorsTemplate, FunctionTemplate};
use http::{HeaderValue, Method, Request, StatusCode, header};
use tokio::sync::Semaphore;

use crate::jwt;
use event::EventParts;

/// Largest request body (API Gateway quotas for HTTP APIs: 10 MB).
const MAX_BODY_LENGTH: usize = 10 * 1024 * 1024;

/// Largest event and largest reply of a synchronous invocation in bytes (Lambda quotas: 6 MB each; Lambda's own error
/// names this number).
const MAX_PAYLOAD_LENGTH: usize = 6 * 1024 * 1024 + 100;

/// Reads the clock.
pub type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// The API: routes, authorizer and CORS.
pub(crate) struct Gateway {
    pub(crate) functions: Vec<Deployed>,
    pub(crate) authorizer: jwt::Authorizer,
    pub(crate) cors: CorsTemplate,
    pub(crate) clock: Clock,
    pub(crate) deadlines: Deadlines,
    /// One permit per invocation under way; whole requests beyond that wait. One process does the work of as many Lambda
    /// instances, and its time limits are to measure the work, not the queue.
    pub(crate) slots: Semaphore,
}

/// A function behind its route.
pub(crate) struct Deployed {
    pub(crate) template: FunctionTemplate,
    pub(crate) function: Running,
}

/// Answers one HTTP request.
pub(crate) async fn handle(gateway: Arc<Gateway>, peer: SocketAddr, request: Request<Body>) -> Response {
    let started = Instant::now();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let request_id = uuid::Uuid::new_v4().to_string();
    let line = format!("{} {}", request.method(), request.uri().path());
    let mut response = match cors::preflight(&gateway.cors, &request) {
        Some(preflight) => preflight,
        None => gateway.answer(peer, request, &request_id).await,
    };
    cors::apply(&gateway.cors, origin.as_ref(), &mut response);
    response.headers_mut().extend(HeaderValue::try_from(&request_id).ok().map(|id| (APIGW_REQUEST_ID, id)));
    let duration_ms = milliseconds(started);
    tracing::info!(request_id, line, status = response.status().as_u16(), duration_ms, "request");
    response
}

/// The header in which API Gateway names a request.
const APIGW_REQUEST_ID: header::HeaderName = header::HeaderName::from_static("apigw-requestid");

impl Gateway {
    async fn answer(&self, peer: SocketAddr, request: Request<Body>, request_id: &str) -> Response {
        let now = (self.clock)();
        let (parts, body) = request.into_parts();
        let matched = self.functions.iter().find_map(|deployed| {
            let parameters = path_parameters(deployed, &parts.method, parts.uri.path())?;
            Some((deployed, parameters))
        });
        let Some((deployed, path_parameters)) = matched else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        let claims = match &deployed.template.authorizer {
            Authorizer::None => None,
            Authorizer::Jwt => {
                let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                match self.authorizer.authorize(authorization, now).await {
                    Ok(claims) => Some(claims),
                    Err(error) => {
                        tracing::info!(request_id, cause = %error, "the token is refused");
                        return unauthorized();
                    }
                }
            }
        };
        let body = match emulator_kit::read(body, MAX_BODY_LENGTH, self.deadlines.body).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => return too_large(),
            Err(BodyError::Late) => return message(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            Err(BodyError::Broken) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        let event = event::build(EventParts {
            route: &deployed.template.route,
            parts: &parts,
            path_parameters,
            claims,
            body,
            peer,
            request_id,
            now,
        });
        match event {
            Ok(event) if event.len() > MAX_PAYLOAD_LENGTH => too_large(),
            Ok(event) => invoke(deployed, now, request_id, event).await,
            Err(event::BadRequest) => message(StatusCode::BAD_REQUEST, "Bad Request"),
        }
    }
}

async fn invoke(deployed: &Deployed, now: UnixSeconds, request_id: &str, event: String) -> Response {
    let timeout = Duration::from_secs(deployed.template.timeout_seconds);
    let invocation = Invocation { request_id: request_id.to_owned(), time_left: timeout };
    let started = Instant::now();
    // A task of its own, as a function is a process of its own: a panic or a client that leaves ends neither.
    let run = tokio::spawn((deployed.function)(now, invocation, event));
    let abort = run.abort_handle();
    let result = tokio::time::timeout(timeout, run).await;
    let duration_ms = milliseconds(started);
    let (function, memory_size_mb) = (&deployed.template.function_name, deployed.template.memory_mb);
    tracing::debug!(request_id, function, duration_ms, memory_size_mb, "report");
    let cause = match result {
        Ok(Ok(Ok(payload))) if payload.len() > MAX_PAYLOAD_LENGTH => {
            format!("its reply has {} bytes; Lambda takes {MAX_PAYLOAD_LENGTH}", payload.len())
        }
        Ok(Ok(Ok(payload))) => match reply::parse(&payload) {
            Ok(response) => return response,
            Err(error) => error.to_string(),
        },
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(panic)) => panic.to_string(),
        Err(_) => {
            abort.abort();
            format!("timed out after {} s", timeout.as_secs())
        }
    };
    tracing::error!(request_id, function, cause, "the function failed");
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The decoded path parameters, if method and path are the route's.
fn path_parameters(deployed: &Deployed, method: &Method, path: &str) -> Option<Vec<(String, String)>> {
    let route = &deployed.template.route;
    if route.method != *method {
        return None;
    }
    let (mut wanted, mut given) = (route.path.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => parameters.push((name.to_owned(), event::decode(given))),
                None if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// API Gateway's own answer to a token it refuses.
fn unauthorized() -> Response {
    let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn too_large() -> Response {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
}

/// API Gateway's own answers: `{"message": …}`.
fn message(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(serde_json::json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
