//! The whole cloud: engines, functions and gateway, started and stopped together.

mod error;
mod functions;
mod options;

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use emulator_apigateway::{Api, Authorizer, KeySet};
use emulator_dynamodb::Database;
use emulator_kit::{Limits, Listener};
use emulator_s3::object_store::ObjectStore;
use firefly_runtime::{Aws, ConfigError, Environment};
use firefly_templates::{BucketTemplate, FunctionTemplate, GatewayTemplate, TableTemplate, TemplateError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::data_dir::{DataDir, DataDirError, private_dir};
use crate::engines_file::EnginesFile;
use crate::files::Shares;
use crate::issuer::{AUDIENCE, DeveloperIssuer, ISSUER};
use crate::stacks::{API_GATEWAY, DEVICE_BACKUPS, DEVICES_TABLE, REGISTRATION_KEYS_TABLE};
use crate::tables;

pub use error::CloudError;
pub use options::{Clock, Credentials, Data, Options, TokenIssuer};

pub(crate) use functions::parameters;
use functions::{Endpoints, callers, cors, deploy};

/// Longest wait for the requests under way when everything ends: longer than any function may take.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Access key id of the person at the desk, who may do everything in the embedded engines.
const DEVELOPER: &str = "firefly-local";

/// A running local cloud.
pub struct Cloud {
    address: SocketAddr,
    dynamodb_endpoint: String,
    s3_endpoint: String,
    appconfigdata_endpoint: String,
    credentials: emulator_kit::Credentials,
    bucket: String,
    issuer: Option<DeveloperIssuer>,
    stop_gateway: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    stop_engines: watch::Sender<bool>,
    engines: Vec<JoinHandle<()>>,
    _engines_file: EnginesFile,
    _data_dir: Option<DataDir>,
    _temporary: Option<tempfile::TempDir>,
}

impl Cloud {
    /// Starts everything; on return the gateway answers.
    ///
    /// # Errors
    ///
    /// [`CloudError`], with nothing left running.
    pub async fn start(options: Options) -> Result<Self, CloudError> {
        let shares = Shares::of(options.files, options.deadlines);
        let listener = Listener::bind(&options.listen, shares.gateway)
            .await
            .map_err(|source| CloudError::Listen { address: options.listen.clone(), source })?;
        let address = listener.address();
        let embedded = options.dynamodb_endpoint.is_none() || options.s3_endpoint.is_none();
        let (data_dir, temporary) = match options.data {
            Data::Durable if embedded => (Some(DataDir::open(&options.data_dir)?), None),
            Data::Ephemeral if embedded => {
                let owner_only = Permissions::from_mode(0o700);
                let temporary = tempfile::Builder::new().prefix("firefly-").permissions(owner_only).tempdir();
                (None, Some(temporary.map_err(|source| io_error("cannot make a temporary directory", source))?))
            }
            Data::Durable | Data::Ephemeral => (None, None),
        };
        let path = |name: &str| match (&data_dir, &temporary) {
            (Some(data_dir), _) => data_dir.join(name),
            (None, Some(temporary)) => temporary.path().join(name),
            (None, None) => options.data_dir.join(name),
        };
        private_dir(&options.data_dir)?;
        let (authorizer, issuer) = match &options.token_issuer {
            TokenIssuer::Developer => {
                let issuer = DeveloperIssuer::open(&options.data_dir)?;
                let keys = KeySet::parse("the developer issuer's key", issuer.jwks())?;
                (Authorizer::for_key_set(ISSUER, AUDIENCE, keys), Some(issuer))
            }
            TokenIssuer::External { issuer, audience, jwks_url } => {
                (Authorizer::for_jwks_url(issuer, audience, jwks_url).await?, None)
            }
        };
        let parameters = parameters(options.backup_bucket.as_deref());
        let functions = firefly_functions::ALL.iter().map(|function| {
            let template = FunctionTemplate::parse(function.template, &parameters)?;
            Ok::<_, TemplateError>((function, template))
        });
        let functions = functions.collect::<Result<Vec<_>, _>>()?;
        let bucket = match &options.backup_bucket {
            Some(name) => name.clone(),
            None => BucketTemplate::parse(DEVICE_BACKUPS, &parameters)?.name,
        };

        let (credentials, external) = match &options.credentials {
            Credentials::Own(environment) => {
                let external = options.dynamodb_endpoint.is_some() || options.s3_endpoint.is_some();
                (emulator_kit::Credentials::generate(), external.then_some(environment))
            }
            Credentials::Shared(credentials) => (credentials.clone(), None),
        };
        let callers = callers(&functions, &credentials, external);
        let (stop_engines, stopped) = watch::channel(false);
        let mut engines = Vec::new();
        let dynamodb_endpoint = match options.dynamodb_endpoint.clone() {
            Some(endpoint) => endpoint,
            None => {
                let (listener, endpoint) = loopback(shares.emulator).await?;
                let database = Database::open(&path("dynamodb.sqlite"))?;
                let served = emulator_dynamodb::serve(listener, database, callers.clone(), until(stopped.clone()));
                let served = served.map_err(|source| io_error("cannot start the embedded DynamoDB", source))?;
                engines.push(tokio::spawn(served));
                endpoint
            }
        };
        let s3_endpoint = match options.s3_endpoint.clone() {
            Some(endpoint) => endpoint,
            None => {
                let store = Arc::new(ObjectStore::open(&path("s3"))?);
                store.create_bucket(&bucket)?;
                let (listener, endpoint) = loopback(shares.emulator).await?;
                let until = until(stopped.clone());
                engines.push(tokio::spawn(emulator_s3::serve(listener, store, callers.clone(), until)));
                endpoint
            }
        };
        let (listener_appconfig, appconfig_endpoint) = loopback(shares.emulator).await?;
        let configurations = options.data_dir.join("appconfig");
        engines.push(tokio::spawn(emulator_appconfig::serve(
            listener_appconfig,
            configurations,
            callers,
            until(stopped),
        )));

        let endpoints = Endpoints { dynamodb: dynamodb_endpoint, s3: s3_endpoint, appconfigdata: appconfig_endpoint };
        let routes = deploy(functions, &endpoints, &credentials, external)?;
        // Credentials given for external engines replace the developer's own if they have the same access key id.
        let same = external.filter(|given| given.get("AWS_ACCESS_KEY_ID").is_some_and(|id| id == DEVELOPER));
        let developer = endpoints.environment(same.cloned().unwrap_or_else(|| credentials.environment(DEVELOPER)));
        if options.dynamodb_endpoint.is_none() {
            let environment = Environment::new(developer.clone());
            let client = Aws::new(&environment).and_then(|aws| firefly_stores::dynamodb::client(&aws));
            let client = client.map_err(|source| function_error("the embedded DynamoDB", source))?;
            for source in [DEVICES_TABLE, REGISTRATION_KEYS_TABLE] {
                tables::create(&client, &TableTemplate::parse(source)?).await?;
            }
        }
        let clock = Arc::clone(&options.clock);
        let api = Api {
            routes,
            authorizer,
            cors: cors(GatewayTemplate::parse(API_GATEWAY, &parameters)?.cors),
            clock: Arc::new(move || clock().get()),
            concurrency: shares.invocations,
        };
        let mut embedded = developer;
        // External engines have credentials that are not this cloud's to tell.
        let given =
            [("AWS_ENDPOINT_URL_DYNAMODB", &options.dynamodb_endpoint), ("AWS_ENDPOINT_URL_S3", &options.s3_endpoint)];
        embedded.retain(|variable, _| !given.iter().any(|(name, url)| name == variable && url.is_some()));
        let engines_file = EnginesFile::write(&options.data_dir, &url(address), &embedded)
            .map_err(|source| DataDirError::Io { path: options.data_dir.clone(), source })?;
        let (stop_gateway, stopped) = watch::channel(false);
        let gateway = tokio::spawn(emulator_apigateway::serve(listener, api, until(stopped)));
        Ok(Self {
            address,
            dynamodb_endpoint: endpoints.dynamodb,
            s3_endpoint: endpoints.s3,
            appconfigdata_endpoint: endpoints.appconfigdata,
            credentials,
            bucket,
            issuer,
            stop_gateway,
            gateway,
            stop_engines,
            engines,
            _engines_file: engines_file,
            _data_dir: data_dir,
            _temporary: temporary,
        })
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// The DynamoDB in use.
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.dynamodb_endpoint
    }

    /// The S3 in use.
    pub fn s3_endpoint(&self) -> &str {
        &self.s3_endpoint
    }

    /// The AppConfig data API in use.
    pub fn appconfigdata_endpoint(&self) -> &str {
        &self.appconfigdata_endpoint
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
        // The receivers are the servers; one that has ended needs no stopping, nor does it matter why it ended. The
        // engines go last: the requests under way need them.
        let _ = self.stop_gateway.send(true);
        let _ = tokio::time::timeout(STOP_DEADLINE, self.gateway).await;
        let _ = self.stop_engines.send(true);
        for engine in self.engines {
            let _ = engine.await;
        }
    }
}

/// A listener on a free port of the loopback interface, and its URL.
async fn loopback(limits: Limits) -> Result<(Listener, String), CloudError> {
    let listener = Listener::loopback(limits).await;
    let listener = listener.map_err(|source| io_error("cannot listen on the loopback interface", source))?;
    let url = listener.url();
    Ok((listener, url))
}

async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone stops the servers, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn io_error(what: &'static str, source: io::Error) -> CloudError {
    CloudError::Io { what, source }
}

fn function_error(function: &str, source: ConfigError) -> CloudError {
    CloudError::Function { function: function.to_owned(), source }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}
