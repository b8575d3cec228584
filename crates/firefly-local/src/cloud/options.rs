//! The settings of a local cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use emulator_apigateway::Throttle;
use emulator_kit::Deadlines;
use firefly_core::time::UnixSeconds;

/// Reads the clock.
pub type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// The place of the data.
#[derive(Clone, Debug)]
pub enum Data {
    /// In the data directory; they outlive the process.
    Durable,
    /// In a temporary directory that goes with the process. The data directory holds the signing key all the same.
    Ephemeral,
}

/// The issuer whose tokens are accepted.
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
        /// The URL of its keys.
        jwks_url: String,
    },
}

/// The credentials with which the functions call their engines.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Drawn at the start: all engines are embedded. External ones get these environment variables instead: `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
    Own(BTreeMap<String, String>),
    /// The credentials of another local cloud, whose engines these are.
    Shared(emulator_kit::Credentials),
}

/// The settings of a local cloud.
#[derive(Clone)]
pub struct CloudOptions {
    /// The address the gateway listens on; port 0 takes a free one.
    pub listen: String,
    /// The directory of durable data and of the signing key.
    pub data_dir: PathBuf,
    /// The place of the data.
    pub data: Data,
    /// A DynamoDB to use in place of the embedded one; its tables exist.
    pub dynamodb_endpoint: Option<String>,
    /// An S3 to use in place of the embedded one; its bucket exists.
    pub s3_endpoint: Option<String>,
    /// The bucket's name; by default what the templates say.
    pub backup_bucket: Option<String>,
    /// The issuer whose tokens are accepted.
    pub token_issuer: TokenIssuer,
    /// The credentials with which the functions sign their calls.
    pub credentials: Credentials,
    /// The number of files that the process may open.
    pub files: u64,
    /// The deadlines of a connection.
    pub deadlines: Deadlines,
    /// The throttle of API Gateway; `None` refuses no request.
    pub throttle: Option<Throttle>,
    /// The concurrent executions of Lambda; `None` lets requests wait.
    pub executions: Option<usize>,
    /// The server's clock.
    pub clock: Clock,
}
