//! The body of `POST /devices/register`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| firefly_testkit::targets::registration_body(data));
