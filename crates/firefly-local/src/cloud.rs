//! The whole cloud: engines, functions and gateway, started and stopped together.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use firefly_service::aws::Aws;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::metrics::Metrics;
use firefly_service::{Function, Runner};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::appconfig::AppConfigData;
use crate::data_dir::{DataDir, DataDirError, private_dir};
use crate::dynamodb::{self, DynamoDbError};
use crate::engines_file::EnginesFile;
use crate::files::Shares;
use crate::gateway::{self, Clock, Deployed, Gateway, Invoke};
use crate::jwt::{Authorizer, DeveloperIssuer, KeySetError, SigningKeyError};
use crate::kit::{self, Caller, Callers, Deadlines, Grants};
use crate::object_store::{self, ObjectStore};
use crate::s3;
use crate::template::{
    API_GATEWAY, BucketTemplate, DEVICE_BACKUPS, DEVICES_TABLE, FUNCTIONS, FunctionTemplate, GatewayTemplate,
    REGISTRATION_KEYS_TABLE, TableTemplate, TemplateError,
};

/// What the shared layer holds: the configuration that applies when AppConfig has none.
const DEFAULTS: &str = include_str!("../../../stacks/shared-layer/firefly/defaults.json");
/// The AppConfig environment of the local functions.
const APP_CONFIG_ENV: &str = "local";
/// The region of the embedded engines.
const REGION: &str = "us-east-1";
/// Longest wait for the requests under way when everything ends: longer than any function may take.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Access key id of the person at the desk, who may do everything in the embedded engines.
const DEVELOPER: &str = "firefly-local";

/// Where the data are.
#[derive(Clone, Debug)]
pub enum Data {
    /// In the data directory; they outlive the process.
    Durable,
    /// In a temporary directory that goes with the process. The data directory holds the signing key all the same.
    Ephemeral,
}

/// Whose tokens are accepted.
#[derive(Clone, Debug)]
pub enum TokenIssuer {
    /// The built-in developer issuer.
    Developer,
    /// An OpenID Connect issuer.
    External {
        /// `iss` of its tokens.
        issuer: String,
        /// `aud` (or `client_id`) of its tokens.
        audience: String,
        /// Where its keys are.
        jwks_url: String,
    },
}

/// The credentials with which the functions call their engines.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Drawn at the start: all engines are embedded. External ones get these environment variables instead: `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Own(BTreeMap<String, String>),
    /// Those of another local cloud, whose engines these are.
    Shared(kit::Credentials),
}

/// How a local cloud is to run.
#[derive(Clone)]
pub struct Options {
    /// The address the gateway listens on; port 0 takes a free one.
    pub listen: String,
    /// The directory of durable data and of the signing key.
    pub data_dir: PathBuf,
    /// Where the data are.
    pub data: Data,
    /// A DynamoDB to use in place of the embedded one; its tables exist.
    pub dynamodb_endpoint: Option<String>,
    /// An S3 to use in place of the embedded one; its bucket exists.
    pub s3_endpoint: Option<String>,
    /// The bucket's name; by default what the templates say.
    pub backup_bucket: Option<String>,
    /// Whose tokens are accepted.
    pub token_issuer: TokenIssuer,
    /// How the functions sign their calls.
    pub credentials: Credentials,
    /// How many files the process may open.
    pub files: u64,
    /// How long a connection may take.
    pub deadlines: Deadlines,
    /// The server's clock.
    pub clock: Clock,
}

/// Why the local cloud does not start.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen {
        /// The address.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The data directory cannot be worked in.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The embedded DynamoDB does not run.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The embedded S3 does not run.
    #[error("cannot start the embedded S3: {0}")]
    S3(#[from] object_store::StoreError),
    /// The developer issuer has no signing key.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The keys of the token issuer cannot be read.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// A template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A function cannot be started.
    #[error("{function} cannot start: {source}{}", external_hint(source))]
    Function {
        /// The function.
        function: String,
        /// Why.
        source: ConfigError,
    },
    /// Something that has to be there, such as a temporary directory or a socket, cannot be had.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::AddrInUse { "; give another address with --listen HOST:PORT" } else { "" }
}

fn external_hint(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Missing { name } if name.starts_with("AWS_") => "; external engines need region and credentials",
        _ => "",
    }
}

