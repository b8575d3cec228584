//! The commands, one file each.

pub(crate) mod devices;
pub(crate) mod env;
pub(crate) mod mint;
mod next_steps;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod token;
