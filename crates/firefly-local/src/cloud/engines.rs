//! The emulators of the functions' AWS services, each started as a [`Service`] or replaced by an external one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use emulator_dynamodb::Database;
use emulator_kit::{Limits, Listener, Principals};
use emulator_s3::object_store::ObjectStore;
use firefly_runtime::{Aws, Environment};
use firefly_templates::TableTemplate;

use super::deployment::Deployment;
use super::error::CloudError;
use super::options::CloudOptions;
use super::service::{Service, stopping};
use super::storage::Storage;
use crate::stacks::{DEVICES_TABLE, REGISTRATION_KEYS_TABLE};
use crate::tables;

/// The variable of DynamoDB's URL.
pub(super) const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
/// The variable of S3's URL.
pub(super) const S3: &str = "AWS_ENDPOINT_URL_S3";
/// The variable of the URL of AppConfig's data API.
pub(super) const APPCONFIGDATA: &str = "AWS_ENDPOINT_URL_APPCONFIGDATA";

/// The parts that every emulator is started with.
pub(super) struct Engines<'a> {
    pub(super) options: &'a CloudOptions,
    pub(super) storage: &'a Storage,
    pub(super) principals: Principals,
    pub(super) limits: Limits,
}

impl Engines<'_> {
    /// DynamoDB, without its tables.
    pub(super) async fn dynamodb(&self) -> Result<Service, CloudError> {
        if let Some(url) = &self.options.dynamodb_endpoint {
            return Ok(Service::external(DYNAMODB, url));
        }
        let (listener, url) = self.listen().await?;
        let database = Database::open(&self.storage.path("dynamodb.sqlite"))?;
        let (stop, until) = stopping();
        let served = emulator_dynamodb::serve(listener, database, self.principals.clone(), until);
        let served = served.map_err(|source| CloudError::Io { what: "cannot start the embedded DynamoDB", source })?;
        Ok(Service::start(DYNAMODB, url, stop, served))
    }

    /// S3, with the deployment's bucket.
    pub(super) async fn s3(&self, deployment: &Deployment) -> Result<Service, CloudError> {
        if let Some(url) = &self.options.s3_endpoint {
            return Ok(Service::external(S3, url));
        }
        let clock = Arc::clone(&self.options.clock);
        let clock = move || UNIX_EPOCH + Duration::from_secs(clock().get());
        let store = ObjectStore::open(&self.storage.path("s3"))?.with_clock(clock);
        let store = Arc::new(store.with_expirations(deployment.expirations.clone())?);
        store.create_bucket(&deployment.bucket)?;
        let (listener, url) = self.listen().await?;
        let (stop, until) = stopping();
        let served = emulator_s3::serve(listener, store, self.principals.clone(), until);
        Ok(Service::start(S3, url, stop, served))
    }

    /// AppConfig's data API, over the folder `appconfig` of the data directory.
    pub(super) async fn appconfig(&self) -> Result<Service, CloudError> {
        let (listener, url) = self.listen().await?;
        let (stop, until) = stopping();
        let configurations = self.options.data_dir.join("appconfig");
        let served = emulator_appconfig::serve(listener, configurations, self.principals.clone(), until);
        Ok(Service::start(APPCONFIGDATA, url, stop, served))
    }

    /// A listener on a free port of the loopback interface, and its URL.
    async fn listen(&self) -> Result<(Listener, String), CloudError> {
        let io_error = |source| CloudError::Io { what: "cannot listen on the loopback interface", source };
        let listener = Listener::loopback(self.limits).await.map_err(io_error)?;
        let url = listener.url();
        Ok((listener, url))
    }
}

/// Makes the tables that are missing in the embedded DynamoDB, which the developer's variables reach.
pub(super) async fn create_tables(developer: &BTreeMap<String, String>) -> Result<(), CloudError> {
    let failed = |source| CloudError::Function { function: "the embedded DynamoDB".to_owned(), source };
    let client = Aws::new(&Environment::new(developer.clone())).and_then(|aws| firefly_stores::dynamodb::client(&aws));
    let client = client.map_err(failed)?;
    for source in [DEVICES_TABLE, REGISTRATION_KEYS_TABLE] {
        tables::create(&client, &TableTemplate::parse(source)?).await?;
    }
    Ok(())
}
