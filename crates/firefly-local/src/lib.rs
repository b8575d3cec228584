//! The whole FireFly Cloud on one machine.
//!
//! [`Cloud`] starts an embedded DynamoDB, an embedded S3, AppConfig's data API, every function and, in front of them, an
//! emulator of API Gateway's HTTP APIs. The functions are those that are deployed, reached through the same events;
//! routes, authorizers, environment, timeouts, tables, bucket and CORS come from the templates that are deployed.

mod cloud;
mod data_dir;
pub mod engines_file;
pub mod files;
pub mod issuer;
pub mod openapi;
pub mod stacks;
pub mod tables;

pub use cloud::{Clock, Cloud, CloudError, CloudOptions, Credentials, Data, TokenIssuer};
pub use data_dir::{DataDirError, private_dir};
