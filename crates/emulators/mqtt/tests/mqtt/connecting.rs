//! CONNECT, and the ends of sessions.

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{Connack, Connect, Packet, PacketError, Password, QoS, Will};

use super::driven::{Driven, connect, publish, subscribe, will};
use super::world::World;

const ACCEPTED: Packet<'_> = Packet::Connack(Connack::Accepted { session_present: false });

#[tokio::test]
async fn a_clean_session_of_0_is_accepted_and_nothing_is_kept() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let persistent = Connect { clean_session: false, ..connect("one") };
    let id = driven.connect_as(&device, &persistent);
    driven.subscribe(id, "news");
    driven.broker.end(id, driven.now);
    let sender = driven.connect(&device, "sender");
    driven.publish(sender, "news", b"missed");
    let id = driven.connect_as(&device, &persistent);
    driven.publish(sender, "news", b"missed again");
    assert_eq!(driven.output(id).messages(), [""; 0]);
}

#[tokio::test]
async fn user_name_and_password_are_ignored() {
    let world = World::new().await;
    let device = world.device("one").await;
    let (user_name, password) = (Some("?SDK=Python"), Some(Password(b"any")));
    Driven::new(&world).connect_as(&device, &Connect { user_name, password, ..connect("one") });
}

#[tokio::test]
async fn another_protocol_level_gets_its_connack_and_the_end() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for (request, level, answer) in [
        (&b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03one"[..], 5, &b"\x20\x03\x00\x84\x00"[..]),
        (b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03one", 3, b"\x20\x02\x00\x01"),
        (b"\x10\x0f\x00\x04MQTT\x06\x02\x00\x3c\x00\x03one", 6, b"\x20\x02\x00\x01"),
    ] {
        let id = driven.broker.accept(&device.id, driven.now);
        let output = driven.send_bytes(id, request);
        assert_eq!(output.bytes, answer);
        assert_eq!(output.closure, Some(Closure::Malformed(PacketError::ProtocolLevel(level))));
    }
}

#[tokio::test]
async fn the_client_id_has_1_to_128_bytes() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    driven.connect(&device, &"x".repeat(128));
    for client_id in ["", &"x".repeat(129)] {
        let id = driven.broker.accept(&device.id, driven.now);
        let output = driven.send(id, &Packet::Connect(connect(client_id)));
        assert_eq!(output.bytes, b"\x20\x02\x00\x02");
        assert_eq!(output.closure, Some(Closure::ClientId(client_id.len())));
    }
}

#[tokio::test]
async fn the_first_packet_is_connect_and_no_other() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for packet in [Packet::Pingreq, publish("news", b"x", None), Packet::Disconnect] {
        let id = driven.broker.accept(&device.id, driven.now);
        driven.send(id, &packet).assert_closed(&Closure::NotConnect);
    }
    let id = driven.connect(&device, "one");
    driven.send(id, &Packet::Connect(connect("one"))).assert_closed(&Closure::SecondConnect);
    for packet in [ACCEPTED, Packet::Pingresp, Packet::Unsuback(super::driven::number(1))] {
        let id = driven.connect(&device, "one");
        driven.send(id, &packet).assert_closed(&Closure::ServerPacket);
    }
}

#[tokio::test]
async fn packets_come_in_any_pieces() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let mut bytes = Vec::new();
    for packet in [Packet::Connect(connect("one")), Packet::Pingreq, publish("news", b"x", Some(3)), Packet::Pingreq] {
        packet.encode(&mut bytes).unwrap();
    }
    let wanted = [ACCEPTED, Packet::Pingresp, Packet::Puback(super::driven::number(3)), Packet::Pingresp];
    for size in 1..=bytes.len() {
        let id = driven.broker.accept(&device.id, driven.now);
        for piece in bytes.chunks(size) {
            driven.broker.receive(id, piece, driven.now);
        }
        assert_eq!(driven.output(id).packets(), wanted, "pieces of {size}");
    }
}

#[tokio::test]
async fn nothing_behind_disconnect_is_handled() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let listener = driven.connect(&device, "listener");
    driven.subscribe(listener, "#");
    let id = driven.connect(&device, "one");
    let mut bytes = Vec::new();
    Packet::Disconnect.encode(&mut bytes).unwrap();
    publish("news", b"late", None).encode(&mut bytes).unwrap();
    driven.send_bytes(id, &bytes).assert_closed(&Closure::Disconnected);
    assert_eq!(driven.output(listener).messages(), [""; 0]);
}

