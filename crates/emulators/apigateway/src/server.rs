//! The server: finds the route, asks the authorizer, and invokes the function.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{BodyError, Deadlines, Listener};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use tokio::sync::Semaphore;

use crate::answers::{message, too_large, unauthorized};
use crate::api::Api;
use crate::event::{self, BadRequest, EventParts};
use crate::lambda::{MAX_PAYLOAD_LENGTH, milliseconds};

/// Largest request body (API Gateway quotas for HTTP APIs: 10 MB).
const MAX_BODY_LENGTH: usize = 10 * 1024 * 1024;

/// The header in which API Gateway names a request.
const APIGW_REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// An API that is served.
struct Gateway {
    api: Api,
    deadlines: Deadlines,
    /// One permit per invocation under way.
    slots: Semaphore,
}

/// Serves the API to everybody until `until` resolves and the requests under way are answered.
pub async fn serve(listener: Listener, api: Api, until: impl Future<Output = ()> + Send) {
    let slots = Semaphore::new(api.concurrency);
    let gateway = Arc::new(Gateway { api, deadlines: listener.limits().deadlines, slots });
    let answer = move |peer, request| {
        let gateway = Arc::clone(&gateway);
        async move { gateway.handle(peer, request).await }
    };
    listener.serve("the gateway", answer, until).await;
}

impl Gateway {
    /// Answers one HTTP request, under an id of its own.
    async fn handle(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        let started = Instant::now();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let request_id = uuid::Uuid::new_v4().to_string();
        let line = format!("{} {}", request.method(), request.uri().path());
        let mut response = match self.api.cors.preflight(&request) {
            Some(preflight) => preflight,
            None => self.answer(peer, request, &request_id).await,
        };
        self.api.cors.apply(origin.as_ref(), &mut response);
        response.headers_mut().extend(HeaderValue::try_from(&request_id).ok().map(|id| (APIGW_REQUEST_ID, id)));
        let duration_ms = milliseconds(started);
        tracing::info!(request_id, line, status = response.status().as_u16(), duration_ms, "request");
        response
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Body>, request_id: &str) -> Response {
        let now = (self.api.clock)();
        let (parts, body) = request.into_parts();
        let matched = self.api.routes.iter().find_map(|route| {
            let parameters = route.parameters(&parts.method, parts.uri.path())?;
            Some((route, parameters))
        });
        let Some((route, path_parameters)) = matched else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        let mut claims = None;
        if route.needs_token {
            let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            match self.api.authorizer.authorize(authorization, now).await {
                Ok(accepted) => claims = Some(accepted),
                Err(error) => {
                    tracing::info!(request_id, cause = %error, "the token is refused");
                    return unauthorized();
                }
            }
        }
        let body = match emulator_kit::read(body, MAX_BODY_LENGTH, self.deadlines.body).await {
            Ok(body) => body,
            Err(BodyError::TooLong) => return too_large(),
            Err(BodyError::Late) => return message(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            Err(BodyError::Broken) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        let route_key = route.key();
        let from =
            EventParts { route_key: &route_key, parts: &parts, path_parameters, claims, body, peer, request_id, now };
        match event::build(from) {
            Ok(event) if event.len() > MAX_PAYLOAD_LENGTH => too_large(),
            Ok(event) => route.function.answer(now, request_id, event).await,
            Err(BadRequest) => message(StatusCode::BAD_REQUEST, "Bad Request"),
        }
    }
}
