//! The list, in the order of the names.

use crate::{Caller, Listed, listed};

/// Every function.
pub const ALL: [Listed; 9] = [
    listed::<func_api_devices_backup_delete::App>(
        include_str!("../../../lambdas/func-api-devices-backup-delete/template.yaml"),
        Caller::Device,
        &[200, 304, 400, 401, 403, 404, 413, 429],
    ),
    listed::<func_api_devices_backup_get::App>(
        include_str!("../../../lambdas/func-api-devices-backup-get/template.yaml"),
        Caller::Device,
        &[200, 304, 400, 401, 403, 404, 413, 429],
    ),
    listed::<func_api_devices_backup_post::App>(
        include_str!("../../../lambdas/func-api-devices-backup-post/template.yaml"),
        Caller::Device,
        &[200, 304, 400, 401, 403, 404, 413, 429],
    ),
    listed::<func_api_devices_get::App>(
        include_str!("../../../lambdas/func-api-devices-get/template.yaml"),
        Caller::SuperUser,
        &[200, 400, 403],
    ),
    listed::<func_api_devices_register_post::App>(
        include_str!("../../../lambdas/func-api-devices-register-post/template.yaml"),
        Caller::Key,
        &[204, 400, 401, 409, 413, 429],
    ),
    listed::<func_api_devices_registration_get::App>(
        include_str!("../../../lambdas/func-api-devices-registration-get/template.yaml"),
        Caller::Device,
        &[200, 304, 400, 401, 403, 404, 413, 429],
    ),
    listed::<func_api_health_get::App>(
        include_str!("../../../lambdas/func-api-health-get/template.yaml"),
        Caller::Anyone,
        &[200],
    ),
    listed::<func_api_registration_keys_get::App>(
        include_str!("../../../lambdas/func-api-registration-keys-get/template.yaml"),
        Caller::User,
        &[200, 401],
    ),
    listed::<func_api_registration_keys_post::App>(
        include_str!("../../../lambdas/func-api-registration-keys-post/template.yaml"),
        Caller::User,
        &[201, 401],
    ),
];