#[tokio::test]
async fn a_second_connection_takes_the_client_id_over() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let old = driven.connect(&device, "one");
    driven.subscribe(old, "news");
    let new = driven.connect(&device, "one");
    assert_eq!(driven.broker.poll_ready(), Some(old));
    driven.output(old).assert_closed(&Closure::TakenOver);
    driven.publish(new, "news", b"x");
    driven.output(old).assert_closed(&Closure::TakenOver);
    // The end of the old connection does not end the new session.
    driven.broker.end(old, driven.now);
    let newest = driven.connect(&device, "one");
    driven.output(new).assert_closed(&Closure::TakenOver);
    assert_eq!(driven.send(newest, &Packet::Pingreq).packets(), [Packet::Pingresp]);
}

#[tokio::test]
async fn a_will_is_published_unless_the_client_disconnects() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let listener = driven.connect(&device, "listener");
    driven.subscribe(listener, "wills");
    let with_will = Connect { will: Some(will("wills", b"gone")), ..connect("one") };

    let id = driven.connect_as(&device, &with_will);
    driven.send(id, &Packet::Disconnect);
    driven.broker.end(id, driven.now);
    assert_eq!(driven.output(listener).messages(), [""; 0], "DISCONNECT");

    let id = driven.connect_as(&device, &with_will);
    driven.broker.end(id, driven.now);
    assert_eq!(driven.output(listener).messages(), ["gone"], "the connection is lost");
    driven.broker.end(id, driven.now);
    assert_eq!(driven.output(listener).messages(), [""; 0], "once");

    let id = driven.connect_as(&device, &with_will);
    driven.send_bytes(id, b"\x00");
    assert_eq!(driven.output(listener).messages(), ["gone"], "a malformed packet");

    driven.connect_as(&device, &with_will);
    driven.connect(&device, "one");
    assert_eq!(driven.output(listener).messages(), ["gone"], "taken over");
}

#[tokio::test]
async fn a_will_has_its_quality_of_service_and_may_be_retained() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let retained = Will { qos: QoS::AtLeastOnce, retain: true, ..will("wills", b"gone") };
    let id = driven.connect_as(&device, &Connect { will: Some(retained), ..connect("one") });
    driven.broker.end(id, driven.now);
    let listener = driven.connect(&device, "listener");
    let output = driven.subscribe(listener, "wills");
    match output.packets().as_slice() {
        [Packet::Suback(_), Packet::Publish(publish)] => {
            assert!(publish.retain);
            assert!(matches!(publish.delivery, emulator_mqtt::packet::Delivery::AtLeastOnce { .. }));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_will_of_qos_2_or_beyond_the_quotas_is_refused() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    for (refused, closure) in [
        (Will { qos: QoS::ExactlyOnce, ..will("wills", b"") }, Closure::QoS2),
        (will("a/b/c/d/e/f/g/h/i", b""), Closure::Quota("the topic of a will")),
        (will("$SYS/x", b""), Closure::Quota("the topic of a will")),
    ] {
        let id = driven.broker.accept(&device.id, driven.now);
        let packet = Packet::Connect(Connect { will: Some(refused), ..connect("one") });
        driven.send(id, &packet).assert_closed(&closure);
    }
}

/// A will may end another session, whose will is published then.
#[tokio::test]
async fn wills_follow_wills() {
    let world = World::new().await;
    let device = world.device("one").await;
    let limits = emulator_mqtt::Limits { waiting: 400, ..Default::default() };
    let mut driven = Driven::with_limits(&world, limits);
    let listener = driven.connect(&device, "listener");
    driven.subscribe(listener, "second");
    let full = Connect { will: Some(will("second", b"of the full one")), ..connect("full") };
    let full = driven.connect_as(&device, &full);
    driven.send(full, &subscribe(&[("first", QoS::AtLeastOnce)]));
    let payload = [b'x'; 400];
    let first = Will { qos: QoS::AtLeastOnce, ..will("first", &payload) };
    let first = driven.connect_as(&device, &Connect { will: Some(first), ..connect("first") });
    driven.broker.end(first, driven.now);
    driven.output(full).assert_closed(&Closure::Full);
    assert_eq!(driven.output(listener).messages(), ["of the full one"]);
}
