//! The stores on the embedded engines, through the SDK's own clients.
//!
//! Each failed condition, each malformed item and each race of a store is shown here by the value that the store returns.
//! The answers that callers get of these values are shown at the door, in `tests/`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod admission;
mod backup_date;
mod backups;
mod controller;
mod cursor;
mod engines;
mod faults;
mod listing;
mod operator;
mod registration_keys;
mod registrations;
mod replay_record;
#[path = "../../../../tests/truncation.rs"]
pub mod truncation;
mod wrong_keys;
