//! The templates of the stacks that the local cloud is built of, embedded as they are deployed, and their parameters.

use std::collections::BTreeMap;

use firefly_templates::Source;

macro_rules! stack {
    ($name:literal) => {
        Source { name: $name, text: include_str!(concat!("../../../stacks/", $name, ".yaml")) }
    };
}

/// The stack of the HTTP API.
pub const API_GATEWAY: Source<'static> = stack!("api-gateway");
/// The stack of the devices table.
pub const DEVICES_TABLE: Source<'static> = stack!("dynamodb-devices");
/// The stack of the registration keys table.
pub const REGISTRATION_KEYS_TABLE: Source<'static> = stack!("dynamodb-registration-keys");
/// The stack of the backup bucket.
pub const DEVICE_BACKUPS: Source<'static> = stack!("s3-device-backups");

/// The AppConfig environment of the local functions.
const APP_CONFIG_ENV: &str = "local";

/// The parameters of all templates, as a deployment without layers resolves them.
pub(crate) fn parameters(backup_bucket: Option<&str>) -> BTreeMap<String, String> {
    [
        ("ApiId", "local"),
        ("AuthorizerId", "local"),
        ("UserPoolId", "local"),
        ("UserPoolClientId", "local"),
        ("SharedLayerArn", ""),
        ("AppConfigExtensionLayerArn", ""),
        ("AppConfigEnv", APP_CONFIG_ENV),
        ("EdgeSecretSha256", ""),
        ("BackupBucketName", backup_bucket.unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
