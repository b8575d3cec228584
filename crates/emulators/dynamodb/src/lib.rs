//! Amazon DynamoDB on the loopback interface: its protocol in front of an engine on SQLite.
//!
//! Tables are made with CreateTable and UpdateTimeToLive, as in AWS. The page `docs/emulators/dynamodb.md` tells what
//! differs from DynamoDB.

mod database;
mod operations;
mod protocol;
mod server;

pub use database::{Database, OpenError};
pub use server::serve;
