//! Functions behind routes of an API Gateway HTTP API.
//!
//! A type that implements [`Route`] answers requests; [`Http`] makes a function of it. Handlers read requests with
//! [`Request`], and every way to fail is an [`ApiError`], whose table names status and message.

mod answer;
mod edge;
mod error;
mod event;
mod failure;
#[cfg(feature = "openapi")]
pub mod openapi;
mod request;
mod route;

pub use answer::Answer;
pub use error::ApiError;
pub use event::Event;
pub use failure::{Failure, FailureBody};
pub use http::{StatusCode, header};
pub use request::Request;
pub use route::{Http, Route};
