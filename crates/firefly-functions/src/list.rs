// Rendered by firefly-render from lambdas/*/function.toml; do not edit.
//! The list, in the order of the names.

use firefly_templates::Caller;

use crate::listed::{Listed, listed};

macro_rules! function {
    ($app:ty, $name:literal, $caller:ident, $statuses:expr) => {
        listed::<$app>(include_str!(concat!("../../../lambdas/", $name, "/template.yaml")), Caller::$caller, &$statuses)
    };
}

/// Every function.
#[rustfmt::skip] // A line for each.
pub const ALL: [Listed; 13] = [
    function!(func_api_devices_backup_delete::App, "func-api-devices-backup-delete", Device, [200, 400, 401, 403, 429]),
    function!(func_api_devices_backup_get::App, "func-api-devices-backup-get", Device, [200, 400, 401, 403, 404, 429]),
    function!(func_api_devices_backup_post::App, "func-api-devices-backup-post", Device, [200, 304, 400, 401, 403, 413, 429]),
    function!(func_api_devices_backups_get::App, "func-api-devices-backups-get", SuperUser, [200, 400, 403, 404]),
    function!(func_api_devices_backups_restore_post::App, "func-api-devices-backups-restore-post", SuperUser, [200, 400, 401, 403, 404]),
    function!(func_api_devices_delete::App, "func-api-devices-delete", SuperUser, [200, 400, 401, 403]),
    function!(func_api_devices_get::App, "func-api-devices-get", SuperUser, [200, 400, 403]),
    function!(func_api_devices_register_post::App, "func-api-devices-register-post", Key, [204, 400, 401, 409, 413, 429]),
    function!(func_api_devices_registration_get::App, "func-api-devices-registration-get", Device, [200, 400, 401, 403, 404, 429]),
    function!(func_api_health_get::App, "func-api-health-get", Anyone, [200]),
    function!(func_api_registration_keys_delete::App, "func-api-registration-keys-delete", User, [204, 400, 401]),
    function!(func_api_registration_keys_get::App, "func-api-registration-keys-get", User, [200, 401]),
    function!(func_api_registration_keys_post::App, "func-api-registration-keys-post", User, [201, 401, 429]),
];
