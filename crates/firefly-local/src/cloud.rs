//! The whole cloud: engines, functions and gateway, started and stopped together.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use firefly_service::aws::Aws;
use firefly_service::environment::{ConfigError, Environment};
use firefly_service::metrics::Metrics;
use firefly_service::{Function, Runner};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::appconfig;
use crate::data_dir::{DataDir, DataDirError, create_private};
use crate::dynamodb::{self, DynamoDbError};
use crate::gateway::{self, Clock, Deployed, Gateway, Invoke};
use crate::jwt::{Authorizer, DeveloperIssuer, KeySetError, SigningKeyError};
use crate::object_store::{self, ObjectStore};
use crate::s3::{self, Grants, Principal};
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
/// Access key and secret of the person at the desk, who may do everything in the embedded engines.
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
    /// Region and credentials for external engines: `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// `AWS_SESSION_TOKEN`. `None` where the engines are those of another local cloud, which know each function by
    /// credentials of its own.
    pub aws_environment: Option<BTreeMap<String, String>>,
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
    bucket: String,
    issuer: Option<DeveloperIssuer>,
    stop_gateway: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    stop_engines: watch::Sender<bool>,
    engines: Vec<JoinHandle<()>>,
    dynamodb: Option<dynamodb::Engine>,
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
                let temporary = tempfile::Builder::new().prefix("firefly-").tempdir();
                (None, Some(temporary.map_err(|source| io_error("cannot make a temporary directory", source))?))
            }
            Data::Durable | Data::Ephemeral => (None, None),
        };
        let path = |name: &str| match (&data_dir, &temporary) {
            (Some(data_dir), _) => data_dir.join(name),
            (None, Some(temporary)) => temporary.path().join(name),
            (None, None) => options.data_dir.join(name),
        };
        let (authorizer, issuer) = match &options.token_issuer {
            TokenIssuer::Developer => {
                create_private(&options.data_dir)
                    .map_err(|source| DataDirError::Io { path: options.data_dir.clone(), source })?;
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

        let (stop_engines, stopped) = watch::channel(false);
        let mut engines = Vec::new();
        let (dynamodb_endpoint, dynamodb) = match options.dynamodb_endpoint.clone() {
            Some(endpoint) => (endpoint, None),
            None => {
                let (listener, endpoint) = loopback().await?;
                let listener = listener.into_std().map_err(|source| io_error("cannot use a socket", source))?;
                let engine = dynamodb::Engine::start(&path("dynamodb.sqlite"), listener, stopped.clone())?;
                (endpoint, Some(engine))
            }
        };
        let s3_endpoint = match options.s3_endpoint.clone() {
            Some(endpoint) => endpoint,
            None => {
                let store = Arc::new(ObjectStore::open(&path("s3"))?);
                store.create_bucket(&bucket)?;
                let (listener, endpoint) = loopback().await?;
                let served = s3::serve(listener, store, principals(&templates), until(stopped.clone()));
                engines.push(serve("S3", served));
                endpoint
            }
        };
        let (listener_appconfig, appconfig_endpoint) = loopback().await?;
        let router = appconfig::router(&options.data_dir.join("appconfig"));
        engines.push(serve("AppConfig", serve_router(listener_appconfig, router, until(stopped))));

        let endpoints = Endpoints { dynamodb: dynamodb_endpoint, s3: s3_endpoint, appconfigdata: appconfig_endpoint };
        let functions = deploy(templates, &endpoints, &options)?;
        if dynamodb.is_some() {
            let environment = Environment::new(endpoints.environment(DEVELOPER));
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
            slots: Semaphore::new(gateway::SLOTS),
        };
        let router = Router::new().fallback(gateway::handle).with_state(Arc::new(gateway));
        let (stop_gateway, stopped) = watch::channel(false);
        let gateway = serve("the gateway", serve_router(listener, router, until(stopped)));
        Ok(Self {
            address,
            dynamodb_endpoint: endpoints.dynamodb,
            s3_endpoint: endpoints.s3,
            appconfigdata_endpoint: endpoints.appconfigdata,
            bucket,
            issuer,
            stop_gateway,
            gateway,
            stop_engines,
            engines,
            dynamodb,
            _data_dir: data_dir,
            _temporary: temporary,
        })
    }

    /// The URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

    /// Region and credentials that may do everything in the embedded engines, as environment variables.
    pub fn developer_environment() -> BTreeMap<String, String> {
        credentials(DEVELOPER)
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
    /// The variables with which a function of this access key reaches the embedded engines.
    fn environment(&self, access_key_id: &str) -> BTreeMap<String, String> {
        let mut environment = credentials(access_key_id);
        environment.extend(
            [
                ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb),
                ("AWS_ENDPOINT_URL_S3", &self.s3),
                ("AWS_ENDPOINT_URL_APPCONFIGDATA", &self.appconfigdata),
            ]
            .map(|(name, value)| (name.to_owned(), value.clone())),
        );
        environment
    }
}

fn credentials(access_key_id: &str) -> BTreeMap<String, String> {
    [("AWS_REGION", REGION), ("AWS_ACCESS_KEY_ID", access_key_id), ("AWS_SECRET_ACCESS_KEY", DEVELOPER)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
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

/// Who may do what in the embedded S3: each function what its template grants, the developer everything.
fn principals(templates: &[FunctionTemplate]) -> Vec<Principal> {
    let principal = |name: &str, grants| Principal {
        access_key_id: name.to_owned(),
        secret_access_key: DEVELOPER.to_owned(),
        grants,
    };
    let functions = templates.iter().map(|template| {
        let actions = template.actions.iter().map(|grant| grant.action.as_str());
        principal(&template.name, Grants::actions(actions.filter(|action| action.starts_with("s3:"))))
    });
    functions.chain([principal(DEVELOPER, Grants::Everything)]).collect()
}

/// Starts every function with the environment of its template.
fn deploy(
    templates: Vec<FunctionTemplate>,
    endpoints: &Endpoints,
    options: &Options,
) -> Result<Vec<Deployed>, CloudError> {
    let external = options.dynamodb_endpoint.is_some() || options.s3_endpoint.is_some();
    let deploy = |template: FunctionTemplate| {
        let mut variables = template.environment.clone();
        variables.extend(endpoints.environment(&template.name));
        if external && let Some(given) = &options.aws_environment {
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

async fn serve_router(
    listener: TcpListener,
    router: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stopped).await
}

fn serve(what: &'static str, server: impl Future<Output = io::Result<()>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(cause = %error, "{what} has ended");
        }
    })
}

fn io_error(what: &'static str, source: io::Error) -> CloudError {
    CloudError::Io { what, source }
}

fn function_error(function: &str, source: ConfigError) -> CloudError {
    CloudError::Function { function: function.to_owned(), source }
}
