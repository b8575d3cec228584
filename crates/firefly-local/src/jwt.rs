//! JSON Web Tokens: the built-in developer issuer, and the check that API Gateway's JWT authorizer makes.

mod authorizer;
mod issuer;
mod key_set;

pub use self::authorizer::{Authorizer, Claims, Unauthorized};
pub use self::issuer::{AUDIENCE, DeveloperIssuer, ISSUER, Identity, SigningKeyError};
pub use self::key_set::KeySetError;
