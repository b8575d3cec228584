//! The parts that every emulator of an AWS service shares.
//!
//! An emulator listens on the loopback interface, where every program of the machine and every page in a browser can
//! reach it. [`Principals`] admits those who know a secret, and no page. [`Listener`] serves connections and gives up those
//! that stall.
//!
//! Each emulator is a crate with a function `serve(listener, state, principals, until)`. It answers requests until `until`
//! resolves, then finishes those under way. [`proxy`] and [`faults`] are for tests: they stand in front of an emulator and
//! change what passes.

mod activity;
mod body;
mod credentials;
mod date;
pub mod faults;
mod input;
mod limits;
mod listener;
mod places;
mod principals;
pub mod proxy;
mod signature;
mod watched;

pub use body::{BodyError, discard, read};
pub use credentials::Credentials;
pub use limits::{Deadlines, Limits};
pub use listener::Listener;
pub use principals::{Grants, Principal, Principals, Refusal, foreign, is_foreign};
