//! The parts that every emulator shares: who may call it, and how it serves connections.
//!
//! An emulator listens on the loopback interface, where every program of the machine and every page in a browser can
//! reach it. [`Callers`] admits those who know a secret, and no page; [`serve`] gives up on connections that stall.

mod body;
mod callers;
mod credentials;
mod listener;
mod signature;

pub use body::{BodyError, read};
pub use callers::{Caller, Callers, Grants, Refusal, foreign};
pub use credentials::Credentials;
pub use listener::{Deadlines, Limits, serve};
