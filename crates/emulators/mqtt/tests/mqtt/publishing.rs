//! PUBLISH in both directions.

use std::time::Duration;

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{Delivery, Packet, Publish, QoS};
use emulator_mqtt::topic::TopicName;

use super::driven::{Driven, acknowledgements, number, publish, subscribe};
use super::world::World;

/// The numbers of the messages of QoS 1, and whether they were sent before.
fn deliveries(output: &super::driven::Output) -> Vec<(u16, bool)> {
    let delivery = |packet| match packet {
        Packet::Publish(Publish { delivery: Delivery::AtLeastOnce { id, dup }, .. }) => Some((id.get(), dup)),
        _ => None,
    };
    output.packets().into_iter().filter_map(delivery).collect()
}

#[tokio::test]
async fn a_message_of_qos_1_is_acknowledged_each_time() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let listener = driven.connect(&device, "listener");
    driven.subscribe(listener, "news");
    let id = driven.connect(&device, "one");
    for dup in [false, true] {
        let delivery = Delivery::AtLeastOnce { id: number(65_535), dup };
        let topic = TopicName::new("news").unwrap();
        let packet = Packet::Publish(Publish { topic, payload: b"x", retain: false, delivery });
        assert_eq!(driven.send(id, &packet).packets(), [Packet::Puback(number(65_535))]);
        // To the subscriber it is another message.
        assert_eq!(deliveries(&driven.output(listener)), [(1 + u16::from(dup), false)]);
    }
    assert_eq!(driven.send(id, &publish("news", b"x", None)).packets(), []);
}

#[tokio::test]
async fn qos_2_ends_the_session() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    let delivery = Delivery::ExactlyOnce { id: number(1), dup: false };
    let topic = TopicName::new("news").unwrap();
    let packet = Packet::Publish(Publish { topic, payload: b"x", retain: false, delivery });
    driven.send(id, &packet).assert_closed(&Closure::QoS2);
}

#[tokio::test]
async fn a_payload_has_at_most_128_kib() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let listener = driven.connect(&device, "listener");
    driven.subscribe(listener, "news");
    let id = driven.connect(&device, "one");
    let largest = vec![b'x'; 131_072];
    driven.publish(id, "news", &largest);
    assert_eq!(driven.output(listener).messages().concat().len(), 131_072);
    let output = driven.send(id, &publish("news", &vec![b'x'; 131_073], Some(1)));
    output.assert_closed(&Closure::Quota("the payload of a message"));
    // One that is larger still is refused before it has come.
    let id = driven.connect(&device, "one");
    let output = driven.send_bytes(id, b"\x30\xff\xff\x7f");
    assert!(matches!(output.closure, Some(Closure::Malformed(_))), "{output:?}");
}

#[tokio::test]
async fn a_topic_beyond_the_quotas_ends_the_session() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for topic in [&"x".repeat(257), "a/b/c/d/e/f/g/h/i", "$SYS/x"] {
        let id = driven.connect(&device, "one");
        let output = driven.send(id, &publish(topic, b"x", None));
        output.assert_closed(&Closure::Quota("the topic of a message"));
    }
    let id = driven.connect(&device, "one");
    driven.publish(id, &"x".repeat(256), b"x");
    driven.publish(id, "a/b/c/d/e/f/g/h", b"x");
}

#[tokio::test]
async fn at_most_100_messages_are_unacknowledged() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    for number in 0..250 {
        driven.publish(sender, "news", number.to_string().as_bytes());
    }
    let mut got = Vec::new();
    for wanted in [100, 100, 50, 0] {
        let output = driven.output(listener);
        assert_eq!(output.messages().len(), wanted);
        got.extend(output.messages());
        driven.broker.receive(listener, &acknowledgements(&output), driven.now);
    }
    assert_eq!(got, (0..250).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_acknowledgement_makes_one_place() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    for _ in 0..102 {
        driven.publish(sender, "news", b"x");
    }
    assert_eq!(deliveries(&driven.output(listener)).len(), 100);
    assert_eq!(deliveries(&driven.send(listener, &Packet::Puback(number(50)))), [(101, false)]);
    // A number that is not in flight means nothing.
    assert_eq!(driven.send(listener, &Packet::Puback(number(50))).packets(), []);
    assert_eq!(deliveries(&driven.send(listener, &Packet::Puback(number(1)))), [(102, false)]);
}

#[tokio::test]
async fn a_number_in_flight_is_not_given_twice() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    driven.publish(sender, "news", b"never acknowledged");
    assert_eq!(deliveries(&driven.output(listener)), [(1, false)]);
    for round in 0..65_535_u32 {
        driven.publish(sender, "news", b"x");
        let output = driven.output(listener);
        assert_ne!(deliveries(&output), [(1, false)], "{round}");
        driven.broker.receive(listener, &acknowledgements(&output), driven.now);
    }
}

#[tokio::test]
async fn a_message_that_is_not_acknowledged_is_sent_again() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    driven.publish(sender, "news", b"first");
    driven.pass(Duration::from_secs(10));
    driven.publish(sender, "news", b"second");
    driven.output(listener);
    driven.pass(Duration::from_secs(19));
    assert_eq!(driven.output(listener).packets(), []);
    driven.pass(Duration::from_secs(1));
    let output = driven.output(listener);
    assert_eq!((deliveries(&output), output.messages()), (vec![(1, true)], vec!["first".to_owned()]));
    driven.pass(Duration::from_secs(10));
    assert_eq!(deliveries(&driven.output(listener)), [(2, true)]);
    driven.send(listener, &Packet::Puback(number(1)));
    driven.pass(Duration::from_secs(30));
    assert_eq!(deliveries(&driven.output(listener)), [(2, true)]);
    driven.send(listener, &Packet::Puback(number(2)));
    driven.pass(Duration::from_secs(20));
    assert_eq!(driven.output(listener).packets(), []);
}

/// Two are more than is made ready at once: the second is sent again once the first has been written.
#[tokio::test]
async fn large_messages_that_are_not_acknowledged_are_sent_again_one_by_one() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    for _ in 0..2 {
        driven.publish(sender, "news", &[b'x'; 100_000]);
    }
    assert_eq!(deliveries(&driven.output(listener)), [(1, false), (2, false)]);
    driven.pass(Duration::from_secs(30));
    assert_eq!(deliveries(&driven.output(listener)), [(1, true)]);
    driven.pass(Duration::from_secs(1));
    assert_eq!(deliveries(&driven.output(listener)), [(2, true)]);
}

#[tokio::test]
async fn a_session_hears_its_own_messages_and_no_others() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    driven.send(id, &subscribe(&[("a", QoS::AtMostOnce)]));
    assert_eq!(driven.send(id, &publish("a", b"own", None)).messages(), ["own"]);
    assert_eq!(driven.send(id, &publish("b", b"other", None)).messages(), [""; 0]);
}

/// MQTT-4.6.0: messages of a publisher keep their order.
#[tokio::test]
async fn the_order_is_kept() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let (sender, listener) = (driven.connect(&device, "sender"), driven.connect(&device, "listener"));
    driven.subscribe(listener, "news");
    for number in 0_u16..90 {
        let id = (number % 2 == 0).then_some(number + 1);
        driven.send(sender, &publish("news", number.to_string().as_bytes(), id));
    }
    assert_eq!(driven.output(listener).messages(), (0..90).map(|number| number.to_string()).collect::<Vec<_>>());
}
