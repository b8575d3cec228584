// Rendered by firefly-render from lambdas/*/function.toml; do not edit.
//! The functions and what each needs of the stacks before it.

use super::stack::{API, API_FOR_USERS, LAYER, Stack, bucket, function, table};

/// Every function, in the order in which they are deployed.
#[rustfmt::skip] // A line for each.
pub(super) const FUNCTIONS: [Stack; 13] = [
    function!("func-api-health-get", &[API, LAYER]),
    function!("func-api-registration-keys-post", &[API_FOR_USERS, table("dynamodb-registration-keys", "write"), LAYER]),
    function!("func-api-registration-keys-get", &[API_FOR_USERS, table("dynamodb-registration-keys", "read"), LAYER]),
    function!("func-api-registration-keys-delete", &[API_FOR_USERS, table("dynamodb-registration-keys", "delete"), LAYER]),
    function!("func-api-devices-register-post", &[API, table("dynamodb-devices", "read/write"), table("dynamodb-registration-keys", "read/delete"), LAYER]),
    function!("func-api-devices-registration-get", &[API, table("dynamodb-devices", "read/write"), LAYER]),
    function!("func-api-devices-backup-post", &[API, table("dynamodb-devices", "read/write"), LAYER, bucket("s3-device-backups", "put/head")]),
    function!("func-api-devices-backup-get", &[API, table("dynamodb-devices", "read/write"), LAYER, bucket("s3-device-backups", "get")]),
    function!("func-api-devices-backup-delete", &[API, table("dynamodb-devices", "read/write"), LAYER, bucket("s3-device-backups", "delete")]),
    function!("func-api-devices-get", &[API_FOR_USERS, table("dynamodb-devices", "read/scan"), LAYER]),
    function!("func-api-devices-delete", &[API_FOR_USERS, table("dynamodb-devices", "read/delete"), LAYER, bucket("s3-device-backups", "get/delete")]),
    function!("func-api-devices-backups-get", &[API_FOR_USERS, table("dynamodb-devices", "read"), LAYER, bucket("s3-device-backups", "get")]),
    function!("func-api-devices-backups-restore-post", &[API_FOR_USERS, table("dynamodb-devices", "read/write"), LAYER, bucket("s3-device-backups", "get/put/delete")]),
];
