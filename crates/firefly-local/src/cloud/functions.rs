//! The functions as the local cloud deploys them: their environment, and what they may call.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use emulator_apigateway::{Cors, Function, Invocation, Route};
use emulator_kit::{Caller, Callers, Grants};
use firefly_core::time::UnixSeconds;
use firefly_functions::{Listed, Running};
use firefly_runtime::{Environment, Metrics};
use firefly_templates::{Authorizer, CorsTemplate, FunctionTemplate};
use futures::future::BoxFuture;

use super::{CloudError, DEVELOPER, function_error};

/// The configuration in the shared layer, which applies when AppConfig has none.
const DEFAULTS: &str = include_str!("../../../../stacks/shared-layer/firefly/defaults.json");
/// The AppConfig environment of the local functions.
const APP_CONFIG_ENV: &str = "local";
/// The region of the embedded engines.
const REGION: &str = "us-east-1";

/// Where the functions' AWS is.
pub(super) struct Endpoints {
    pub(super) dynamodb: String,
    pub(super) s3: String,
    pub(super) appconfigdata: String,
}

impl Endpoints {
    /// The variables with which an SDK reaches the engines with these credentials. `AWS_DEFAULT_REGION` is the name that
    /// version 1 of aws-cli reads.
    pub(super) fn environment(&self, credentials: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut environment = credentials;
        environment.extend(
            [
                ("AWS_REGION", REGION),
                ("AWS_DEFAULT_REGION", REGION),
                ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb),
                ("AWS_ENDPOINT_URL_S3", &self.s3),
                ("AWS_ENDPOINT_URL_APPCONFIGDATA", &self.appconfigdata),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        environment
    }
}

/// The parameters of all templates, as a deployment without layers resolves them.
pub(crate) fn parameters(backup_bucket: Option<&str>) -> BTreeMap<String, String> {
    [
        ("ApiId", "local"),
        ("AuthorizerId", "local"),
        ("UserPoolId", "local"),
        ("UserPoolClientId", "local"),
        ("SharedLayerArn", ""),
        ("AppConfigExtensionLayerArn", ""),
        ("AppConfigEnv", APP_CONFIG_ENV),
        ("BackupBucketName", backup_bucket.unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Who may call the embedded engines: each function for what its template grants, the developer for everything, and so
/// whoever has the credentials for external engines, with which the functions then call all engines.
pub(super) fn callers(
    functions: &[(&Listed, FunctionTemplate)],
    credentials: &emulator_kit::Credentials,
    external: Option<&BTreeMap<String, String>>,
) -> Callers {
    let caller = |name: &str, grants| Caller {
        access_key_id: name.to_owned(),
        secret_access_key: credentials.secret_access_key().to_owned(),
        session_token: Some(credentials.session_token().to_owned()),
        grants,
    };
    let functions = functions.iter().map(|(_, template)| {
        let actions = template.actions.iter().map(|grant| grant.action.as_str());
        caller(&template.name, Grants::actions(actions))
    });
    let given = external.and_then(|given| {
        Some(Caller {
            access_key_id: given.get("AWS_ACCESS_KEY_ID")?.clone(),
            secret_access_key: given.get("AWS_SECRET_ACCESS_KEY")?.clone(),
            session_token: given.get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()).cloned(),
            grants: Grants::Everything,
        })
    });
    Callers::new(functions.chain([caller(DEVELOPER, Grants::Everything)]).chain(given))
}

/// Starts every function with the environment of its template.
pub(super) fn deploy(
    functions: Vec<(&Listed, FunctionTemplate)>,
    endpoints: &Endpoints,
    credentials: &emulator_kit::Credentials,
    external: Option<&BTreeMap<String, String>>,
) -> Result<Vec<Route>, CloudError> {
    let deploy = |(function, template): (&Listed, FunctionTemplate)| {
        let mut variables = template.environment.clone();
        variables.extend(endpoints.environment(credentials.environment(&template.name)));
        if let Some(given) = external {
            for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                variables.remove(name);
            }
            variables.extend(given.clone());
        }
        let environment = Environment::new(variables).with_defaults(Some(DEFAULTS.to_owned()));
        let started = (function.start)(&environment, Metrics::new(io::sink()));
        let function = started.map_err(|source| function_error(function.name, source))?;
        Ok(route(template, function))
    };
    functions.into_iter().map(deploy).collect()
}

/// The route of a template in front of its running function.
fn route(template: FunctionTemplate, running: Running) -> Route {
    let invoke = move |Invocation { event, request_id, now, time_left }| {
        let invocation = firefly_runtime::Invocation { request_id, time_left };
        let answered = running(UnixSeconds::new(now), invocation, event);
        Box::pin(async move { Ok(answered.await?) }) as BoxFuture<'static, _>
    };
    Route {
        method: template.route.method,
        path: template.route.path,
        needs_token: template.authorizer == Authorizer::Jwt,
        function: Function {
            name: template.function_name,
            memory_mb: template.memory_mb,
            timeout: Duration::from_secs(template.timeout_seconds),
            invoke: Arc::new(invoke),
        },
    }
}

/// The pages that may call the API.
pub(super) fn cors(template: CorsTemplate) -> Cors {
    let CorsTemplate {
        allow_origins,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age_seconds,
        allow_credentials,
    } = template;
    Cors { allow_origins, allow_methods, allow_headers, expose_headers, max_age_seconds, allow_credentials }
}
