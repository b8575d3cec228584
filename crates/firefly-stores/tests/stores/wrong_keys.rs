//! The limits of tries of `Registrations`.

use emulator_kit::faults::Fault;
use firefly_core::source_address::SourceAddress;
use firefly_core::time::UnixSeconds;
use firefly_stores::{RegisterError, Registered, StoreError};
use futures_util::future::join_all;

use crate::controller::Controller;
use crate::engines::{Engines, KEYS, NOW, item, number, text};
use crate::registrations::{key, put_key, source};

/// The start of the hour that [`NOW`] is in.
const HOUR: u64 = 2_000_000_000 / 3_600 * 3_600;

/// Lays down the tries of the address `192.0.2.1`, made in this hour at [`NOW`].
async fn set_own(engines: &Engines, tries: u64) {
    let own = item([
        ("key", text("wrong-keys#192.0.2.1")),
        ("drained_at", number(NOW.get() + 30 * tries)),
        ("hour", number(HOUR)),
        ("tries", number(tries)),
    ]);
    engines.put(KEYS, own).await;
}

async fn set_shard(engines: &Engines, shard: u64, count: u64) {
    let key = text(&format!("wrong-keys#{HOUR}#all-{shard}"));
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
        let own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
        assert_eq!((&own["tries"], &own["hour"]), (&number(count), &number(HOUR)));
        assert_eq!((&own["drained_at"], &own["ttl"]), (&number(NOW.get() + 30 * count), &number(NOW.get() + 3_600)));
        // 192 + 0 + 2 + 1 is 3 more than a multiple of 4.
        let all = engines.item(KEYS, &format!("wrong-keys#{HOUR}#all-3")).await.unwrap();
        assert_eq!((&all["wrong_keys"], &all["ttl"]), (&number(count), &number(HOUR + 3_600)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_key_is_counted_for_nobody() {
    let engines = Engines::start().await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    register(&engines, "ABC123", source(), NOW).await.unwrap();
    let own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
    assert_eq!((&own["tries"], &own["drained_at"]), (&number(0), &number(NOW.get())));
    let all = engines.item(KEYS, &format!("wrong-keys#{HOUR}#all-3")).await.unwrap();
    assert_eq!(all["wrong_keys"], number(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_120_wrong_keys_no_key_of_the_address_is_looked_at_until_a_try_is_back() {
    let engines = Engines::start().await;
    put_key(&engines, "ABC123", NOW.get() + 10_000).await;
    set_own(&engines, 119).await;
    assert!(matches!(register(&engines, "WRONG0", source(), NOW).await, Err(RegisterError::KeyNotLive)));
    for key in ["WRONG0", "ABC123"] {
        for waited in [0, 29] {
            let error = register(&engines, key, source(), NOW.saturating_add(waited)).await.unwrap_err();
            let RegisterError::TooManyWrongKeys { retry_after_seconds } = error else { panic!("{error}") };
            assert_eq!(retry_after_seconds, 30 - waited);
        }
    }
    let own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
    assert_eq!(own["tries"], number(120));
    let neighbour = SourceAddress::new("192.0.2.2".parse().unwrap());
    assert!(matches!(register(&engines, "WRONG0", neighbour, NOW).await, Err(RegisterError::KeyNotLive)));
    assert_eq!(register(&engines, "ABC123", source(), NOW.saturating_add(30)).await.unwrap(), Registered::Now);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_120_tries_however_long_it_was_idle() {
    let engines = Engines::start().await;
    set_own(&engines, 1).await;
    let later = NOW.saturating_add(1_000_000);
    let (registrations, device, key) = (engines.registrations(), Controller::new(1).new_device(), key("WRONG0"));
    let guesses = (0..130).map(|_| registrations.register(&device, &key, source(), later));
    let results = join_all(guesses).await;
    let refused = results.iter().filter(|result| matches!(result, Err(RegisterError::TooManyWrongKeys { .. }))).count();
    let judged = results.iter().filter(|result| matches!(result, Err(RegisterError::KeyNotLive))).count();
    assert_eq!((judged, refused), (120, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_counted_as_one_address() {
    let engines = Engines::start().await;
    for address in ["2001:db8:7:1::1", "2001:db8:7:2::1"] {
        let source = SourceAddress::new(address.parse().unwrap());
        register(&engines, "WRONG0", source, NOW).await.unwrap_err();
    }
    let site = engines.item(KEYS, "wrong-keys#2001:db8:7::").await.unwrap();
    assert_eq!(site["tries"], number(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_all_addresses_guess_one_that_fumbles_is_still_looked_at() {
    for (own, all, locked_out) in [(4, 1_000_000, false), (5, 1_251, true), (5, 1_250, false), (119, 1_250, false)] {
        let engines = Engines::start().await;
        put_key(&engines, "ABC123", NOW.get() + 1).await;
        set_own(&engines, own).await;
        for shard in 0..4 {
            set_shard(&engines, shard, all).await;
        }
        let result = register(&engines, "ABC123", source(), NOW).await;
        match result {
            Ok(Registered::Now) => assert!(!locked_out, "{own} of {all}"),
            Err(RegisterError::TooManyWrongKeys { retry_after_seconds }) => {
                assert!(locked_out, "{own} of {all}");
                assert_eq!(retry_after_seconds, HOUR + 3_600 - NOW.get());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The bucket goes on; the tries of the hour begin anew.
#[tokio::test(flavor = "multi_thread")]
async fn tries_of_an_earlier_hour_are_not_first_tries_of_this_one() {
    let engines = Engines::start().await;
    set_own(&engines, 100).await;
    let next = UnixSeconds::new(HOUR + 3_600);
    register(&engines, "WRONG0", source(), next).await.unwrap_err();
    let own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
    assert_eq!((&own["tries"], &own["hour"]), (&number(1), &number(HOUR + 3_600)));
    let drained_at = (NOW.get() + 3_000).max(next.get()) + 30;
    assert_eq!(own["drained_at"], number(drained_at));
}

/// A call of giving back that is repeated could give back two tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_try_whose_giving_back_has_no_answer_is_given_back_once() {
    let engines = Engines::start().await;
    set_own(&engines, 3).await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    // The try and its count, then giving back both and the key's entry.
    let lost = [Fault::Pass, Fault::Pass, Fault::DropAnswer, Fault::DropAnswer, Fault::DropAnswer];
    engines.faults.next("UpdateItem", lost);
    assert_eq!(register(&engines, "ABC123", source(), NOW).await.unwrap(), Registered::Now);
    let own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
    assert_eq!(own["tries"], number(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_that_cannot_be_read_or_written_are_errors_of_their_own() {
    let engines = Engines::start().await;
    put_key(&engines, "ABC123", NOW.get() + 1).await;
    for fault in [Fault::json_error(400, "AccessDeniedException"), Fault::json_error(500, "InternalServerError")] {
        engines.faults.every("UpdateItem", fault);
        let error = register(&engines, "ABC123", source(), NOW).await.unwrap_err();
        assert!(matches!(error, RegisterError::TryNotRecorded(_)), "{error}");
    }
    engines.faults.mend();
    for attribute in ["drained_at", "hour", "tries"] {
        set_own(&engines, 1).await;
        let mut own = engines.item(KEYS, "wrong-keys#192.0.2.1").await.unwrap();
        own.remove(attribute);
        engines.put(KEYS, own).await;
        let error = register(&engines, "ABC123", source(), NOW).await.unwrap_err();
        let RegisterError::Store(StoreError::Malformed { item, attribute: found }) = error else { panic!("{error}") };
        assert_eq!((item, found), ("the tries of an address", attribute));
    }
}
