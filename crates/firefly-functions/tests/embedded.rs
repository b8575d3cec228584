//! The embedded templates of the functions: routes, limits, layers, environment and grants.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use firefly_functions::ALL;
use firefly_templates::{AuthorizationType, FunctionTemplate};

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let ids = [("ApiId", "local"), ("AuthorizerId", "jwt")];
    ids.iter().chain(given).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn function(name: &str, given: &[(&str, &str)]) -> FunctionTemplate {
    FunctionTemplate::parse(firefly_functions::named(name).unwrap().template, &values(given)).unwrap()
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
    assert_eq!(folders, ALL.iter().map(|function| function.name.to_owned()).collect());
}

#[test]
fn routes_authorizers_and_limits_are_those_of_the_templates() {
    let expected = [
        ("func-api-devices-backup-delete", "DELETE /devices/{uuid}/backup", AuthorizationType::None, 14, 256),
        ("func-api-devices-backup-get", "GET /devices/{uuid}/backup", AuthorizationType::None, 25, 512),
        ("func-api-devices-backup-post", "POST /devices/{uuid}/backup", AuthorizationType::None, 25, 512),
        ("func-api-devices-get", "GET /devices", AuthorizationType::Jwt, 25, 256),
        ("func-api-devices-register-post", "POST /devices/register", AuthorizationType::None, 14, 256),
        ("func-api-devices-registration-get", "GET /devices/{uuid}/registration", AuthorizationType::None, 9, 256),
        ("func-api-health-get", "GET /health", AuthorizationType::None, 5, 256),
        ("func-api-registration-keys-delete", "DELETE /registration-keys/{key}", AuthorizationType::Jwt, 9, 256),
        ("func-api-registration-keys-get", "GET /registration-keys", AuthorizationType::Jwt, 25, 256),
        ("func-api-registration-keys-post", "POST /registration-keys", AuthorizationType::Jwt, 9, 256),
    ];
    for (name, route, authorizer, timeout_seconds, memory_mb) in expected {
        let read = function(name, &[]);
        assert_eq!(read.route.to_string(), route);
        assert_eq!(read.authorizer, authorizer, "{name}");
        assert_eq!(read.timeout_seconds, timeout_seconds, "{name}");
        assert_eq!(read.memory_mb, memory_mb, "{name}");
    }
}

#[test]
fn every_function_is_named_built_and_called_as_its_name_and_route_say() {
    for listed in ALL {
        let name = listed.name;
        let read = function(name, &[]);
        assert_eq!(read.name, name);
        assert_eq!(read.authorizer == AuthorizationType::Jwt, listed.caller.has_token(), "{name}");
        assert_eq!(read.function_name, format!("firefly-{name}"));
        assert_eq!(read.role_name, format!("firefly-{name}-role"));
        assert_eq!(read.log_group.name, format!("/aws/lambda/firefly-{name}"));
        assert_eq!(read.log_group.retention_days, 30, "{name}");
        let built = (read.runtime.as_str(), read.architecture.as_str(), read.handler.as_str());
        assert_eq!(built, ("provided.al2023", "arm64", "bootstrap"), "{name}");
        assert_eq!(read.code_uri, format!("../../target/lambda/{name}/"));
        assert_eq!(read.payload_format_version, "2.0", "{name}");
        let variables = read.route.variables().map(|name| format!("{{{name}}}"));
        let called_from = variables.fold(read.route.to_string().replace(' ', ""), |key, name| key.replace(&name, "*"));
        let gateway = "arn:aws:execute-api:us-east-1:000000000000:local";
        assert_eq!(read.invoke_source_arn, format!("{gateway}/*/{called_from}"));
    }
}

