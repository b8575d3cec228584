//! The workflows are those of the deployment's table of stacks, in its order, with no more rights than they need.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod binaries;
mod pins;
mod readme;
mod rights;
mod stacks;
mod workflow;
