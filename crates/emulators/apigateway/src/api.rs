//! The configuration of an HTTP API.

use std::sync::Arc;

use http::Method;

use crate::authorizer::Authorizer;
use crate::cors::Cors;
use crate::event::decode;
use crate::lambda::LambdaFunction;
use crate::throttle::Throttle;

/// Reads the clock: whole seconds since 1970-01-01T00:00:00Z.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// An HTTP API with its routes.
pub struct Api {
    /// The routes. The first one that matches a request is taken.
    pub routes: Vec<LambdaRoute>,
    /// Judges the tokens of requests to routes that need one.
    pub authorizer: Authorizer,
    /// The pages that may call the API.
    pub cors: Cors,
    /// The clock of events and of the authorizer.
    pub clock: Clock,
    /// Most invocations at a time; whole requests beyond that wait. One process does the work of as many Lambda
    /// instances, and the functions' timeouts are to measure the work, not the queue.
    pub concurrency: usize,
    /// The throttle of the stage: requests beyond it are answered 429. `None` refuses none.
    pub throttle: Option<Throttle>,
    /// Lambda's concurrent executions: whole requests beyond this many under way, running or waiting, are answered 503.
    /// `None` refuses none.
    pub executions: Option<usize>,
}

/// A route and the function behind it.
pub struct LambdaRoute {
    /// The method.
    pub method: Method,
    /// The path, whose variable segments stand in braces: `/things/{id}`.
    pub path: String,
    /// `true` if a request needs a token that the authorizer accepts.
    pub needs_token: bool,
    /// The function that answers.
    pub function: LambdaFunction,
}

impl LambdaRoute {
    /// The route as API Gateway names it: `GET /things/{id}`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The decoded path parameters, if method and path are the route's. A parameter is not empty.
    pub(crate) fn parameters(&self, method: &Method, path: &str) -> Option<Vec<(String, String)>> {
        if self.method != *method {
            return None;
        }
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        let mut parameters = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(parameters),
                (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !given.is_empty() => parameters.push((name.to_owned(), decode(given))),
                    None if wanted == given => {}
                    _ => return None,
                },
                _ => return None,
            }
        }
    }
}
