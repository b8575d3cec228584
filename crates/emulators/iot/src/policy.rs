//! AWS IoT Core policies: documents, parsed and evaluated.
//!
//! A request is allowed if a statement allows it and none denies it. `*` and `?` of a resource cross `/`; `+` and `#` are
//! ordinary characters of it. The value of a policy variable is never a wildcard. A resource or condition value with a
//! variable that has no value matches nothing. That holds in `Deny` statements as well, which then deny nothing.
//!
//! Source: AWS IoT Core Developer Guide, "AWS IoT Core policies"; IAM User Guide, "IAM policy elements: Variables and
//! tags".

mod condition;
mod document;
mod error;
mod pattern;
mod request;
mod statement;

use document::Document;
pub use error::MalformedPolicy;
pub use request::{Action, Request, Resource, Thing};
use statement::{Effect, Statement};

/// Most characters of a document without its white space (AWS IoT Core quotas).
const MAX_CHARACTERS: usize = 2_048;

/// Most characters of a document with its white space (`PolicyDocument` of the service model).
const MAX_TEXT: usize = 404_600;

/// A policy that was made of a valid document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// [`MalformedPolicy`], which says what is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedPolicy> {
        let count = text.chars().filter(|character| !character.is_whitespace()).count();
        if count > MAX_CHARACTERS || text.chars().count() > MAX_TEXT {
            return Err(MalformedPolicy::TooLong { count, limit: MAX_CHARACTERS });
        }
        let document: Document =
            serde_json::from_str(text).map_err(|error| MalformedPolicy::Syntax { reason: error.to_string() })?;
        let variables = document.has_variables(text)?;
        let statements = document.statements();
        if statements.is_empty() {
            return Err(MalformedPolicy::Empty { member: "Statement" });
        }
        let statements =
            statements.into_iter().map(|written| Statement::new(written, variables)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

/// Returns `true` if a statement of these policies allows the request and no statement of them denies it.
pub fn evaluate<'p>(policies: impl IntoIterator<Item = &'p Policy>, request: &Request<'_>) -> bool {
    let mut allowed = false;
    for statement in policies.into_iter().flat_map(|policy| &policy.statements) {
        if statement.applies_to(request) {
            match statement.effect() {
                Effect::Deny => return false,
                Effect::Allow => allowed = true,
            }
        }
    }
    allowed
}
