//! The embedded engines with their tables and bucket, and the stores on them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, CreateGlobalSecondaryIndexAction,
    DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType,
};
use emulator_kit::{Grants, Limits, Listener, Principal, Principals};
use emulator_s3::object_store::ObjectStore;
use firefly_core::time::UnixSeconds;
use firefly_runtime::{Aws, Environment, Random};
use firefly_stores::{Backups, Devices, RegistrationKeys, Registrations, dynamodb, s3};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::faults::{Faults, operation};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const DEVICES: &str = "devices";
pub(crate) const KEYS: &str = "keys";
pub(crate) const BUCKET: &str = "backups";
/// The index of the devices by product.
pub(crate) const KEYS_INDEX: &str = "product_hex-keys-index";
/// The one that earlier deployments made, of all attributes.
pub(crate) const ALL_INDEX: &str = "product_hex-index";
/// The clock of the tests.
pub(crate) const NOW: UnixSeconds = UnixSeconds::new(2_000_000_000);

/// Engines of one test.
pub(crate) struct Engines {
    /// Clients that meet no fault.
    pub(crate) items: aws_sdk_dynamodb::Client,
    pub(crate) objects: aws_sdk_s3::Client,
    /// The faults that the calls of the stores meet.
    pub(crate) faults: Faults,
    variables: BTreeMap<String, String>,
    _stop: [oneshot::Sender<()>; 2],
    _data: TempDir,
}

impl Engines {
    pub(crate) async fn start() -> Self {
        let data = TempDir::new().unwrap();
        let principals = Principals::new([Principal {
            access_key_id: "stores".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            grants: Grants::Everything,
        }]);
        let (stop_dynamodb, stopped) = oneshot::channel::<()>();
        let listener = Listener::loopback(Limits::default()).await.unwrap();
        let dynamodb_url = listener.url();
        let database = emulator_dynamodb::Database::open(&data.path().join("items")).unwrap();
        let until = async move { drop(stopped.await) };
        // Its threads serve it; the future only tells when they have ended.
        drop(emulator_dynamodb::serve(listener, database, principals.clone(), until).unwrap());
        let (stop_s3, stopped) = oneshot::channel::<()>();
        let listener = Listener::loopback(Limits::default()).await.unwrap();
        let s3_url = listener.url();
        let store = Arc::new(ObjectStore::open(&data.path().join("objects")).unwrap());
        store.create_bucket(BUCKET).unwrap();
        tokio::spawn(emulator_s3::serve(listener, store, principals, async move { drop(stopped.await) }));

        let aws = Aws::new(&Environment::new(variables(&dynamodb_url, &s3_url))).unwrap();
        let (items, objects) = (dynamodb::client(&aws).unwrap(), s3::client(&aws).unwrap());
        create_devices(&items).await;
        create_keys(&items).await;
        let faults = Faults::new(operation);
        let through = [faults.in_front_of(&dynamodb_url).await.unwrap(), faults.in_front_of(&s3_url).await.unwrap()];
        let variables = variables(&through[0], &through[1]);
        Self { items, objects, faults, variables, _stop: [stop_dynamodb, stop_s3], _data: data }
    }

    fn environment(&self) -> Environment {
        Environment::new(self.variables.clone())
    }

    pub(crate) fn devices(&self) -> Devices {
        let environment = self.environment();
        Devices::new(&environment, &Aws::new(&environment).unwrap()).unwrap()
    }

    pub(crate) fn backups(&self) -> Backups {
        let environment = self.environment();
        Backups::new(&environment, &Aws::new(&environment).unwrap()).unwrap()
    }

    pub(crate) fn registrations(&self) -> Registrations {
        let environment = self.environment();
        Registrations::new(&environment, &Aws::new(&environment).unwrap()).unwrap()
    }

    pub(crate) fn registration_keys(&self) -> RegistrationKeys {
        self.registration_keys_of(Random::operating_system())
    }

    /// Keys that are drawn with this generator.
    pub(crate) fn registration_keys_of(&self, random: Random) -> RegistrationKeys {
        let environment = self.environment().with_random(random);
        RegistrationKeys::new(&environment, &Aws::new(&environment).unwrap()).unwrap()
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        self.items.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    /// Adds [`ALL_INDEX`] to the table of devices.
    pub(crate) async fn add_all_index(&self) {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = CreateGlobalSecondaryIndexAction::builder().index_name(ALL_INDEX).projection(all);
        let index = index.key_schema(hash_key("product_hex")).build().unwrap();
        self.update_index(GlobalSecondaryIndexUpdate::builder().create(index).build()).await;
    }

    /// Drops an index of the table of devices.
    pub(crate) async fn drop_index(&self, name: &str) {
        let index = DeleteGlobalSecondaryIndexAction::builder().index_name(name).build().unwrap();
        self.update_index(GlobalSecondaryIndexUpdate::builder().delete(index).build()).await;
    }

    async fn update_index(&self, update: GlobalSecondaryIndexUpdate) {
        let table = self.items.update_table().table_name(DEVICES).global_secondary_index_updates(update);
        let table = table.attribute_definitions(string("uuid")).attribute_definitions(string("product_hex"));
        table.send().await.unwrap();
    }

    /// The item of this key.
    pub(crate) async fn item(&self, table: &str, key: &str) -> Option<Item> {
        let name = if table == DEVICES { "uuid" } else { "key" };
        self.items.get_item().table_name(table).key(name, text(key)).send().await.unwrap().item
    }

    pub(crate) async fn delete(&self, table: &str, key: &str) {
        let name = if table == DEVICES { "uuid" } else { "key" };
        self.items.delete_item().table_name(table).key(name, text(key)).send().await.unwrap();
    }
}

fn variables(dynamodb: &str, s3: &str) -> BTreeMap<String, String> {
    [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "stores"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb),
        ("AWS_ENDPOINT_URL_S3", s3),
        ("DYNAMODB_DEVICES_TABLE_NAME", DEVICES),
        ("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME", KEYS),
        ("S3_BACKUP_BUCKET_NAME", BUCKET),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn hash_key(name: &str) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().unwrap()
}

fn string(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
    definition.build().unwrap()
}

async fn create_devices(client: &aws_sdk_dynamodb::Client) {
    let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let index = GlobalSecondaryIndex::builder().index_name(KEYS_INDEX).key_schema(hash_key("product_hex"));
    let index = index.projection(projection).build().unwrap();
    let create = client.create_table().table_name(DEVICES).billing_mode(BillingMode::PayPerRequest);
    let create = create.key_schema(hash_key("uuid")).global_secondary_indexes(index);
    let create = create.attribute_definitions(string("uuid")).attribute_definitions(string("product_hex"));
    create.send().await.unwrap();
}

async fn create_keys(client: &aws_sdk_dynamodb::Client) {
    let create = client.create_table().table_name(KEYS).billing_mode(BillingMode::PayPerRequest);
    create.key_schema(hash_key("key")).attribute_definitions(string("key")).send().await.unwrap();
}

pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
