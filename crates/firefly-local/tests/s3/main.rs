//! The embedded S3 over loopback, with the real SDK client and, for what that would never send, signed raw requests.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod objects;
mod refusals;
mod server;
mod versions;
