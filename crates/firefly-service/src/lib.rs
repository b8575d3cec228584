//! What every function of FireFly Cloud shares.
//!
//! A function is a type that implements [`Function`]: it holds the stores it works with and answers requests. Its
//! `main` is [`run`]. [`Runner`] is what both Lambda and the local cloud invoke.
//!
//! Stores are concrete: the AWS SDK's client and a table's or bucket's name. Those that act for a device take
//! [`VerifiedDevice`](devices::VerifiedDevice), which only [`Devices`](devices::Devices) makes, after signature and nonce.

mod appconfig;
pub mod aws;
pub mod backups;
pub mod devices;
pub mod environment;
pub mod error;
mod function;
pub mod http;
pub mod log;
pub mod metrics;
pub mod registration_keys;
mod store;

pub use ::http::StatusCode;
pub use firefly_core::time::UnixSeconds;
pub use function::{Function, Invocation, Runner, run};
pub use lambda_http::Request;
pub use store::StoreError;
