//! One function of FireFly Cloud on Lambda.
//!
//! A type that implements [`Function`] turns events into replies; its `main` is [`run`]. [`Runner`] invokes it, on Lambda
//! and in the local cloud alike: it bounds the work by the function's timeout, counts and logs its [`Outcome`].
//!
//! Nothing here knows a table, a bucket or an HTTP status. The client of a service is made where it is used, of the
//! [`Service`](aws::Service) that [`Aws`] describes.

mod appconfig;
pub mod aws;
mod environment;
mod function;
pub mod log;
mod measured;
mod metrics;
mod outcome;
mod random;
mod run;
mod runner;
mod sampling;

pub use aws::Aws;
pub use environment::{ConfigError, Environment};
pub use function::{Function, MalformedEvent};
pub use measured::Measured;
pub use metrics::Metrics;
pub use outcome::{Ending, Outcome};
pub use random::Random;
pub use run::run;
pub use runner::{Invocation, Runner};
