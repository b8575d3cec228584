//! SUBSCRIBE and UNSUBSCRIBE.

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{Delivery, Packet, Publish, QoS, Suback};

use super::driven::{Driven, number, publish, subscribe, unsubscribe};
use super::world::World;

#[tokio::test]
async fn qos_2_is_granted_as_1() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    let filters = [("a", QoS::AtMostOnce), ("b", QoS::AtLeastOnce), ("c", QoS::ExactlyOnce)];
    let granted = vec![Some(QoS::AtMostOnce), Some(QoS::AtLeastOnce), Some(QoS::AtLeastOnce)];
    let output = driven.send(id, &subscribe(&filters));
    assert_eq!(output.packets(), [Packet::Suback(Suback { id: number(1), granted })]);
}

#[tokio::test]
async fn a_message_comes_once_with_the_lower_quality_of_service() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let sender = driven.connect(&device, "sender");
    for (granted, sent, delivered) in [
        (QoS::AtMostOnce, None, false),
        (QoS::AtMostOnce, Some(5), false),
        (QoS::AtLeastOnce, None, false),
        (QoS::AtLeastOnce, Some(5), true),
    ] {
        let id = driven.connect(&device, "receiver");
        // Filters that overlap; the highest counts.
        driven.send(id, &subscribe(&[("a/#", QoS::AtMostOnce), ("a/b", granted), ("+/b", QoS::AtMostOnce)]));
        driven.send(sender, &publish("a/b", b"x", sent));
        let output = driven.output(id);
        match output.packets().as_slice() {
            [Packet::Publish(Publish { delivery, retain: false, .. })] => {
                assert_eq!(matches!(delivery, Delivery::AtLeastOnce { dup: false, .. }), delivered);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_has_at_most_50_subscriptions() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    for number in 0..50 {
        assert_eq!(driven.subscribe(id, &format!("topic/{number}")).closure, None);
    }
    // The same filter again is no other subscription, and one that is given up makes a place.
    assert_eq!(driven.subscribe(id, "topic/7").closure, None);
    driven.send(id, &unsubscribe(&["topic/7"]));
    assert_eq!(driven.subscribe(id, "another").closure, None);
    driven.subscribe(id, "one more").assert_closed(&Closure::Quota("the subscriptions of a session"));
}

#[tokio::test]
async fn a_packet_has_at_most_8_filters() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let filters = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let pairs = filters.map(|filter| (filter, QoS::AtMostOnce));
    let id = driven.connect(&device, "one");
    assert_eq!(driven.send(id, &subscribe(&pairs[..8])).closure, None);
    assert_eq!(driven.send(id, &unsubscribe(&filters[..8])).closure, None);
    driven.send(id, &subscribe(&pairs)).assert_closed(&Closure::Quota("the filters of a SUBSCRIBE"));
    let id = driven.connect(&device, "one");
    driven.send(id, &unsubscribe(&filters)).assert_closed(&Closure::Quota("the filters of an UNSUBSCRIBE"));
}

#[tokio::test]
async fn a_filter_beyond_the_quotas_ends_the_session() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for filter in [&"x".repeat(257), "a/b/c/d/e/f/g/h/#", "$share/group/a", "$SYS/#"] {
        let id = driven.connect(&device, "one");
        driven.subscribe(id, filter).assert_closed(&Closure::Quota("a topic filter"));
    }
}

#[tokio::test]
async fn unsubscribe_ends_the_messages_and_is_always_acknowledged() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    driven.subscribe(id, "a/+");
    driven.subscribe(id, "a/b");
    let acknowledged = [Packet::Unsuback(number(2))];
    assert_eq!(driven.send(id, &unsubscribe(&["a/+", "never"])).packets(), acknowledged);
    driven.send(id, &publish("a/c", b"c", None));
    driven.send(id, &publish("a/b", b"b", None));
    assert_eq!(driven.send(id, &unsubscribe(&["a/b"])).packets(), acknowledged);
    assert_eq!(driven.send(id, &publish("a/b", b"b", None)).messages(), [""; 0]);
}

#[tokio::test]
async fn a_wildcard_does_not_match_reserved_topics() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    for filter in ["#", "+/things"] {
        driven.subscribe(id, filter);
    }
    assert_eq!(driven.send(id, &publish("$aws/things", b"x", None)).messages(), [""; 0]);
    driven.subscribe(id, "$aws/#");
    assert_eq!(driven.send(id, &publish("$aws/things", b"x", None)).messages(), ["x"]);
}
