//! The API at its door.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod access;
mod account;
mod faults;
mod filters;
mod lists;
mod server;
mod variables;
