//! The embedded templates say what the API is built of, and a template that says something else is refused clearly.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{BillingMode, KeyType, ProjectionType, ScalarAttributeType};
use firefly_local::template::{
    API_GATEWAY, Authorizer, BucketTemplate, DEVICE_BACKUPS, DEVICES_TABLE, FUNCTIONS, FunctionTemplate,
    GatewayTemplate, REGISTRATION_KEYS_TABLE, TableTemplate,
};

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let ids = [("ApiId", "local"), ("AuthorizerId", "jwt")];
    ids.iter().chain(given).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn function(name: &str, given: &[(&str, &str)]) -> FunctionTemplate {
    let source = FUNCTIONS.into_iter().find(|source| source.name == name).unwrap();
    FunctionTemplate::parse(source, &values(given)).unwrap()
}

fn resources(function: &FunctionTemplate, action: &str) -> Vec<String> {
    let of_action = function.actions.iter().filter(|grant| grant.action == action);
    of_action.map(|grant| grant.resource.clone()).collect()
}

#[test]
fn every_lambda_has_its_template_embedded() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lambdas");
    let folders: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, FUNCTIONS.iter().map(|source| source.name.to_owned()).collect());
}

#[test]
fn routes_authorizers_and_limits_are_those_of_the_templates() {
    let expected = [
        ("func-api-devices-backup-delete", "DELETE /devices/{uuid}/backup", Authorizer::None, 14, 256),
        ("func-api-devices-backup-get", "GET /devices/{uuid}/backup", Authorizer::None, 25, 512),
        ("func-api-devices-backup-post", "POST /devices/{uuid}/backup", Authorizer::None, 25, 512),
        ("func-api-devices-get", "GET /devices", Authorizer::Jwt, 25, 256),
        ("func-api-devices-register-post", "POST /devices/register", Authorizer::None, 9, 256),
        ("func-api-devices-registration-get", "GET /devices/{uuid}/registration", Authorizer::None, 9, 256),
        ("func-api-health-get", "GET /health", Authorizer::None, 5, 256),
        ("func-api-registration-keys-get", "GET /registration-keys", Authorizer::Jwt, 25, 256),
        ("func-api-registration-keys-post", "POST /registration-keys", Authorizer::Jwt, 9, 256),
    ];
    for (name, route, authorizer, timeout_seconds, memory_mb) in expected {
        let read = function(name, &[]);
        assert_eq!(read.name, name);
        assert_eq!(read.route.key(), route);
        assert_eq!(read.authorizer, authorizer, "{name}");
        assert_eq!(read.timeout_seconds, timeout_seconds, "{name}");
        assert_eq!(read.memory_mb, memory_mb, "{name}");

        assert_eq!(read.function_name, format!("firefly-{name}"));
        assert_eq!(read.role_name, format!("firefly-{name}-role"));
        assert_eq!(read.log_group.name, format!("/aws/lambda/firefly-{name}"));
        assert_eq!(read.log_group.retention_days, 30, "{name}");
        let built = (read.runtime.as_str(), read.architecture.as_str(), read.handler.as_str());
        assert_eq!(built, ("provided.al2023", "arm64", "bootstrap"), "{name}");
        assert_eq!(read.code_uri, format!("../../target/lambda/{name}/"));
        assert_eq!(read.payload_format_version, "2.0", "{name}");
        let called_from = read.route.key().replace(' ', "").replace("{uuid}", "*");
        let gateway = "arn:aws:execute-api:us-east-1:000000000000:local";
        assert_eq!(read.invoke_source_arn, format!("{gateway}/*/{called_from}"));
    }
}

