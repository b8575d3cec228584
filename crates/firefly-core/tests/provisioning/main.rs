//! Provisioning: the forms, and the rule over a simulated AWS, balena and table.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "../../../../tests/truncation.rs"]
pub mod truncation;

mod answers;
mod endings;
mod forms;
mod matrix;
mod model;
mod runs;
mod story;
mod world;
