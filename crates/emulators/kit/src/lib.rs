//! The parts that every emulator of an AWS service shares.
//!
//! An emulator listens on the loopback interface, where every program of the machine and every page in a browser can
//! reach it. [`Callers`] admits those who know a secret, and no page. [`Listener`] serves connections and gives up those
//! that stall.
//!
//! Each emulator is a crate with a function `serve(listener, state, callers, until)`. It answers requests until `until`
//! resolves, then finishes those under way. [`proxy`] and [`faults`] are for tests: they stand in front of an emulator and
//! change what passes.

mod activity;
mod body;
mod callers;
mod credentials;
pub mod faults;
mod limits;
mod listener;
mod places;
pub mod proxy;
mod signature;
mod watched;

pub use body::{BodyError, read};
pub use callers::{Caller, Callers, Grants, Refusal, foreign};
pub use credentials::Credentials;
pub use limits::{Deadlines, Limits};
pub use listener::Listener;
