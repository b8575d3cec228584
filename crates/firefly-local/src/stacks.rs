//! The templates of the stacks that the local cloud is built of, embedded as they are deployed.

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
