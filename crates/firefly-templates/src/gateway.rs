use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::TemplateError;
use crate::resource::Resource;
use crate::template::{Source, Template};

/// The template of the HTTP API, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayTemplate {
    /// The pages that may call the API.
    pub cors: CorsTemplate,
    /// The throttle of all routes together.
    pub throttle: Throttle,
    /// The tokens that are accepted.
    pub authorizer: JwtAuthorizer,
}

/// The API's CORS configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CorsTemplate {
    /// Origins, `*` standing for any.
    pub allow_origins: Vec<String>,
    /// Methods a page may use.
    pub allow_methods: Vec<String>,
    /// Request headers a page may send, in lower case.
    pub allow_headers: Vec<String>,
    /// Answer headers a page may read, in lower case.
    pub expose_headers: Vec<String>,
    /// Seconds a preflight's answer may be kept.
    #[serde(rename = "MaxAge")]
    pub max_age_seconds: u64,
    /// `true` if a page may send cookies.
    pub allow_credentials: bool,
}

/// The stage's limits over all routes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Throttle {
    /// Requests at once.
    #[serde(rename = "ThrottlingBurstLimit")]
    pub burst: u64,
    /// Requests a second.
    #[serde(rename = "ThrottlingRateLimit")]
    pub rate: f64,
}

/// The JWT authorizer's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JwtAuthorizer {
    /// The `iss` a token must have.
    pub issuer: String,
    /// Values of which a token's `aud`, or without one its `client_id`, must be one.
    pub audience: Vec<String>,
}

impl GatewayTemplate {
    /// Reads the api-gateway template with these parameter values.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form or unresolvable.
    pub fn parse(source: Source<'_>, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let template = Template::parse(source, parameters)?;
        let api: Resource<'_, Api> = template.resource("AWS::ApiGatewayV2::Api")?;
        let stage: Resource<'_, Stage> = template.resource("AWS::ApiGatewayV2::Stage")?;
        let authorizer: Resource<'_, AuthorizerProperties> = template.resource("AWS::ApiGatewayV2::Authorizer")?;
        stage.expect("ApiId", &stage.properties.api_id, api.id)?;
        authorizer.expect("ApiId", &authorizer.properties.api_id, api.id)?;
        authorizer.expect("AuthorizerType", &authorizer.properties.authorizer_type, "JWT")?;
        Ok(Self {
            cors: api.properties.cors_configuration,
            throttle: stage.properties.default_route_settings,
            authorizer: authorizer.properties.jwt_configuration,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Api {
    cors_configuration: CorsTemplate,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stage {
    api_id: String,
    default_route_settings: Throttle,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthorizerProperties {
    api_id: String,
    authorizer_type: String,
    jwt_configuration: JwtAuthorizer,
}