#[test]
fn a_layer_is_there_when_its_arn_is_given_and_the_extension_brings_its_port() {
    let shared = ("SharedLayerArn", "arn:aws:lambda:us-east-1:000000000000:layer:firefly-shared:1");
    let extension = ("AppConfigExtensionLayerArn", "arn:aws:lambda:us-east-1:1:layer:AWS-AppConfig-Extension:9");
    for source in FUNCTIONS {
        let bare = function(source.name, &[("SharedLayerArn", ""), ("AppConfigExtensionLayerArn", "")]);
        assert_eq!(bare.layers, [""; 0], "{}", source.name);
        assert_eq!(bare.environment.get("AWS_APPCONFIG_EXTENSION_HTTP_PORT"), None, "{}", source.name);
        assert_eq!(bare, function(source.name, &[]), "empty is the default");

        let layered = function(source.name, &[shared, extension, ("AppConfigEnv", "desk")]);
        assert_eq!(layered.layers, [shared.1, extension.1], "{}", source.name);
        assert_eq!(layered.environment["AWS_APPCONFIG_EXTENSION_HTTP_PORT"], "2772");
        assert_eq!(layered.environment["APP_CONFIG_ENV"], "desk");

        let only_shared = function(source.name, &[shared]);
        assert_eq!(only_shared.layers, [shared.1], "{}", source.name);
        assert_eq!(only_shared.environment, bare.environment, "{}", source.name);
    }
}

