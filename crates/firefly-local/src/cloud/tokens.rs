//! The tokens that a cloud accepts.

use emulator_apigateway::{Authorizer, KeySet};

use super::error::CloudError;
use super::options::{CloudOptions, TokenIssuer};
use crate::issuer::{AUDIENCE, DeveloperIssuer, ISSUER};

/// The judge of tokens, and the issuer of developer tokens unless tokens come from elsewhere.
pub(super) struct Tokens {
    pub(super) authorizer: Authorizer,
    pub(super) issuer: Option<DeveloperIssuer>,
}

impl Tokens {
    /// Opens the developer issuer, or fetches the keys of the external one.
    ///
    /// # Errors
    ///
    /// [`CloudError::SigningKey`], [`CloudError::KeySet`].
    pub(super) async fn of(options: &CloudOptions) -> Result<Self, CloudError> {
        match &options.token_issuer {
            TokenIssuer::Developer => {
                let issuer = DeveloperIssuer::open(&options.data_dir)?;
                let keys = KeySet::parse("the developer issuer's key", issuer.jwks())?;
                Ok(Self { authorizer: Authorizer::for_key_set(ISSUER, AUDIENCE, keys), issuer: Some(issuer) })
            }
            TokenIssuer::External { issuer, audience, jwks_url } => {
                let now = (options.clock)().get();
                let authorizer = Authorizer::for_jwks_url(issuer, audience, jwks_url, now).await?;
                Ok(Self { authorizer, issuer: None })
            }
        }
    }
}
