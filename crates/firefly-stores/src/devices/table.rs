//! The table.

use aws_sdk_dynamodb::Client;
use firefly_runtime::{Aws, ConfigError, Environment, Random};

use crate::dynamodb;

/// The registered devices.
pub struct Devices {
    pub(super) client: Client,
    pub(super) table: String,
    pub(super) random: Random,
}

impl Devices {
    /// The table that `DYNAMODB_DEVICES_TABLE_NAME` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the variable is not set.
    pub fn new(environment: &Environment, aws: &Aws) -> Result<Self, ConfigError> {
        let table = environment.required("DYNAMODB_DEVICES_TABLE_NAME")?;
        Ok(Self { client: dynamodb::client_with_connections(aws, 1)?, table, random: environment.random() })
    }
}
