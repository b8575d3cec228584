//! The reasons for which a local cloud does not start.

use std::io;

use emulator_apigateway::KeySetError;
use emulator_dynamodb::OpenError;
use emulator_s3::object_store;
use firefly_runtime::ConfigError;
use firefly_templates::TemplateError;

use crate::data_dir::DataDirError;
use crate::issuer::SigningKeyError;
use crate::tables::TableError;

/// The reason for which the local cloud does not start.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Listen {
        /// The address.
        address: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The data directory cannot be worked in.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database of the embedded DynamoDB cannot be opened.
    #[error(transparent)]
    DynamoDb(#[from] OpenError),
    /// A table cannot be made.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The embedded S3 does not run.
    #[error("cannot start the embedded S3: {0}")]
    S3(#[from] object_store::ObjectStoreError),
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
        /// The cause.
        source: ConfigError,
    },
    /// Something that has to be there, such as a temporary directory or a socket, cannot be had.
    #[error("{what}: {source}")]
    Io {
        /// The step that failed.
        what: &'static str,
        /// The operating system's reason.
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
