//! The whole FireFly Cloud on one machine.
//!
//! [`Cloud`] starts an embedded DynamoDB, an embedded S3, AppConfig's data API, the nine functions and, in front of them,
//! what an API Gateway HTTP API does. The functions are those that are deployed, reached through the same events;
//! routes, authorizers, environment, timeouts, tables, bucket and CORS come from the templates that are deployed.

mod appconfig;
mod cloud;
mod data_dir;
mod dynamodb;
mod gateway;
pub mod jwt;
pub mod object_store;
pub mod s3;
pub mod template;

pub use cloud::{Cloud, CloudError, Data, Options, TokenIssuer};
pub use data_dir::{DataDirError, create_private};
pub use dynamodb::DynamoDbError;
pub use gateway::Clock;
