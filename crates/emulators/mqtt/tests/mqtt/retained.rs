//! Retained messages.

use emulator_mqtt::Limits;
use emulator_mqtt::packet::{Packet, Publish, QoS};

use super::driven::{Driven, Output, retain, subscribe};
use super::world::World;

/// Messages with the RETAIN flag that they have.
fn messages(output: &Output) -> Vec<(String, bool)> {
    let message = |packet| match packet {
        Packet::Publish(Publish { payload, retain, .. }) => {
            Some((String::from_utf8(payload.to_vec()).unwrap(), retain))
        }
        _ => None,
    };
    output.packets().into_iter().filter_map(message).collect()
}

fn kept(text: &str) -> (String, bool) {
    (text.to_owned(), true)
}

#[tokio::test]
async fn the_last_message_of_a_topic_is_kept() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "state");
    driven.send(sender, &retain("state", b"first"));
    driven.send(sender, &retain("state", b"second"));
    // To those who had subscribed before it is a message like another (MQTT-3.3.1-9).
    assert_eq!(messages(&driven.output(listener)), [("first".to_owned(), false), ("second".to_owned(), false)]);
    driven.publish(sender, "state", b"passing");
    driven.send(sender, &Packet::Disconnect);
    for filter in ["state", "+", "#"] {
        let id = driven.connect(&device, "new");
        let output = driven.subscribe(id, filter);
        assert!(matches!(output.packets()[0], Packet::Suback(_)));
        assert_eq!(messages(&output), [kept("second")], "{filter}");
    }
    let id = driven.connect(&device, "new");
    assert_eq!(messages(&driven.subscribe(id, "state/#")), [kept("second")]);
    assert_eq!(messages(&driven.subscribe(id, "state/+")), []);
    // A subscription that is made again gets it again (MQTT-3.8.4-3).
    assert_eq!(messages(&driven.subscribe(id, "state/#")), [kept("second")]);
}

#[tokio::test]
async fn an_empty_message_removes_the_kept_one() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.send(sender, &retain("state", b"x"));
    driven.subscribe(listener, "state");
    driven.output(listener);
    driven.send(sender, &retain("state", b""));
    assert_eq!(messages(&driven.output(listener)), [(String::new(), false)]);
    let id = driven.connect(&device, "new");
    assert_eq!(messages(&driven.subscribe(id, "state")), []);
}

#[tokio::test]
async fn many_retained_messages_all_arrive() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let sender = driven.connect(&device, "sender");
    for number in 0..50 {
        driven.send(sender, &retain(&format!("state/{number}"), &[b'x'; 100_000]));
    }
    let id = driven.connect(&device, "new");
    let output = driven.send(id, &subscribe(&[("state/+", QoS::AtMostOnce)]));
    assert_eq!(messages(&output).len(), 50);
}

#[tokio::test]
async fn a_message_without_a_place_is_delivered_and_not_kept() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::with_limits(&world, Limits { retained: 1_000, ..Limits::default() });
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "#");
    driven.send(sender, &retain("one", &[b'1'; 500]));
    driven.send(sender, &retain("two", &[b'2'; 500]));
    assert_eq!(driven.output(listener).messages().len(), 2);
    let id = driven.connect(&device, "new");
    assert_eq!(messages(&driven.subscribe(id, "#")), [kept(&"1".repeat(500))]);
    // The place of a message that goes is free; one that is too large leaves no outdated one.
    driven.send(sender, &retain("one", &[b'3'; 2_000]));
    driven.send(sender, &retain("two", &[b'2'; 500]));
    let id = driven.connect(&device, "new");
    assert_eq!(messages(&driven.subscribe(id, "#")), [kept(&"2".repeat(500))]);
}
