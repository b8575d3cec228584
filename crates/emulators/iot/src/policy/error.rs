//! The reasons for which a policy document is refused.

/// The reason for which a policy document is refused. AWS answers such a document with `MalformedPolicyException`, whose
/// message begins with `Policy document is Malformed: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPolicy {
    /// The document is too long.
    #[error("the document has {count} characters without white space, more than {limit}, or too much white space")]
    TooLong {
        /// The characters that it has, without white space.
        count: usize,
        /// The characters that it may have, without white space.
        limit: usize,
    },
    /// The text is not JSON, or a member is missing, unknown, given twice or of another type.
    #[error("Invalid policy syntax. {reason}")]
    Syntax {
        /// The place and the fault.
        reason: String,
    },
    /// The version is another than 2012-10-17 and 2008-10-17.
    #[error("the version {version:?} is neither 2012-10-17 nor 2008-10-17")]
    Version {
        /// The version as written.
        version: String,
    },
    /// The document has policy variables, and its version none.
    #[error("policy variables need the version 2012-10-17")]
    VariablesInOldVersion,
    /// A list that needs a member has none.
    #[error("{member} is empty")]
    Empty {
        /// The name of the list.
        member: &'static str,
    },
    /// `NotAction` or `NotResource`: the guide of AWS IoT Core has neither.
    #[error("{element} is not an element of AWS IoT policies")]
    NotSupported {
        /// The name of the element.
        element: &'static str,
    },
    /// An action is not of the form `service:Name`, or no action of AWS IoT has that name.
    #[error("the action {action:?} is not one of AWS IoT")]
    Action {
        /// The action as written.
        action: String,
    },
    /// A resource is neither `*` nor an ARN.
    #[error("The resource [{resource}] is not in valid ARN format")]
    Resource {
        /// The resource as written.
        resource: String,
    },
    /// A policy variable has no end, or the broker does not know it.
    #[error("the policy variable in {text:?} is not known")]
    Variable {
        /// The text that the variable stands in.
        text: String,
    },
    /// A condition's operator is not one that its key takes, or the key is not one that the broker knows.
    #[error("the condition {operator} on {key} is not supported")]
    Condition {
        /// The operator as written.
        operator: String,
        /// The key as written.
        key: String,
    },
    /// A value of the operator `Bool` is neither `true` nor `false`.
    #[error("{value:?} is neither true nor false")]
    NotBool {
        /// The value as written.
        value: String,
    },
}
