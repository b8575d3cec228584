//! The guessing limit of `Registrations`.

use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use firefly_stores::{RegisterError, Registered};

use crate::controller::Controller;
use crate::engines::{Engines, KEYS, NOW, item, number, text};
use crate::registrations::{key, put_key, source};

/// The start of the hour that [`NOW`] is in.
const WINDOW: u64 = 2_000_000_000 / 3_600 * 3_600;

async fn set_count(engines: &Engines, whose: &str, count: u64) {
    let key = text(&format!("wrong-keys#{WINDOW}#{whose}"));
    engines.put(KEYS, item([("key", key), ("wrong_keys", number(count))])).await;
}

async fn register(
    engines: &Engines,
    text: &str,
    source: SourceAddress,
    now: UnixSeconds,
) -> Result<Registered, RegisterError> {
    engines.registrations().register(&Controller::new(1).new_device(), &key(text), source, now).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_counted_for_its_address_and_for_all() {
    let engines = Engines::start().await;
    for count in 1..=2 {
        register(&engines, "WRONG0", source(), NOW).await.unwrap_err();
        let own = engines.item(KEYS, &format!("wrong-keys#{WINDOW}#192.0.2.1")).await.unwrap();
        assert_eq!((&own["wrong_keys"], &own["ttl"]), (&number(count), &number(WINDOW + 3_600)));
        // 192 + 0 + 2 + 1 is 3 more than a multiple of 4.
        let all = engines.item(KEYS, &format!("wrong-keys#{WINDOW}#all-3")).await.unwrap();
        assert_eq!((&all["wrong_keys"], &all["ttl"]), (&number(count), &number(WINDOW + 3_600)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_120_wrong_keys_no_key_of_the_address_is_looked_at_until_the_hour_ends() {
    let engines = Engines::start().await;
    put_key(&engines, "ABC123", WINDOW + 10_000).await;
    set_count(&engines, "192.0.2.1", 119).await;
    assert!(matches!(register(&engines, "WRONG0", source(), NOW).await, Err(RegisterError::KeyNotLive)));
    for key in ["WRONG0", "ABC123"] {
        let error = register(&engines, key, source(), NOW).await.unwrap_err();
        let RegisterError::TooManyWrongKeys { retry_after_seconds } = error else { panic!("{error}") };
        assert_eq!(retry_after_seconds, WINDOW + 3_600 - NOW.get());
    }
    let own = engines.item(KEYS, &format!("wrong-keys#{WINDOW}#192.0.2.1")).await.unwrap();
    assert_eq!(own["wrong_keys"], number(120));
    let neighbour = SourceAddress::new("192.0.2.2".parse().unwrap());
    assert!(matches!(register(&engines, "WRONG0", neighbour, NOW).await, Err(RegisterError::KeyNotLive)));
    let next_hour = UnixSeconds::new(WINDOW + 3_600);
    assert_eq!(register(&engines, "ABC123", source(), next_hour).await.unwrap(), Registered::Now);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_counted_as_one_address() {
    let engines = Engines::start().await;
    for address in ["2001:db8:7:1::1", "2001:db8:7:2::1"] {
        let source = SourceAddress::new(address.parse().unwrap());
        register(&engines, "WRONG0", source, NOW).await.unwrap_err();
    }
    let site = engines.item(KEYS, &format!("wrong-keys#{WINDOW}#2001:db8:7::")).await.unwrap();
    assert_eq!(site["wrong_keys"], number(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_all_addresses_guess_one_that_fumbles_is_still_looked_at() {
    for (own, all, locked_out) in [(4, 1_000_000, false), (5, 1_251, true), (5, 1_250, false), (119, 1_250, false)] {
        let engines = Engines::start().await;
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        set_count(&engines, "192.0.2.1", own).await;
        for shard in 0..4 {
            set_count(&engines, &format!("all-{shard}"), all).await;
        }
        let result = register(&engines, "ABC123", source(), NOW).await;
        match result {
            Ok(Registered::Now) => assert!(!locked_out, "{own} of {all}"),
            Err(RegisterError::TooManyWrongKeys { .. }) => assert!(locked_out, "{own} of {all}"),
            other => panic!("{other:?}"),
        }
    }
}
