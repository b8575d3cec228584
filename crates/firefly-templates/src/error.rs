//! The errors of a template that cannot be read.

/// A template lacks or contradicts something that is asked of it; the error names the place.
#[derive(Debug, thiserror::Error)]
#[error("template {template}, {member}: {problem}")]
pub struct TemplateError {
    /// The template's name.
    pub template: String,
    /// The member at fault, as a path such as `Resources.Function.Properties.Timeout`.
    pub member: String,
    /// The fault.
    pub problem: Problem,
}

/// A fault at one member of a template.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The text is not a template.
    #[error(transparent)]
    Text(#[from] ParseError),
    /// The member is absent or of another shape.
    #[error("{0}")]
    Shape(String),
    /// No resource of this type, or more than one, where one is needed.
    #[error("one resource of type {kind} is needed, {found} are there")]
    ResourceCount {
        /// The CloudFormation resource type.
        kind: &'static str,
        /// The number of resources of the type.
        found: usize,
    },
    /// A parameter has neither a value nor a default.
    #[error("the parameter {0} has neither a value nor a default")]
    ParameterWithoutValue(String),
    /// A parameter's value is not of the parameter's type.
    #[error("the parameter {name} is of type {kind} and cannot be {value:?}")]
    ParameterValue {
        /// The parameter.
        name: String,
        /// Its declared type.
        kind: String,
        /// The value given.
        value: String,
    },
    /// A name is not a parameter, a resource or a pseudo-parameter.
    #[error("{0} is no parameter, resource or pseudo-parameter of the template")]
    UnknownName(String),
    /// A name is not a condition.
    #[error("{0} is no condition of the template")]
    UnknownCondition(String),
    /// Only a real account knows the attribute.
    #[error("the attribute {0} is not known here")]
    UnknownAttribute(String),
    /// An intrinsic function is not resolved by this crate, or not at this place.
    #[error("the function {0} is not supported here")]
    UnsupportedFunction(String),
    /// An intrinsic function's argument does not have its form.
    #[error("{function} takes {form}")]
    Argument {
        /// The function.
        function: &'static str,
        /// The form of argument that it takes.
        form: &'static str,
    },
    /// A name leads back to itself.
    #[error("{0} refers to itself")]
    Circular(String),
    /// Two members that must agree do not.
    #[error("is {found:?} where {expected:?} belongs")]
    Mismatch {
        /// The value in the template.
        found: String,
        /// The value that the rest of the template calls for.
        expected: String,
    },
}

/// A text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not YAML.
    #[error("not YAML: {0}")]
    Yaml(String),
    /// The text begins like JSON and is not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// The text is a single value or a sequence.
    #[error("a mapping of sections is needed")]
    NotAMapping,
    /// A key of the template or of one of its sections is a number or another value that is not a text.
    #[error("{0:?} is not a name; allowed are texts")]
    NotAName(String),
}
