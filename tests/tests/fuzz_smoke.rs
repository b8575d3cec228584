//! The fuzz targets for seconds, on stable: seeds, seeds with bytes changed, random bytes.

use firefly_testkit::new_device;
use firefly_testkit::seeds::seeds;
use firefly_testkit::targets::{self, Events};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Runs `target` on every seed, on `cases` damaged seeds and on `cases` random inputs.
fn smoke(seeds: Vec<Vec<u8>>, cases: u32, target: impl Fn(&[u8])) {
    seeds.iter().for_each(|seed| target(seed));
    let run = |inputs: BoxedStrategy<Vec<u8>>| {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(&inputs, |input| {
            target(&input);
            Ok(())
        });
        assert!(result.is_ok(), "{result:?}");
    };
    run(prop::collection::vec(any::<u8>(), 0..300).boxed());
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let damaged = (prop::sample::select(seeds), damage, any::<prop::sample::Index>(), any::<bool>());
    run(damaged
        .prop_map(|(mut seed, damage, end, cut)| {
            for (at, byte) in damage {
                if let Some(place) = (!seed.is_empty()).then(|| at.index(seed.len())) {
                    seed[place] = byte;
                }
            }
            if cut {
                seed.truncate(end.index(seed.len() + 1));
            }
            seed
        })
        .boxed());
}

#[test]
fn any_envelope_is_parsed_without_panic() {
    smoke(seeds().envelope, 5_000, targets::envelope);
}

#[test]
fn any_signed_headers_are_judged_without_panic() {
    let key = *new_device().public_key();
    smoke(seeds().signed_headers, 2_000, |data| targets::signed_headers(data, &key));
}

#[test]
fn any_registration_body_is_judged_without_panic() {
    smoke(seeds().registration_body, 3_000, targets::registration_body);
}

#[test]
fn any_event_is_answered_within_the_contract() {
    let events = Events::new();
    smoke(seeds().events, 400, |data| events.answer(data));
}
