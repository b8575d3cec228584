//! The emulator with the SDK's client.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

#[path = "../../../../../tests/truncation.rs"]
pub mod truncation;

mod attachments;
mod authority;
mod certificates;
mod durability;
mod misbehaviour;
mod permissions;
mod policies;
mod races;
mod requests;
mod server;
mod things;
