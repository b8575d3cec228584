//! The failures of a deployment of data.

use firefly_templates::ParseError;

use super::plan::Refusal;
use crate::aws_error::AwsError;
use crate::graph::Stack;
use crate::stacks::StackError;

/// The reason why a table or bucket could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An operation on the stack failed.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The state that was found allows no change.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A table or bucket cannot be adopted with the template.
    #[error("stacks/{stack}.yaml: {cause}")]
    Template {
        /// The stack.
        stack: &'static str,
        /// The fault of the template.
        cause: String,
    },
    /// The deployed table or bucket differs from the template.
    #[error("deployed, but {0}")]
    ReadBack(String),
    /// The stack keeps returning to states that it was brought out of.
    #[error("the stack {stack} does not come to rest; look at its events and run again")]
    Restless {
        /// The stack.
        stack: String,
    },
}

impl DataError {
    pub(crate) fn template(stack: &Stack, error: &ParseError) -> Self {
        Self::Template { stack: stack.name, cause: format!("not a template: {error}") }
    }
}
