//! Functions behind an edge: who may call them, and whom they take a request to be from.

use std::io;

use firefly_core::hex;
use firefly_functions::ALL;
use firefly_runtime::{ConfigError, Metrics};
use firefly_testkit::runtime_api::Event;
use firefly_testkit::{Invoked, TestCloud, new_device};
use sha2::{Digest as _, Sha256};

const SECRET: &str = "tYq3wXcV0n5UKPz8aRjLe7HsDgM1bF4iQO6vZ2mCkJhS9uNxTWpEyArGdlBfIoXe";
/// Wrong keys of one address that are judged at once, with room: more than any limit.
const MANY: usize = 400;

fn digest(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret))
}

/// A function behind an edge with the secrets that have these digests.
fn behind(cloud: &TestCloud, function: &str, digests: &str) -> Invoked {
    Invoked::with(cloud, function, &[("EDGE_SECRET_SHA256", digests)])
}

/// The event of a request that the edge has passed on for a viewer.
fn through_edge(event: Event, viewer: &str) -> Event {
    event.header("X-FireFly-Edge", SECRET).header("CloudFront-Viewer-Address", viewer)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_is_403_without_the_secret_or_with_another() {
    let cloud = TestCloud::start().await;
    for function in &ALL {
        let invoked = behind(&cloud, function.name, &digest(SECRET));
        let forged = [
            invoked.event(),
            invoked.event().header("X-FireFly-Edge", ""),
            invoked.event().header("X-FireFly-Edge", &SECRET[1..]),
            invoked.event().header("X-FireFly-Edge", &format!("{SECRET},{SECRET}")),
            // The digest is no secret.
            invoked.event().header("X-FireFly-Edge", &digest(SECRET)),
            invoked.event().header("CloudFront-Viewer-Address", "198.51.100.10:443"),
        ];
        for event in forged {
            let answer = invoked.answer(cloud.now(), &event).await;
            assert_eq!(answer.status, 403, "{}: {event}", function.name);
            assert_eq!(answer.member("code").as_deref(), Some("not_through_edge"), "{}", function.name);
        }
    }
    for (table, key) in [("firefly-devices", "uuid"), ("firefly-registration-keys", "key")] {
        assert!(cloud.items(table, key).await.is_empty(), "a refused request has written to {table}");
    }
    for function in &ALL {
        let invoked = behind(&cloud, function.name, &digest(SECRET));
        let answer = invoked.answer(cloud.now(), &through_edge(invoked.event(), "198.51.100.10:443")).await;
        assert_ne!(answer.member("code").as_deref(), Some("not_through_edge"), "{}", function.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_are_good_while_one_follows_the_other() {
    let cloud = TestCloud::start().await;
    let health = "func-api-health-get";
    for digests in [
        digest(SECRET),
        digest(SECRET).to_uppercase(),
        format!("{},{}", digest("before"), digest(SECRET)),
        format!("{},{}", digest(SECRET), digest("after")),
    ] {
        let invoked = behind(&cloud, health, &digests);
        let answer = invoked.answer(cloud.now(), &through_edge(invoked.event(), "198.51.100.10:443")).await;
        assert_eq!(answer.status, 200, "{digests}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_does_not_start_with_something_else_than_digests() {
    let cloud = TestCloud::start().await;
    let good = digest(SECRET);
    for digests in [
        SECRET.to_owned(),
        good[1..].to_owned(),
        format!("{good},"),
        format!(",{good}"),
        format!("{good} {good}"),
        format!("{good}, {good}"),
        format!("{good},{good},{good}"),
        ",".to_owned(),
    ] {
        let environment = Invoked::environment(&cloud, "func-api-health-get", &[("EDGE_SECRET_SHA256", &digests)]);
        let health = firefly_functions::named("func-api-health-get").unwrap();
        let error = (health.start)(&environment, Metrics::new(io::sink())).err();
        let is_it = matches!(error, Some(ConfigError::Invalid { name: "EDGE_SECRET_SHA256", .. }));
        assert!(is_it, "{digests}: {error:?}");
    }
}

/// Sends wrong keys until one is refused for their number; returns how many were judged.
async fn guess(cloud: &TestCloud, function: &Invoked, from: impl Fn(Event) -> Event) -> usize {
    for judged in 0..MANY {
        let event = from(function.event().registration(&new_device(), "WRONG0"));
        let answer = function.answer(cloud.now(), &event).await;
        if answer.status == 429 {
            return judged;
        }
        assert_eq!(answer.status, 401);
    }
    MANY
}

#[tokio::test(flavor = "multi_thread")]
async fn two_viewers_behind_one_edge_are_two_sources() {
    let cloud = TestCloud::start().await;
    let register = behind(&cloud, "func-api-devices-register-post", &digest(SECRET));
    // Another port and another address of the same site are the same source.
    for (guesser, neighbour, other) in [
        ("198.51.100.10:443", "198.51.100.10:444", "198.51.100.11:443"),
        ("2001:db8:7:1::1:443", "[2001:db8:7:2::2]:443", "2001:db8:8:1::1:443"),
    ] {
        assert!(guess(&cloud, &register, |event| through_edge(event, guesser)).await < MANY);
        assert_eq!(guess(&cloud, &register, |event| through_edge(event, neighbour)).await, 0, "{neighbour}");
        let (device, key) = (new_device(), cloud.mint().await);
        let event = through_edge(register.event().registration(&device, key.as_str()), other);
        assert_eq!(register.answer(cloud.now(), &event).await.status, 204, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_s_forged_address_changes_nothing_without_an_edge() {
    let cloud = TestCloud::start().await;
    let register = Invoked::new(&cloud, "func-api-devices-register-post");
    let forged = std::cell::Cell::new(0_u8);
    let judged = guess(&cloud, &register, |event| {
        forged.set(forged.get().wrapping_add(1));
        through_edge(event, &format!("198.51.100.{}:443", forged.get()))
    });
    assert!(judged.await < MANY);
    // The address that API Gateway saw is the source.
    let elsewhere = |event: Event| event.with("/requestContext/http/sourceIp", "192.0.2.99");
    let event = elsewhere(register.event().registration(&new_device(), "WRONG0"));
    assert_eq!(register.answer(cloud.now(), &event).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_viewer_the_edge_does_not_name_is_from_nobody() {
    let cloud = TestCloud::start().await;
    let register = behind(&cloud, "func-api-devices-register-post", &digest(SECRET));
    let (device, key) = (new_device(), cloud.mint().await);
    let registration = register.event().registration(&device, key.as_str()).header("X-FireFly-Edge", SECRET);
    for event in [
        registration.clone(),
        registration.clone().header("CloudFront-Viewer-Address", "198.51.100.10"),
        registration.clone().header("CloudFront-Viewer-Address", "198.51.100.10:443,203.0.113.7:443"),
        registration.clone().header("X-Forwarded-For", "198.51.100.10"),
    ] {
        assert_eq!(register.answer(cloud.now(), &event).await.status, 500, "{event}");
    }
    assert_eq!(cloud.device_item(device.uuid()).await, None);
    assert!(cloud.key_item(key.as_str()).await.is_some(), "no key is spent");
}
