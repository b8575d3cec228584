//! The whole cloud: engines, functions and gateway, started and stopped together.

mod access;
mod deployment;
mod engines;
mod error;
mod options;
mod service;
mod storage;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use emulator_apigateway::Api;
use emulator_kit::Listener;
use futures::future::join_all;

use crate::data_dir::DataDirError;
use crate::engines_file::{self, EnginesFile};
use crate::files::Shares;
use crate::issuer::DeveloperIssuer;

pub use error::CloudError;
pub use options::{Clock, CloudOptions, Credentials, Data, TokenIssuer};

use access::Access;
use deployment::Deployment;
use engines::{APPCONFIGDATA, DYNAMODB, Engines, S3, create_tables};
use service::{Service, environment, stopping};
use storage::Storage;
use tokens::Tokens;

/// Longest wait for the requests under way when everything ends: longer than any function may take.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A running local cloud.
pub struct Cloud {
    gateway: Service,
    engines: Vec<Service>,
    credentials: emulator_kit::Credentials,
    bucket: String,
    issuer: Option<DeveloperIssuer>,
    _engines_file: EnginesFile,
    _storage: Storage,
}

impl Cloud {
    /// Starts everything; on return the gateway answers.
    ///
    /// # Errors
    ///
    /// [`CloudError`], with nothing left running.
    pub async fn start(options: CloudOptions) -> Result<Self, CloudError> {
        let shares = Shares::of(options.files, options.deadlines);
        let cannot_listen = |source| CloudError::Listen { address: options.listen.clone(), source };
        let listener = Listener::bind(&options.listen, shares.gateway).await.map_err(cannot_listen)?;
        let (url, storage) = (listener.url(), Storage::open(&options)?);
        let tokens = Tokens::of(&options).await?;
        let deployment = Deployment::read(options.backup_bucket.as_deref())?;
        let access = Access::of(&options);
        let principals = access.principals(deployment.functions());
        let engines = Engines { options: &options, storage: &storage, principals, limits: shares.emulator };
        let engines = vec![engines.dynamodb().await?, engines.s3(&deployment).await?, engines.appconfig().await?];
        let routes = deployment.routes(&engines, &access)?;
        let mut developer = environment(&engines, access.of_developer());
        if options.dynamodb_endpoint.is_none() {
            create_tables(&developer).await?;
        }
        let Deployment { bucket, cors, .. } = deployment;
        let clock = Arc::clone(&options.clock);
        let clock = Arc::new(move || clock().get());
        let CloudOptions { throttle, executions, .. } = options;
        let (authorizer, concurrency) = (tokens.authorizer, shares.invocations);
        let api = Api { routes, authorizer, cors, clock, concurrency, throttle, executions };
        // External engines have credentials that are not this cloud's to tell.
        engines.iter().filter(|engine| engine.is_external()).for_each(|engine| drop(developer.remove(engine.variable)));
        let engines_file = EnginesFile::write(&options.data_dir, &url, &developer)
            .map_err(|source| DataDirError::Io { path: options.data_dir.clone(), source })?;
        let (stop, until) = stopping();
        let gateway = Service::start(engines_file::URL, url, stop, emulator_apigateway::serve(listener, api, until));
        let (credentials, issuer) = (access.credentials, tokens.issuer);
        Ok(Self { gateway, engines, credentials, bucket, issuer, _engines_file: engines_file, _storage: storage })
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        self.gateway.url.clone()
    }

    /// The DynamoDB in use.
    pub fn dynamodb_endpoint(&self) -> &str {
        self.endpoint(DYNAMODB)
    }

    /// The S3 in use.
    pub fn s3_endpoint(&self) -> &str {
        self.endpoint(S3)
    }

    /// The AppConfig data API in use.
    pub fn appconfigdata_endpoint(&self) -> &str {
        self.endpoint(APPCONFIGDATA)
    }

    /// The bucket of backups.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The issuer of developer tokens, unless tokens come from elsewhere.
    pub fn issuer(&self) -> Option<&DeveloperIssuer> {
        self.issuer.as_ref()
    }

    /// The credentials of all who may call the embedded engines.
    pub fn credentials(&self) -> &emulator_kit::Credentials {
        &self.credentials
    }

    /// Ends everything: requests under way are answered, unless a client takes longer than 30 s to send one; data are
    /// on disk.
    pub async fn stop(self) {
        // The engines go last: the requests under way need them.
        let _ = tokio::time::timeout(STOP_DEADLINE, self.gateway.stop()).await;
        join_all(self.engines.into_iter().map(Service::stop)).await;
    }

    /// The URL of the engine with this variable; each one has one from the start.
    fn endpoint(&self, variable: &str) -> &str {
        self.engines.iter().find(|engine| engine.variable == variable).map_or("", |engine| &engine.url)
    }
}
