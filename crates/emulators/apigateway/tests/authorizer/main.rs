//! The tokens that the authorizer lets through, and the keys that it judges them by.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod issuer;
mod judging;
mod keys;
#[path = "../../../../../tests/truncation.rs"]
pub mod truncation;
