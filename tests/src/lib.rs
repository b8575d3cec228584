//! What the end-to-end tests share: a local cloud of their own with a clock they set.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up has failed"
)]

pub mod answer;
mod cloud;
pub mod faults;
pub mod recorder;
pub mod runtime_api;
pub mod seeds;
pub mod stored;
pub mod targets;
pub mod wire;

pub use cloud::{START, TestCloud, new_device};
