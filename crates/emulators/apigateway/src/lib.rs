//! An API Gateway HTTP API on the loopback interface, in front of Lambda functions.
//!
//! It has routes, a JWT authorizer, CORS, payload format 2.0, a throttle, and the quotas on the sizes of requests, events
//! and replies. A function is called with the JSON text of an event and answers with the JSON text of a response, as its
//! binary does on Lambda. The page `docs/emulators/api-gateway.md` tells what differs from AWS.

mod answers;
mod api;
mod authorizer;
mod cors;
pub mod event;
mod key_set;
mod key_source;
mod lambda;
mod memory;
mod reply;
mod server;
mod throttle;

pub use api::{Api, Clock, LambdaRoute};
pub use authorizer::{Authorizer, Claims, Unauthorized};
pub use cors::Cors;
pub use key_set::{KeySet, KeySetError};
pub use lambda::{Invocation, Invoke, LambdaFunction};
pub use server::serve;
pub use throttle::Throttle;
