//! Deadlines, on a driven clock.

use std::time::Duration;

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{Connect, Packet};

use super::driven::{Driven, connect, publish, will};
use super::world::World;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn connect_comes_within_10_seconds() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.broker.accept(&device.id, driven.now);
    driven.pass(9 * SECOND);
    // A byte now and then does not help.
    driven.send_bytes(id, b"\x10\x0f\x00");
    assert_eq!(driven.output(id).closure, None);
    driven.pass(SECOND);
    driven.output(id).assert_closed(&Closure::NoConnect);
}

/// The keep-alive is clamped to 30 to 1,200 s, and the session ends after one and a half times that.
#[tokio::test]
async fn a_silent_session_ends() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for (keep_alive, seconds) in
        [(0, 1_800), (1, 45), (29, 45), (30, 45), (31, 46), (600, 900), (1_200, 1_800), (65_535, 1_800)]
    {
        let id = driven.connect_as(&device, &Connect { keep_alive, ..connect("one") });
        driven.pass(seconds * SECOND);
        // Half a second more, where the keep-alive is odd.
        assert_eq!(driven.output(id).closure.is_none(), keep_alive == 31, "{keep_alive}");
        driven.pass(SECOND);
        driven.output(id).assert_closed(&Closure::KeepAlive);
    }
}

#[tokio::test]
async fn every_packet_counts_and_a_part_of_one_does_not() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect_as(&device, &Connect { keep_alive: 30, ..connect("one") });
    for packet in [Packet::Pingreq, publish("news", b"x", None), Packet::Pingreq] {
        driven.pass(44 * SECOND);
        assert_eq!(driven.send(id, &packet).closure, None);
    }
    driven.pass(44 * SECOND);
    driven.send_bytes(id, b"\xc0");
    driven.pass(SECOND);
    driven.output(id).assert_closed(&Closure::KeepAlive);
}

#[tokio::test]
async fn what_the_session_is_sent_does_not_count() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let sender = driven.connect(&device, "sender");
    let id = driven.connect_as(&device, &Connect { keep_alive: 30, ..connect("one") });
    driven.subscribe(id, "news");
    driven.pass(30 * SECOND);
    driven.send(sender, &publish("news", b"x", None));
    driven.output(id);
    driven.pass(15 * SECOND);
    driven.output(id).assert_closed(&Closure::KeepAlive);
}

#[tokio::test]
async fn the_will_of_a_silent_session_is_published() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let listener = driven.connect_as(&device, &Connect { keep_alive: 0, ..connect("listener") });
    driven.subscribe(listener, "wills");
    driven.connect_as(&device, &Connect { keep_alive: 30, will: Some(will("wills", b"gone")), ..connect("one") });
    driven.pass(44 * SECOND);
    assert_eq!(driven.output(listener).messages(), [""; 0]);
    driven.pass(SECOND);
    assert_eq!(driven.output(listener).messages(), ["gone"]);
}

/// A broker without connections waits for nothing.
#[tokio::test]
async fn deadlines_go_with_their_connections() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    assert_eq!(driven.broker.next_deadline(), None);
    for _ in 0..100 {
        let id = driven.connect(&device, "one");
        driven.send(id, &Packet::Pingreq);
        driven.broker.end(id, driven.now);
    }
    driven.pass(100 * SECOND);
    assert_eq!(driven.broker.next_deadline(), None);
}
