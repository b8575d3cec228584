//! The account of the stand-in.

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";
/// The environment that the account holds.
pub(crate) const ENVIRONMENT: &str = "production";
pub(crate) const BOOTSTRAP_STACK: &str = "firefly-bootstrap";

/// The template of the stack bootstrap.
pub(super) static BOOTSTRAP: &str = include_str!("../../../../../stacks/bootstrap.yaml");
