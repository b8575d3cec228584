//! Clients that do not read.

use std::time::Duration;

use emulator_mqtt::packet::{Packet, QoS};
use emulator_mqtt::{Closure, Limits};

use super::driven::{Driven, publish, subscribe};
use super::world::World;

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, slow) = (driven.connect(&device, "sender"), driven.connect(&device, "slow"));
    driven.send(slow, &subscribe(&[("news", QoS::AtMostOnce)]));
    driven.send(sender, &publish("news", b"x", None));
    assert!(!driven.transmit(slow).bytes.is_empty());
    driven.pass(Duration::from_secs(29));
    assert!(!driven.broker.is_aborted(slow));
    driven.pass(Duration::from_secs(1));
    assert!(driven.broker.is_aborted(slow));
    driven.output(slow).assert_closed(&Closure::Stalled);
}

#[tokio::test]
async fn a_client_that_reads_in_time_stays() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, slow) = (driven.connect(&device, "sender"), driven.connect(&device, "slow"));
    driven.send(slow, &subscribe(&[("news", QoS::AtMostOnce)]));
    for _ in 0..5 {
        driven.send(sender, &publish("news", b"x", None));
        assert!(!driven.transmit(slow).bytes.is_empty());
        driven.pass(Duration::from_secs(29));
        driven.broker.written(slow, driven.now);
        driven.send(slow, &Packet::Pingreq);
        driven.send(sender, &Packet::Pingreq);
    }
    assert!(!driven.broker.is_aborted(slow));
}

#[tokio::test]
async fn messages_of_qos_0_beyond_the_limit_are_lost() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::with_limits(&world, Limits { waiting: 100_000, ..Limits::default() });
    let (sender, slow) = (driven.connect(&device, "sender"), driven.connect(&device, "slow"));
    driven.send(slow, &subscribe(&[("news", QoS::AtMostOnce)]));
    for _ in 0..200 {
        driven.send(sender, &publish("news", &[b'x'; 1_000], None));
    }
    let output = driven.output(slow);
    assert!((90..100).contains(&output.messages().len()), "{}", output.messages().len());
    assert_eq!(output.closure, None);
    // Once it has read, messages arrive again.
    driven.send(sender, &publish("news", b"again", None));
    assert_eq!(driven.output(slow).messages(), ["again"]);
}

#[tokio::test]
async fn a_message_of_qos_1_beyond_the_limit_ends_the_session() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::with_limits(&world, Limits { waiting: 100_000, ..Limits::default() });
    let (sender, slow) = (driven.connect(&device, "sender"), driven.connect(&device, "slow"));
    driven.subscribe(slow, "news");
    let mut sent = 0;
    while !driven.broker.is_aborted(slow) {
        driven.publish(sender, "news", &[b'x'; 1_000]);
        sent += 1;
        assert!(sent < 120, "memory is not bounded");
    }
    driven.output(slow).assert_closed(&Closure::Full);
}

/// A client that reads but never acknowledges is bounded as well.
#[tokio::test]
async fn messages_that_are_not_acknowledged_count() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::with_limits(&world, Limits { waiting: 100_000, ..Limits::default() });
    let (sender, slow) = (driven.connect(&device, "sender"), driven.connect(&device, "slow"));
    driven.subscribe(slow, "news");
    let mut sent = 0;
    while driven.output(slow).closure.is_none() {
        driven.publish(sender, "news", &[b'x'; 1_000]);
        sent += 1;
        assert!(sent < 120, "memory is not bounded");
    }
    driven.output(slow).assert_closed(&Closure::Full);
}
