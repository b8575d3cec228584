//! The functions as the local cloud deploys them: their templates, their environment, their routes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use emulator_apigateway::{Cors, Invocation, LambdaFunction, LambdaRoute};
use emulator_s3::object_store::Expiration;
use firefly_core::time::UnixSeconds;
use firefly_functions::{Listed, Running};
use firefly_runtime::{Environment, Metrics};
use firefly_templates::{
    AuthorizationType, BucketTemplate, CorsTemplate, FunctionTemplate, GatewayTemplate, TemplateError,
};
use futures::future::BoxFuture;

use super::access::Access;
use super::error::CloudError;
use super::service::{Service, environment};
use crate::stacks::{API_GATEWAY, DEVICE_BACKUPS, parameters};

/// The configuration in the shared layer, which applies when AppConfig has none.
const DEFAULTS: &str = include_str!("../../../../stacks/shared-layer/firefly/defaults.json");

/// The templates, read with the parameters of the local cloud.
pub(super) struct Deployment {
    functions: Vec<(&'static Listed, FunctionTemplate)>,
    /// The bucket of backups.
    pub(super) bucket: String,
    /// The rules by which the bucket's old versions are removed.
    pub(super) expirations: Vec<Expiration>,
    /// The pages that may call the API.
    pub(super) cors: Cors,
}

impl Deployment {
    /// Reads the templates, with this name of the bucket of backups or else the one that they name.
    ///
    /// # Errors
    ///
    /// [`TemplateError`].
    pub(super) fn read(backup_bucket: Option<&str>) -> Result<Self, TemplateError> {
        let parameters = parameters(backup_bucket);
        let read = |function: &'static Listed| {
            let template = FunctionTemplate::parse(function.template, &parameters)?;
            Ok((function, template))
        };
        let functions = firefly_functions::ALL.iter().map(read).collect::<Result<_, TemplateError>>()?;
        let bucket = BucketTemplate::parse(DEVICE_BACKUPS, &parameters)?;
        let expirations = bucket.expirations.iter().map(|rule| Expiration {
            noncurrent_days: rule.noncurrent_days,
            newer_noncurrent_versions: rule.newer_noncurrent_versions,
        });
        let expirations = expirations.collect();
        Ok(Self {
            functions,
            bucket: bucket.name,
            expirations,
            cors: cors(GatewayTemplate::parse(API_GATEWAY, &parameters)?.cors),
        })
    }

    /// The functions' templates.
    pub(super) fn functions(&self) -> impl Iterator<Item = &FunctionTemplate> {
        self.functions.iter().map(|(_, template)| template)
    }

    /// Starts every function with the environment of its template, and makes its route.
    ///
    /// # Errors
    ///
    /// [`CloudError::Function`].
    pub(super) fn routes(&self, engines: &[Service], access: &Access) -> Result<Vec<LambdaRoute>, CloudError> {
        let deploy = |(function, template): &(&Listed, FunctionTemplate)| {
            let mut variables = template.environment.clone();
            variables.extend(environment(engines, access.credentials.environment(&template.name)));
            access.overrule(&mut variables);
            let environment = Environment::new(variables).with_defaults(Some(DEFAULTS.to_owned()));
            let started = (function.start)(&environment, Metrics::new(io::sink()));
            let failed = |source| CloudError::Function { function: function.name.to_owned(), source };
            Ok(route(template, started.map_err(failed)?))
        };
        self.functions.iter().map(deploy).collect()
    }
}

/// The route of a template in front of its running function.
fn route(template: &FunctionTemplate, running: Running) -> LambdaRoute {
    let invoke = move |Invocation { event, request_id, now, time_left }| {
        let invocation = firefly_runtime::Invocation { request_id, time_left };
        let answered = running(UnixSeconds::new(now), invocation, event);
        Box::pin(async move { Ok(answered.await?) }) as BoxFuture<'static, _>
    };
    LambdaRoute {
        method: template.route.method.clone(),
        path: template.route.path.clone(),
        needs_token: template.authorizer == AuthorizationType::Jwt,
        function: LambdaFunction {
            name: template.function_name.clone(),
            memory_mb: template.memory_mb,
            timeout: Duration::from_secs(template.timeout_seconds),
            invoke: Arc::new(invoke),
        },
    }
}

/// The pages that the template lets call the API.
fn cors(template: CorsTemplate) -> Cors {
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