#[test]
fn a_layer_is_there_when_its_arn_is_given_and_the_extension_brings_its_port() {
    let shared = ("SharedLayerArn", "arn:aws:lambda:us-east-1:000000000000:layer:firefly-shared:1");
    let extension = ("AppConfigExtensionLayerArn", "arn:aws:lambda:us-east-1:1:layer:AWS-AppConfig-Extension:9");
    for source in ALL {
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
        ("EDGE_SECRET_SHA256", ""),
    ];
    assert_eq!(read.environment, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    let common = ["APP_CONFIG_ENV", "EDGE_SECRET_SHA256"].map(|name| (name.to_owned(), String::new()));
    assert_eq!(function("func-api-health-get", &[]).environment, common.into());

    let place = [("AWS::AccountId", "123456789012"), ("AWS::Region", "eu-west-3"), ("AWS::Partition", "aws-cn")];
    let read = function("func-api-devices-backup-get", &place);
    let bucket = "firefly-device-backups-123456789012-eu-west-3";
    assert_eq!(read.environment["S3_BACKUP_BUCKET_NAME"], bucket);
    assert_eq!(resources(&read, "s3:GetObject"), [format!("arn:aws-cn:s3:::{bucket}/*")]);
    assert_eq!(resources(&read, "s3:ListBucket"), [format!("arn:aws-cn:s3:::{bucket}")]);

    let named = [("BackupBucketName", "firefly-mine")];
    let read = function("func-api-devices-backup-post", &named);
    assert_eq!(read.environment["S3_BACKUP_BUCKET_NAME"], "firefly-mine");
    assert_eq!(resources(&read, "s3:PutObject"), ["arn:aws:s3:::firefly-mine/*"]);
}

/// The actions of functions beside those that all have.
const OWN: &[(&str, &[&str])] = &[
    ("func-api-devices-backup-delete", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:DeleteObject"]),
    ("func-api-devices-backup-get", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:GetObject", "s3:ListBucket"]),
    (
        "func-api-devices-backup-post",
        &["dynamodb:BatchGetItem", "dynamodb:UpdateItem", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"],
    ),
    ("func-api-devices-backups-get", &["dynamodb:GetItem", "s3:GetObjectVersion", "s3:ListBucketVersions"]),
    (
        "func-api-devices-backups-restore-post",
        &[
            "dynamodb:GetItem",
            "dynamodb:UpdateItem",
            "s3:DeleteObjectVersion",
            "s3:GetObjectVersion",
            "s3:ListBucketVersions",
            "s3:PutObject",
        ],
    ),
    (
        "func-api-devices-delete",
        &["dynamodb:DeleteItem", "dynamodb:GetItem", "s3:DeleteObjectVersion", "s3:ListBucketVersions"],
    ),
    ("func-api-devices-get", &["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan"]),
    (
        "func-api-devices-register-post",
        &["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
    ),
    ("func-api-devices-registration-get", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]),
    ("func-api-health-get", &[]),
    ("func-api-registration-keys-delete", &["dynamodb:DeleteItem", "dynamodb:UpdateItem"]),
    ("func-api-registration-keys-get", &["dynamodb:BatchGetItem", "dynamodb:GetItem"]),
    ("func-api-registration-keys-post", &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]),
];

#[test]
fn a_role_allows_its_handlers_actions_and_the_common_base() {
    let base = [
        "appconfig:GetLatestConfiguration",
        "appconfig:StartConfigurationSession",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ];
    for (name, own) in OWN {
        let read = function(name, &[]);
        let actions: BTreeSet<&str> = read.actions.iter().map(|grant| grant.action.as_str()).collect();
        assert_eq!(actions, base.iter().chain(*own).copied().collect(), "{name}");
    }
    for source in ALL {
        let read = function(source.name, &[]);
        assert!(base.iter().all(|action| read.grants(action)), "{}", source.name);
        let logs = format!("arn:aws:logs:us-east-1:000000000000:log-group:{}:*", read.log_group.name);
        assert_eq!(resources(&read, "logs:PutLogEvents"), [logs]);
    }

    let table = "arn:aws:dynamodb:us-east-1:000000000000:table";
    let list = function("func-api-devices-get", &[]);
    assert_eq!(resources(&list, "dynamodb:Scan"), [format!("{table}/firefly-devices")]);
    let indexes = ["product_hex-keys-index", "product_hex-index"];
    assert_eq!(
        resources(&list, "dynamodb:Query"),
        indexes.map(|index| format!("{table}/firefly-devices/index/{index}"))
    );
    assert!(!list.grants("dynamodb:PutItem"));
    let register = function("func-api-devices-register-post", &[]);
    let both = [format!("{table}/firefly-devices"), format!("{table}/firefly-registration-keys")];
    assert_eq!(resources(&register, "dynamodb:GetItem"), both);
    assert_eq!(resources(&register, "dynamodb:PutItem"), both[..1]);
    assert_eq!(resources(&register, "dynamodb:DeleteItem"), both[1..]);
}
