//! The emulator with the SDK's client.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::operation::RequestId as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use aws_smithy_types::body::SdkBody;
use emulator_dynamodb::{Database, serve};
use emulator_kit::{Grants, Limits, Listener, Principal, Principals};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const TABLE: &str = "the-table";
/// Longer than the emulator takes to delete an expired item.
const GENEROUS: Duration = Duration::from_secs(60);

/// A served database.
struct Emulator {
    url: String,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Emulator {
    async fn start(dir: &Path) -> Self {
        let database = Database::open(&dir.join("database.sqlite")).unwrap();
        let listener = Listener::loopback(Limits::default()).await.unwrap();
        let url = listener.url();
        let principals = Principals::new([Principal {
            access_key_id: "principal".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: Some("token".to_owned()),
            grants: Grants::Everything,
        }]);
        let (stop, stopped) = oneshot::channel();
        let served = serve(listener, database, principals, async move { drop(stopped.await) }).unwrap();
        Self { url, stop, done: tokio::spawn(served) }
    }

    async fn stop(self) {
        drop(self.stop);
        self.done.await.unwrap();
    }

    fn client(&self) -> Client {
        self.client_with("principal", "secret", "token")
    }

    fn client_with(&self, id: &str, secret: &str, token: &str) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new(id, secret, Some(token.to_owned()), None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Client::from_conf(config.build())
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// Makes a table with the hash key `key`.
async fn create_table(client: &Client) {
    let key = KeySchemaElement::builder().attribute_name("key").key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder().attribute_name("key").attribute_type(ScalarAttributeType::S);
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest).key_schema(key);
    create.attribute_definitions(attribute.build().unwrap()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client();
    create_table(&client).await;
    let put = client.put_item().table_name(TABLE).item("key", text("a")).item("value", text("b")).send().await.unwrap();
    assert_eq!(put.request_id().unwrap().len(), 52);
    server.stop().await;

    let server = Emulator::start(dir.path()).await;
    let found = server.client().get_item().table_name(TABLE).key("key", text("a")).send().await.unwrap();
    assert_eq!(found.item().unwrap()["value"], text("b"));
    let absent = server.client().get_item().table_name(TABLE).key("key", text("c")).send().await.unwrap();
    assert_eq!(absent.item(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_item_is_deleted_and_another_stays() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client();
    create_table(&client).await;
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build().unwrap();
    client.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await.unwrap();
    for (key, expires) in [("past", "1000000000"), ("future", "32503680000")] {
        let expires = AttributeValue::N(expires.to_owned());
        client.put_item().table_name(TABLE).item("key", text(key)).item("expires", expires).send().await.unwrap();
    }
    let deleted = async {
        while client.scan().table_name(TABLE).send().await.unwrap().count() != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(GENEROUS, deleted).await.unwrap();
    let left = client.scan().table_name(TABLE).send().await.unwrap();
    assert_eq!(left.items()[0]["key"], text("future"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_fails_is_refused() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    let client = server.client();
    create_table(&client).await;
    let put =
        || client.put_item().table_name(TABLE).item("key", text("a")).condition_expression("attribute_not_exists(#k)");
    assert!(put().expression_attribute_names("#k", "key").send().await.is_ok());
    let error = put().expression_attribute_names("#k", "key").send().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_and_a_wrong_signature_are_refused() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    for (id, secret, token, code) in [
        ("nobody", "secret", "token", "UnrecognizedClientException"),
        ("principal", "secret", "another", "UnrecognizedClientException"),
        ("principal", "a guess", "token", "InvalidSignatureException"),
    ] {
        let error = server.client_with(id, secret, token).list_tables().send().await.unwrap_err();
        assert_eq!((error.code(), error.raw_response().unwrap().status().as_u16()), (Some(code), 400), "{id} {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_read_is_refused_with_the_reason() {
    let dir = TempDir::new().unwrap();
    let server = Emulator::start(dir.path()).await;
    for (target, body, code) in [
        ("Nothing", "{}", "UnknownOperationException"),
        ("ListTables", "{", "SerializationException"),
        ("ListTables", r#"{"Limit":"many"}"#, "SerializationException"),
        ("GetItem", r#"{"TableName":"no-such-table","Key":{"key":{"S":"a"}}}"#, "ResourceNotFoundException"),
        ("PutItem", r#"{"TableName":"the-table","Item":{"key":{}}}"#, "ValidationException"),
    ] {
        let changed = server.client().list_tables().customize().mutate_request(move |request| {
            request.headers_mut().insert("x-amz-target", format!("DynamoDB_20120810.{target}"));
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body);
        });
        let error = changed.send().await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{target} {body}");
        let response = error.raw_response().unwrap();
        assert_eq!(response.status().as_u16(), 400, "{target} {body}");
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, response.body().bytes().unwrap());
        assert_eq!(response.headers().get("x-amz-crc32"), Some(crc.to_string().as_str()), "{target} {body}");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_named_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("database.sqlite");
    let text = "not a database, but long enough to be read as one".repeat(99);
    std::fs::write(&path, &text).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot open the database {}: ", path.display())), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
