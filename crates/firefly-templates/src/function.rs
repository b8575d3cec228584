use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Problem, TemplateError};
use crate::one_or_many::OneOrMany;
use crate::resource::Resource;
use crate::route_key::RouteKey;
use crate::template::{Source, Template};

/// A function's template, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionTemplate {
    /// The folder under `lambdas/`, which is also the name of package and binary.
    pub name: String,
    /// The deployed function's name.
    pub function_name: String,
    /// The route that invokes it.
    pub route: RouteKey,
    /// The callers that are let through to it.
    pub authorizer: AuthorizationType,
    /// The environment it starts with; Lambda adds variables of its own.
    pub environment: BTreeMap<String, String>,
    /// Seconds after which an invocation is ended.
    pub timeout_seconds: u64,
    /// Its memory in MiB.
    pub memory_mb: u64,
    /// The actions that its role allows, one action on one resource each.
    pub actions: Vec<Grant>,
    /// ARNs of its layers, in order.
    pub layers: Vec<String>,
    /// The Lambda runtime.
    pub runtime: String,
    /// The instruction set.
    pub architecture: String,
    /// The file that is started.
    pub handler: String,
    /// The folder of the packaged binary, relative to the template.
    pub code_uri: String,
    /// The role's name.
    pub role_name: String,
    /// The log group that its log goes to.
    pub log_group: LogGroup,
    /// The form of events and answers.
    pub payload_format_version: String,
    /// The ARN that API Gateway must call from.
    pub invoke_source_arn: String,
}

/// The callers that API Gateway lets through to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationType {
    /// Anyone is let through.
    None,
    /// Holders of a token that the JWT authorizer accepts.
    Jwt,
}

/// One action that a role allows on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The IAM action, such as `s3:GetObject`.
    pub action: String,
    /// The ARN it is allowed on; `*` stands for any text.
    pub resource: String,
}

/// A CloudWatch log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Days its events are kept.
    pub retention_days: u64,
}

impl FunctionTemplate {
    /// Reads a function's template with these parameter values; parameters it does not declare are ignored.
    ///
    /// # Errors
    ///
    /// The first member that is absent, of the wrong form, unresolvable, or at odds with another one.
    pub fn parse(source: Source<'_>, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let template = Template::parse(source, parameters)?;
        let function: Resource<'_, FunctionProperties> = template.resource("AWS::Serverless::Function")?;
        let role: Resource<'_, Role> = template.resource("AWS::IAM::Role")?;
        let log_group: Resource<'_, Logs> = template.resource("AWS::Logs::LogGroup")?;
        let integration: Resource<'_, Integration> = template.resource("AWS::ApiGatewayV2::Integration")?;
        let route: Resource<'_, RouteProperties> = template.resource("AWS::ApiGatewayV2::Route")?;
        let permission: Resource<'_, Permission> = template.resource("AWS::Lambda::Permission")?;

        let properties = &function.properties;
        let name = &properties.function_name;
        function.expect("Role", &properties.role, &template.arn(role.id)?)?;
        let written = &properties.logging_config.log_group;
        function.expect("LoggingConfig.LogGroup", written, &log_group.properties.log_group_name)?;
        let [architecture] = &properties.architectures[..] else {
            return Err(function.fail("Architectures", Problem::Shape("one architecture is needed".to_owned())));
        };
        integration.expect("IntegrationUri", &integration.properties.integration_uri, &template.arn(function.id)?)?;
        integration.expect("IntegrationType", &integration.properties.integration_type, "AWS_PROXY")?;
        integration.expect("ApiId", &integration.properties.api_id, &route.properties.api_id)?;
        route.expect("Target", &route.properties.target, &format!("integrations/{}", integration.id))?;
        permission.expect("FunctionName", &permission.properties.function_name, name)?;
        permission.expect("Action", &permission.properties.action, "lambda:InvokeFunction")?;
        permission.expect("Principal", &permission.properties.principal, "apigateway.amazonaws.com")?;

        Ok(Self {
            name: source.name.to_owned(),
            function_name: name.clone(),
            route: route_of(&route)?,
            authorizer: authorizer_of(&route)?,
            actions: grants_of(&role)?,
            runtime: properties.runtime.clone(),
            architecture: architecture.clone(),
            handler: properties.handler.clone(),
            code_uri: properties.code_uri.clone(),
            timeout_seconds: properties.timeout,
            memory_mb: properties.memory_size,
            role_name: role.properties.role_name,
            log_group: LogGroup {
                name: log_group.properties.log_group_name,
                retention_days: log_group.properties.retention_in_days,
            },
            payload_format_version: integration.properties.payload_format_version,
            invoke_source_arn: permission.properties.source_arn,
            layers: function.properties.layers,
            environment: function.properties.environment.variables,
        })
    }

    /// Returns `true` if the role allows the action on some resource.
    #[must_use]
    pub fn grants(&self, action: &str) -> bool {
        self.actions.iter().any(|grant| grant.action == action)
    }
}

fn route_of(route: &Resource<'_, RouteProperties>) -> Result<RouteKey, TemplateError> {
    let key = &route.properties.route_key;
    RouteKey::parse(key)
        .ok_or_else(|| route.fail("RouteKey", Problem::Shape(format!("{key:?} is not a method and a path"))))
}

fn authorizer_of(route: &Resource<'_, RouteProperties>) -> Result<AuthorizationType, TemplateError> {
    match (route.properties.authorization_type.as_str(), &route.properties.authorizer_id) {
        ("NONE", None) => Ok(AuthorizationType::None),
        ("JWT", Some(_)) => Ok(AuthorizationType::Jwt),
        (kind, id) => {
            let with = if id.is_some() { "with" } else { "without" };
            let problem =
                Problem::Shape(format!("{kind} {with} an AuthorizerId is neither NONE nor JWT as deployed here"));
            Err(route.fail("AuthorizationType", problem))
        }
    }
}

fn grants_of(role: &Resource<'_, Role>) -> Result<Vec<Grant>, TemplateError> {
    let mut grants = Vec::new();
    for (policy_index, policy) in role.properties.policies.iter().enumerate() {
        for (index, statement) in policy.policy_document.statement.iter().enumerate() {
            let effect = format!("Policies[{policy_index}].PolicyDocument.Statement[{index}].Effect");
            role.expect(&effect, &statement.effect, "Allow")?;
            for action in statement.action.items() {
                grants.extend(
                    statement
                        .resource
                        .items()
                        .iter()
                        .map(|resource| Grant { action: action.clone(), resource: resource.clone() }),
                );
            }
        }
    }
    Ok(grants)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionProperties {
    function_name: String,
    code_uri: String,
    handler: String,
    runtime: String,
    architectures: Vec<String>,
    memory_size: u64,
    timeout: u64,
    role: String,
    logging_config: LoggingConfig,
    #[serde(default)]
    layers: Vec<String>,
    environment: Environment,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    log_group: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    role_name: String,
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    policy_document: PolicyDocument,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    statement: Vec<Statement>,
}

/// A statement read in full: a member it does not know, such as `Condition`, would change the grant.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    effect: String,
    action: OneOrMany,
    resource: OneOrMany,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Logs {
    log_group_name: String,
    retention_in_days: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Integration {
    api_id: String,
    integration_type: String,
    integration_uri: String,
    payload_format_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RouteProperties {
    api_id: String,
    route_key: String,
    authorization_type: String,
    authorizer_id: Option<String>,
    target: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permission {
    action: String,
    function_name: String,
    principal: String,
    source_arn: String,
}