#[test]
fn the_environment_names_the_tables_and_the_bucket() {
    let read = function("func-api-devices-register-post", &[]);
    let expected = [
        ("APP_CONFIG_ENV", ""),
        ("DYNAMODB_DEVICES_TABLE_NAME", "firefly-devices"),
        ("DYNAMODB_REGISTRATION_KEYS_TABLE_NAME", "firefly-registration-keys"),
    ];
    assert_eq!(read.environment, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    assert_eq!(function("func-api-health-get", &[]).environment, [("APP_CONFIG_ENV".to_owned(), String::new())].into());

    let place = [("AWS::AccountId", "123456789012"), ("AWS::Region", "eu-west-3"), ("AWS::Partition", "aws-cn")];
    let read = function("func-api-devices-backup-get", &place);
    let bucket = "firefly-device-backups-123456789012-eu-west-3";
    assert_eq!(read.environment["S3_BACKUP_BUCKET_NAME"], bucket);
    assert_eq!(resources(&read, "s3:GetObject"), [format!("arn:aws-cn:s3:::{bucket}/*")]);
    assert_eq!(resources(&read, "s3:ListBucket"), [format!("arn:aws-cn:s3:::{bucket}")]);
    let stack = BucketTemplate::parse(DEVICE_BACKUPS, &values(&place)).unwrap();
    assert_eq!((stack.name.as_str(), stack.versioned), (bucket, true), "the bucket's own stack agrees");

    let named = [("BackupBucketName", "firefly-mine")];
    let read = function("func-api-devices-backup-post", &named);
    assert_eq!(read.environment["S3_BACKUP_BUCKET_NAME"], "firefly-mine");
    assert_eq!(resources(&read, "s3:PutObject"), ["arn:aws:s3:::firefly-mine/*"]);
    assert_eq!(BucketTemplate::parse(DEVICE_BACKUPS, &values(&named)).unwrap().name, "firefly-mine");
}

#[test]
fn a_role_allows_its_handlers_actions_and_the_common_base() {
    let base = [
        "appconfig:GetLatestConfiguration",
        "appconfig:StartConfigurationSession",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ];
    let expected: [(&str, &[&str]); 9] = [
        ("func-api-devices-backup-delete", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:DeleteObject"]),
        (
            "func-api-devices-backup-get",
            &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:GetObject", "s3:ListBucket"],
        ),
        (
            "func-api-devices-backup-post",
            &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:GetObject", "s3:PutObject"],
        ),
        ("func-api-devices-get", &["dynamodb:Query", "dynamodb:Scan"]),
        (
            "func-api-devices-register-post",
            &["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        ),
        ("func-api-devices-registration-get", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]),
        ("func-api-health-get", &[]),
        ("func-api-registration-keys-get", &["dynamodb:Scan"]),
        ("func-api-registration-keys-post", &["dynamodb:PutItem"]),
    ];
    for (name, own) in expected {
        let read = function(name, &[]);
        let actions: BTreeSet<&str> = read.actions.iter().map(|grant| grant.action.as_str()).collect();
        assert_eq!(actions, base.iter().chain(own).copied().collect(), "{name}");
        assert!(own.iter().all(|action| read.grants(action)));
        let logs = format!("arn:aws:logs:us-east-1:000000000000:log-group:{}:*", read.log_group.name);
        assert_eq!(resources(&read, "logs:PutLogEvents"), [logs]);
    }

    let table = "arn:aws:dynamodb:us-east-1:000000000000:table";
    let list = function("func-api-devices-get", &[]);
    assert_eq!(resources(&list, "dynamodb:Scan"), [format!("{table}/firefly-devices")]);
    assert_eq!(resources(&list, "dynamodb:Query"), [format!("{table}/firefly-devices/index/product_hex-index")]);
    assert!(!list.grants("dynamodb:PutItem"));
    let register = function("func-api-devices-register-post", &[]);
    let both = [format!("{table}/firefly-devices"), format!("{table}/firefly-registration-keys")];
    assert_eq!(resources(&register, "dynamodb:GetItem"), both);
    assert_eq!(resources(&register, "dynamodb:PutItem"), both[..1]);
    assert_eq!(resources(&register, "dynamodb:DeleteItem"), both[1..]);
}

#[test]
fn tables_are_those_of_their_stacks() {
    let devices = TableTemplate::parse(DEVICES_TABLE).unwrap();
    assert_eq!(devices.name, "firefly-devices");
    let keys: Vec<_> = devices.key_schema.iter().map(|key| (key.attribute_name(), key.key_type())).collect();
    assert_eq!(keys, [("uuid", &KeyType::Hash)]);
    let types: Vec<_> = devices.attributes.iter().map(|a| (a.attribute_name(), a.attribute_type())).collect();
    assert_eq!(types, [("uuid", &ScalarAttributeType::S), ("product_hex", &ScalarAttributeType::S)]);
    let [index] = &devices.indexes[..] else { panic!("{:?}", devices.indexes) };
    assert_eq!(index.index_name(), "product_hex-index");
    assert_eq!(index.key_schema()[0].attribute_name(), "product_hex");
    assert_eq!(index.projection().unwrap().projection_type(), Some(&ProjectionType::All));
    assert_eq!(devices.ttl_attribute, None);

    let keys = TableTemplate::parse(REGISTRATION_KEYS_TABLE).unwrap();
    assert_eq!(keys.name, "firefly-registration-keys");
    assert_eq!(keys.key_schema[0].attribute_name(), "key");
    assert_eq!(keys.ttl_attribute.as_deref(), Some("ttl"));
    for table in [devices, keys] {
        assert_eq!(table.billing, BillingMode::PayPerRequest);
        assert!(table.deletion_protection && table.point_in_time_recovery, "{}", table.name);
    }
}

#[test]
fn the_gateway_has_its_cors_rules_throttle_and_issuer() {
    let pool = [("UserPoolId", "eu-west-3_abc"), ("UserPoolClientId", "client"), ("AWS::Region", "eu-west-3")];
    let gateway = GatewayTemplate::parse(API_GATEWAY, &values(&pool)).unwrap();
    assert_eq!(gateway.cors.allow_origins, ["*"]);
    assert_eq!(gateway.cors.allow_methods, ["GET", "POST", "DELETE"]);
    for header in ["authorization", "content-type", "x-registration-key", "x-device-signature", "if-none-match"] {
        assert!(gateway.cors.allow_headers.iter().any(|allowed| allowed == header), "{header}");
    }
    assert_eq!(gateway.cors.expose_headers, ["etag", "retry-after"]);
    assert!(!gateway.cors.allow_credentials, "never together with any origin");
    assert_eq!(gateway.cors.max_age_seconds, 3600);
    assert_eq!((gateway.throttle.burst, gateway.throttle.rate), (1000, 500.0));
    assert_eq!(gateway.authorizer.issuer, "https://cognito-idp.eu-west-3.amazonaws.com/eu-west-3_abc");
    assert_eq!(gateway.authorizer.audience, ["client"]);

    let mut narrowed = values(&pool);
    narrowed.insert("AllowOrigins".to_owned(), "https://a.example, https://b.example".to_owned());
    narrowed.insert("ThrottlingRateLimit".to_owned(), "12.5".to_owned());
    narrowed.insert("ThrottlingBurstLimit".to_owned(), "25".to_owned());
    let gateway = GatewayTemplate::parse(API_GATEWAY, &narrowed).unwrap();
    assert_eq!(gateway.cors.allow_origins, ["https://a.example", "https://b.example"]);
    assert_eq!((gateway.throttle.burst, gateway.throttle.rate), (25, 12.5));
}
