//! What the deployed templates say, read from the files that are deployed.
//!
//! The templates are embedded at build time. Their intrinsic functions are resolved against parameter values, the local
//! account and the template's own resources, as CloudFormation resolves them against a real account; what a template
//! says in a way this module does not know is an error, never a guess.

mod condition;
mod document;
mod function;
mod gateway;
mod intrinsic;
mod storage;

pub use function::{Authorizer, FunctionTemplate, Grant, LogGroup, Route};
pub use gateway::{CorsTemplate, GatewayTemplate, JwtAuthorizer, Throttle};
pub use storage::{BucketTemplate, TableTemplate};

/// A template's name and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The stack's name without `firefly-`; errors carry it.
    pub name: &'a str,
    /// The YAML text.
    pub yaml: &'a str,
}

macro_rules! function {
    ($name:literal) => {
        Source { name: $name, yaml: include_str!(concat!("../../../lambdas/", $name, "/template.yaml")) }
    };
}

macro_rules! stack {
    ($name:literal) => {
        Source { name: $name, yaml: include_str!(concat!("../../../stacks/", $name, ".yaml")) }
    };
}

/// Every function's template.
pub const FUNCTIONS: [Source<'static>; 9] = [
    function!("func-api-devices-backup-delete"),
    function!("func-api-devices-backup-get"),
    function!("func-api-devices-backup-post"),
    function!("func-api-devices-get"),
    function!("func-api-devices-register-post"),
    function!("func-api-devices-registration-get"),
    function!("func-api-health-get"),
    function!("func-api-registration-keys-get"),
    function!("func-api-registration-keys-post"),
];
/// The stack of the HTTP API.
pub const API_GATEWAY: Source<'static> = stack!("api-gateway");
/// The stack of the devices table.
pub const DEVICES_TABLE: Source<'static> = stack!("dynamodb-devices");
/// The stack of the registration keys table.
pub const REGISTRATION_KEYS_TABLE: Source<'static> = stack!("dynamodb-registration-keys");
/// The stack of the backup bucket.
pub const DEVICE_BACKUPS: Source<'static> = stack!("s3-device-backups");

/// A template that does not say what is asked of it, with the place in it.
#[derive(Debug, thiserror::Error)]
#[error("template {template}, {member}: {problem}")]
pub struct TemplateError {
    /// The template's name.
    pub template: String,
    /// The member at fault, as a path such as `Resources.Function.Properties.Timeout`.
    pub member: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a member of a template.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The text is not YAML.
    #[error("not YAML: {0}")]
    Yaml(serde_yaml_ng::Error),
    /// The member is absent or of another shape.
    #[error("{0}")]
    Shape(String),
    /// No resource of this type, or more than one, where one is needed.
    #[error("one resource of type {kind} is needed, {found} are there")]
    ResourceCount {
        /// The CloudFormation resource type.
        kind: &'static str,
        /// How many there are.
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
    /// A name that is no parameter, resource or pseudo-parameter.
    #[error("{0} is no parameter, resource or pseudo-parameter of the template")]
    UnknownName(String),
    /// A name that is no condition.
    #[error("{0} is no condition of the template")]
    UnknownCondition(String),
    /// An attribute that only a real account can tell.
    #[error("the attribute {0} is not known here")]
    UnknownAttribute(String),
    /// An intrinsic function that is not resolved here, or not at this place.
    #[error("the function {0} is not supported here")]
    UnsupportedFunction(String),
    /// An intrinsic function's argument is not of its form.
    #[error("{function} takes {form}")]
    Argument {
        /// The function.
        function: &'static str,
        /// What it takes.
        form: &'static str,
    },
    /// A name that leads back to itself.
    #[error("{0} refers to itself")]
    Circular(String),
    /// Two members that must agree do not.
    #[error("is {found:?} where {expected:?} belongs")]
    Mismatch {
        /// What the template says.
        found: String,
        /// What the rest of the template calls for.
        expected: String,
    },
}
