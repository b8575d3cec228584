//! The FFCE parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| firefly_testkit::targets::envelope(data));
