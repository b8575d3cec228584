//! CloudFormation templates, read once for everyone who needs them.
//!
//! [`Document`] is a template as it is written: sections, parameters, outputs, resources. [`Template`] adds a name and
//! parameter values; [`FunctionTemplate`], [`GatewayTemplate`], [`TableTemplate`], [`BucketTemplate`] and [`Policy`] are
//! read from it.
//! Intrinsic functions are resolved against the parameter values, the local account and the template's own resources, as
//! CloudFormation resolves them against a real account. A construct that this crate does not know is an error, never a
//! guess. The crate embeds no template.
//!
//! Source: AWS CloudFormation User Guide, "Template reference" and "Intrinsic function reference".

mod caller;
mod condition;
mod document;
mod error;
mod function;
mod gateway;
mod intrinsic;
mod one_or_many;
mod policy;
mod resolver;
mod resource;
mod route_key;
mod storage;
mod template;

pub use caller::Caller;
pub use document::{Document, Parameter, members, tagged, texts};
pub use error::{ParseError, Problem, TemplateError};
pub use function::{AuthorizationType, FunctionTemplate, Grant, LogGroup};
pub use gateway::{CorsTemplate, GatewayTemplate, JwtAuthorizer, Throttle};
pub use policy::{Policy, Request};
pub use route_key::RouteKey;
pub use storage::{
    AttributeType, BillingMode, BucketTemplate, Index, Key, KeyAttribute, KeyType, Projection, ProjectionType,
    TableTemplate,
};
pub use template::{Source, Template};