/// A running local cloud.
pub struct Cloud {
    address: SocketAddr,
    dynamodb_endpoint: String,
    s3_endpoint: String,
    appconfigdata_endpoint: String,
    credentials: kit::Credentials,
    bucket: String,
    issuer: Option<DeveloperIssuer>,
    stop_gateway: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    stop_engines: watch::Sender<bool>,
    engines: Vec<JoinHandle<()>>,
    dynamodb: Option<dynamodb::Engine>,
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
        let listener = TcpListener::bind(&options.listen)
            .await
            .map_err(|source| CloudError::Listen { address: options.listen.clone(), source })?;
        let address = listener.local_addr().map_err(|source| io_error("cannot read the address", source))?;
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
                (Authorizer::for_developer(&issuer)?, Some(issuer))
            }
            TokenIssuer::External { issuer, audience, jwks_url } => {
                (Authorizer::for_jwks_url(issuer, audience, jwks_url).await?, None)
            }
        };
        let parameters = parameters(options.backup_bucket.as_deref());
        let templates = FUNCTIONS.map(|source| FunctionTemplate::parse(source, &parameters));
        let templates = templates.into_iter().collect::<Result<Vec<_>, _>>()?;
        let bucket = match &options.backup_bucket {
            Some(name) => name.clone(),
            None => BucketTemplate::parse(DEVICE_BACKUPS, &parameters)?.name,
        };

        let (credentials, external) = match &options.credentials {
            Credentials::Own(environment) => {
                let external = options.dynamodb_endpoint.is_some() || options.s3_endpoint.is_some();
                (kit::Credentials::generate(), external.then_some(environment))
            }
            Credentials::Shared(credentials) => (credentials.clone(), None),
        };
        let callers = callers(&templates, &credentials, external);
        let shares = Shares::of(options.files, options.deadlines);
        let (stop_engines, stopped) = watch::channel(false);
        let mut engines = Vec::new();
        let (dynamodb_endpoint, dynamodb) = match options.dynamodb_endpoint.clone() {
            Some(endpoint) => (endpoint, None),
            None => {
                let (listener, endpoint) = loopback().await?;
                let listener = listener.into_std().map_err(|source| io_error("cannot use a socket", source))?;
                let (path, limits) = (path("dynamodb.sqlite"), shares.emulator);
                let engine = dynamodb::Engine::start(&path, listener, callers.clone(), limits, stopped.clone())?;
                (endpoint, Some(engine))
            }
        };
        let s3_endpoint = match options.s3_endpoint.clone() {
            Some(endpoint) => endpoint,
            None => {
                let store = Arc::new(ObjectStore::open(&path("s3"))?);
                store.create_bucket(&bucket)?;
                let (listener, endpoint) = loopback().await?;
                let until = until(stopped.clone());
                engines.push(tokio::spawn(s3::serve(listener, store, callers.clone(), shares.emulator, until)));
                endpoint
            }
        };
        let (listener_appconfig, appconfig_endpoint) = loopback().await?;
        let appconfig = AppConfigData::new(&options.data_dir.join("appconfig"), callers, options.deadlines);
        let answer = move |_peer, request| appconfig.clone().answer(request);
        let served = kit::serve("AppConfig", listener_appconfig, shares.emulator, answer, until(stopped));
        engines.push(tokio::spawn(served));

        let endpoints = Endpoints { dynamodb: dynamodb_endpoint, s3: s3_endpoint, appconfigdata: appconfig_endpoint };
        let functions = deploy(templates, &endpoints, &credentials, external)?;
        let developer = endpoints.environment(credentials.environment(DEVELOPER));
        if dynamodb.is_some() {
            let environment = Environment::new(developer.clone());
            let aws = Aws::new(&environment).map_err(|source| function_error("the embedded DynamoDB", source))?;
            for source in [DEVICES_TABLE, REGISTRATION_KEYS_TABLE] {
                dynamodb::create_table(&aws.dynamodb(), &TableTemplate::parse(source)?).await?;
            }
        }
        let gateway = Gateway {
            functions,
            authorizer,
            cors: GatewayTemplate::parse(API_GATEWAY, &parameters)?.cors,
            clock: Arc::clone(&options.clock),
            deadlines: options.deadlines,
            slots: Semaphore::new(shares.invocations),
        };
        let mut embedded = developer;
        // External engines have credentials that are not this cloud's to tell.
        let external =
            [("AWS_ENDPOINT_URL_DYNAMODB", &options.dynamodb_endpoint), ("AWS_ENDPOINT_URL_S3", &options.s3_endpoint)];
        for (variable, _) in external.iter().filter(|(_, endpoint)| endpoint.is_some()) {
            embedded.remove(*variable);
        }
        let engines_file = EnginesFile::write(&options.data_dir, &url(address), &embedded)
            .map_err(|source| DataDirError::Io { path: options.data_dir.clone(), source })?;
        let gateway = Arc::new(gateway);
        let answer = move |peer, request| gateway::handle(Arc::clone(&gateway), peer, request);
        let (stop_gateway, stopped) = watch::channel(false);
        let gateway = tokio::spawn(kit::serve("the gateway", listener, shares.gateway, answer, until(stopped)));
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
            dynamodb,
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
    pub fn credentials(&self) -> &kit::Credentials {
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
        if let Some(engine) = self.dynamodb {
            engine.stopped().await;
        }
    }
}

