//! The failures of a deployment of data.

use firefly_templates::ParseError;

use super::plan::Refusal;
use crate::aws_error::AwsError;
use crate::graph::Stack;
use crate::stacks::StackError;

/// Why a table or bucket could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An operation on the stack failed.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Nothing may be touched as things are.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The template is not one that a table or bucket can be adopted with.
    #[error("stacks/{stack}.yaml: {cause}")]
    Template {
        /// The stack.
        stack: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// What was deployed is not what the template asks for.
    #[error("deployed, but {0}")]
    ReadBack(String),
    /// The stack keeps going back to states it was brought out of.
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
