//! The emulator with the SDK's client and, for requests that the SDK does not send, signed raw requests.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod copies;
mod listings;
mod multipart;
mod objects;
mod reads;
mod refusals;
mod server;
mod signing;
mod version_listing;
mod versions;