/// Where the functions' AWS is.
struct Endpoints {
    dynamodb: String,
    s3: String,
    appconfigdata: String,
}

impl Endpoints {
    /// The variables with which an SDK reaches the engines with these credentials. `AWS_DEFAULT_REGION` is the name that
    /// version 1 of aws-cli reads.
    fn environment(&self, credentials: BTreeMap<String, String>) -> BTreeMap<String, String> {
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

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The parameters of all templates, as a deployment without layers resolves them.
fn parameters(backup_bucket: Option<&str>) -> BTreeMap<String, String> {
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
fn callers(
    templates: &[FunctionTemplate],
    credentials: &kit::Credentials,
    external: Option<&BTreeMap<String, String>>,
) -> Callers {
    let caller = |name: &str, grants| Caller {
        access_key_id: name.to_owned(),
        secret_access_key: credentials.secret_access_key().to_owned(),
        session_token: Some(credentials.session_token().to_owned()),
        grants,
    };
    let functions = templates.iter().map(|template| {
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
fn deploy(
    templates: Vec<FunctionTemplate>,
    endpoints: &Endpoints,
    credentials: &kit::Credentials,
    external: Option<&BTreeMap<String, String>>,
) -> Result<Vec<Deployed>, CloudError> {
    let deploy = |template: FunctionTemplate| {
        let mut variables = template.environment.clone();
        variables.extend(endpoints.environment(credentials.environment(&template.name)));
        if let Some(given) = external {
            for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
                variables.remove(name);
            }
            variables.extend(given.clone());
        }
        let environment = Environment::new(variables).with_defaults(Some(DEFAULTS.to_owned()));
        let function = runner(&template.name, &environment).map_err(|source| function_error(&template.name, source))?;
        Ok(Deployed { template, function })
    };
    templates.into_iter().map(deploy).collect()
}

/// The function of this name.
fn runner(name: &str, environment: &Environment) -> Result<Arc<dyn Invoke>, ConfigError> {
    fn make<F: Function>(environment: &Environment) -> Result<Arc<dyn Invoke>, ConfigError> {
        Ok(Arc::new(Runner::<F>::new(environment, Metrics::new(io::sink()))?))
    }
    match name {
        func_api_devices_backup_delete::App::NAME => make::<func_api_devices_backup_delete::App>(environment),
        func_api_devices_backup_get::App::NAME => make::<func_api_devices_backup_get::App>(environment),
        func_api_devices_backup_post::App::NAME => make::<func_api_devices_backup_post::App>(environment),
        func_api_devices_get::App::NAME => make::<func_api_devices_get::App>(environment),
        func_api_devices_register_post::App::NAME => make::<func_api_devices_register_post::App>(environment),
        func_api_devices_registration_get::App::NAME => make::<func_api_devices_registration_get::App>(environment),
        func_api_health_get::App::NAME => make::<func_api_health_get::App>(environment),
        func_api_registration_keys_get::App::NAME => make::<func_api_registration_keys_get::App>(environment),
        func_api_registration_keys_post::App::NAME => make::<func_api_registration_keys_post::App>(environment),
        _ => Err(ConfigError::Invalid { name: "the template's name", expected: "a function of this workspace" }),
    }
}

/// A listener on a free port of the loopback interface, and its URL.
async fn loopback() -> Result<(TcpListener, String), CloudError> {
    let listen = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok((listener, url))
    };
    listen.await.map_err(|source| io_error("cannot listen on the loopback interface", source))
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
