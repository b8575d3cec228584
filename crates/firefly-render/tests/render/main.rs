//! The compiled command on copies of this repository's tree.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod bad_input;
mod bad_tree;
mod change;
mod extra;
mod grants;
mod growth;
mod repair;
mod tree;
mod usage;
