//! The whole way from an event to its answer, on the embedded engines.
#![no_main]

use std::sync::LazyLock;

use firefly_testkit::targets::Events;

static EVENTS: LazyLock<Events> = LazyLock::new(Events::new);

libfuzzer_sys::fuzz_target!(|data: &[u8]| EVENTS.answer(data));
