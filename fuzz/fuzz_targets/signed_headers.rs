//! The four headers of a signed request.
#![no_main]

use std::sync::LazyLock;

use firefly_core::device::DevicePublicKey;

static KEY: LazyLock<DevicePublicKey> = LazyLock::new(|| *firefly_testkit::new_device().public_key());

libfuzzer_sys::fuzz_target!(|data: &[u8]| firefly_testkit::targets::signed_headers(data, &KEY));
