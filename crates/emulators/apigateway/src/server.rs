//! The server: finds the route, asks the authorizer, and invokes the function.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use emulator_kit::{BodyError, Deadlines, Listener};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, header};
use tokio::sync::Semaphore;

use crate::answers::Refusal;
use crate::api::{Api, LambdaRoute};
use crate::authorizer::Claims;
use crate::event::{self, BadRequest, EventParts};
use crate::lambda::{MAX_PAYLOAD_LENGTH, milliseconds};
use crate::memory::{Held, Memory};
use crate::throttle::Bucket;

/// Largest request body (API Gateway quotas for HTTP APIs: 10 MB).
const MAX_BODY_LENGTH: usize = 10 * 1024 * 1024;

/// Longest request line and header values, in bytes in all (API Gateway quotas for HTTP APIs: 10,240).
const MAX_HEAD_LENGTH: usize = 10_240;

/// The header in which API Gateway names a request.
const APIGW_REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// A route, and its path parameters by name.
type Matched<'a> = (&'a LambdaRoute, Vec<(String, String)>);

/// An API that is served.
struct Gateway {
    api: Api,
    deadlines: Deadlines,
    memory: Memory,
    throttle: Option<Bucket>,
    /// One permit per execution that Lambda would have under way.
    executions: Option<Semaphore>,
    /// One permit per invocation under way.
    slots: Semaphore,
}

/// Serves the API to everybody until `until` resolves and the requests under way are answered.
pub async fn serve(listener: Listener, api: Api, until: impl Future<Output = ()> + Send) {
    let gateway = Arc::new(Gateway {
        deadlines: listener.limits().deadlines,
        memory: Memory::new(listener.limits().patience),
        throttle: api.throttle.map(|throttle| Bucket::full(throttle, Instant::now())),
        executions: api.executions.map(Semaphore::new),
        slots: Semaphore::new(api.concurrency),
        api,
    });
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
        // Its template: a path may hold a registration key.
        let (method, path) = (request.method(), request.uri().path());
        let route = self.api.routes.iter().find(|route| route.parameters(method, path).is_some());
        let route = route.map_or_else(|| format!("{method} without a route"), LambdaRoute::key);
        let mut response = match self.api.cors.preflight(&request) {
            Some(preflight) => preflight,
            None => self.answer(peer, request, &request_id).await.unwrap_or_else(Refusal::answer),
        };
        self.api.cors.apply(origin.as_ref(), &mut response);
        response.headers_mut().extend(HeaderValue::try_from(&request_id).ok().map(|id| (APIGW_REQUEST_ID, id)));
        let duration_ms = milliseconds(started);
        tracing::info!(request_id, route, status = response.status().as_u16(), duration_ms, "request");
        response
    }

    /// The function's answer, or the gateway's own refusal.
    async fn answer(&self, peer: SocketAddr, request: Request<Body>, request_id: &str) -> Result<Response, Refusal> {
        let now = (self.api.clock)();
        let (parts, body) = request.into_parts();
        if head_length(&parts) > MAX_HEAD_LENGTH {
            emulator_kit::discard(body, MAX_BODY_LENGTH, self.deadlines.body).await;
            return Err(Refusal::HeaderFieldsTooLarge);
        }
        let (route, path_parameters) = self.route(&parts)?;
        if self.throttle.as_ref().is_some_and(|bucket| bucket.take(Instant::now()).is_err()) {
            emulator_kit::discard(body, MAX_BODY_LENGTH, self.deadlines.body).await;
            return Err(Refusal::TooManyRequests);
        }
        let claims = self.authorize(route, &parts, now, request_id).await?;
        let Held { body, share: _share } = self.read(body).await?;
        if event::least_length(&parts.headers, &body) > MAX_PAYLOAD_LENGTH {
            return Err(Refusal::EntityTooLarge);
        }
        let _execution = match &self.executions {
            Some(executions) => Some(executions.try_acquire().map_err(|_| Refusal::ServiceUnavailable)?),
            None => None,
        };
        // The semaphore is never closed.
        let _slot = self.slots.acquire().await;
        let route_key = route.key();
        let from =
            EventParts { route_key: &route_key, parts: &parts, path_parameters, claims, body, peer, request_id, now };
        match event::build(from) {
            Ok(event) if event.len() > MAX_PAYLOAD_LENGTH => Err(Refusal::EntityTooLarge),
            Ok(event) => Ok(route.function.answer(now, request_id, event).await),
            Err(BadRequest) => Err(Refusal::BadRequest),
        }
    }

    /// The route of a request, and its path parameters.
    fn route(&self, parts: &Parts) -> Result<Matched<'_>, Refusal> {
        let matched = self.api.routes.iter().find_map(|route| {
            let parameters = route.parameters(&parts.method, parts.uri.path())?;
            Some((route, parameters))
        });
        matched.ok_or(Refusal::NotFound)
    }

    /// The claims of the token, if the route needs one.
    async fn authorize(
        &self,
        route: &LambdaRoute,
        parts: &Parts,
        now: u64,
        request_id: &str,
    ) -> Result<Option<Claims>, Refusal> {
        if !route.needs_token {
            return Ok(None);
        }
        let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match self.api.authorizer.authorize(authorization, now).await {
            Ok(claims) => Ok(Some(claims)),
            Err(error) => {
                tracing::info!(request_id, cause = %error, "the token is refused");
                Err(Refusal::Unauthorized)
            }
        }
    }

    async fn read(&self, body: Body) -> Result<Held, Refusal> {
        self.memory.read(body, MAX_BODY_LENGTH, self.deadlines.body).await.map_err(|error| match error {
            BodyError::TooLong => Refusal::EntityTooLarge,
            BodyError::Late => Refusal::RequestTimeout,
            BodyError::Broken => Refusal::BadRequest,
        })
    }
}

/// The bytes of a request line and of all header values: `GET /things HTTP/1.1` has 19.
fn head_length(parts: &Parts) -> usize {
    let line = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
    line.len() + parts.headers.values().map(HeaderValue::len).sum::<usize>()
}
