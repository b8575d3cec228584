//! The part of a deployment that SAM cannot do.
//!
//! This crate resolves parameters from the outputs of other stacks, brings stacks out of failed states, adopts tables and a bucket that hold data, deletes
//! without losing data by accident, and knows the order of the stacks.

mod account;
mod aws_error;
mod data;
mod delete;
mod deployed_stack;
mod environment;
pub mod graph;
mod log_groups;
mod params;
mod prepare;
mod stacks;
mod user_pool;

pub use account::{Account, AccountOptions, Waits};
pub use aws_error::AwsError;
pub use data::{DataError, Refusal, deploy as deploy_data, holds_data, plan as plan_data};
pub use delete::{DeleteError, delete};
pub use environment::{ConnectError, EnvironmentName};
pub use params::{ParamsError, check_bucket, params};
pub use prepare::{PrepareError, prepare};
pub use stacks::StackError;
pub use user_pool::PoolError;
