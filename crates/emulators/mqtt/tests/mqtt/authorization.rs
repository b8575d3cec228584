//! The policies decide, at each packet.

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{Connect, Packet, QoS};
use serde_json::{Value, json};

use super::driven::{Driven, connect, publish, retain, subscribe, unsubscribe, will};
use super::world::World;

/// The ARNs of these resources in any account.
fn resources(paths: &[&str]) -> Value {
    paths.iter().map(|path| format!("arn:aws:iot:*:*:{path}")).collect()
}

fn allow(statements: &[(&str, &[&str])]) -> Value {
    let statement = |(action, paths): &(&str, &[&str])| json!({"Effect": "Allow", "Action": format!("iot:{action}"), "Resource": resources(paths)});
    json!({"Version": "2012-10-17", "Statement": statements.iter().map(statement).collect::<Value>()})
}

/// A device's own client id, and topics below its name.
fn own_topics() -> Value {
    let (name, topics) = ("client/${iot:Connection.Thing.ThingName}", "topic/d/${iot:Connection.Thing.ThingName}/*");
    allow(&[
        ("Connect", &[name]),
        ("Publish", &[topics]),
        ("Receive", &[topics]),
        ("RetainPublish", &["topic/d/${iot:Connection.Thing.ThingName}/kept"]),
        ("Subscribe", &["topicfilter/d/${iot:Connection.Thing.ThingName}/*"]),
    ])
}

#[tokio::test]
async fn a_device_has_its_own_client_id_and_topics_alone() {
    let world = World::new().await;
    let device = world.device_with("one", &own_topics()).await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    assert_eq!(driven.subscribe(id, "d/one/#").closure, None);
    driven.publish(id, "d/one/state", b"x");
    for topic in ["d/two/state", "d/one", "news", "$aws/things/one/shadow/update"] {
        let id = driven.connect(&device, "one");
        driven.send(id, &publish(topic, b"x", Some(1))).assert_denied("iot:Publish");
    }
    for filter in ["#", "+/one/x", "d/+/x", "d/#", "d/two/x", "$aws/things/one/#"] {
        let id = driven.connect(&device, "one");
        driven.subscribe(id, filter).assert_denied("iot:Subscribe");
    }
    let other = driven.broker.accept(&device.id, driven.now);
    driven.send(other, &Packet::Connect(connect("two"))).assert_denied("iot:Connect");
}

#[tokio::test]
async fn one_denied_filter_of_several_ends_the_session() {
    let world = World::new().await;
    let device = world.device_with("one", &own_topics()).await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    let filters = subscribe(&[("d/one/a", QoS::AtMostOnce), ("d/two/a", QoS::AtMostOnce)]);
    driven.send(id, &filters).assert_denied("iot:Subscribe");
    let id = driven.connect(&device, "one");
    // UNSUBSCRIBE is not authorized.
    assert_eq!(driven.send(id, &unsubscribe(&["d/two/a"])).closure, None);
}

#[tokio::test]
async fn retaining_needs_its_own_permission() {
    let world = World::new().await;
    let device = world.device_with("one", &own_topics()).await;
    let mut driven = Driven::new(&world);
    let id = driven.connect(&device, "one");
    assert_eq!(driven.send(id, &retain("d/one/kept", b"x")).closure, None);
    driven.publish(id, "d/one/other", b"x");
    driven.send(id, &retain("d/one/other", b"")).assert_denied("iot:RetainPublish");
}

#[tokio::test]
async fn a_message_that_may_not_be_received_does_not_arrive() {
    let world = World::new().await;
    let sender = world.device("sender").await;
    let policy =
        allow(&[("Connect", &["client/*"]), ("Subscribe", &["topicfilter/*"]), ("Receive", &["topic/public/*"])]);
    let device = world.device_with("one", &policy).await;
    let mut driven = Driven::new(&world);
    let sender = driven.connect(&sender, "sender");
    driven.send(sender, &retain("private/kept", b"private and kept"));
    driven.send(sender, &retain("public/kept", b"public and kept"));
    let id = driven.connect(&device, "one");
    assert_eq!(driven.subscribe(id, "#").messages(), ["public and kept"]);
    driven.publish(sender, "private/x", b"private");
    driven.publish(sender, "public/x", b"public");
    assert_eq!(driven.output(id).messages(), ["public"]);
}

#[tokio::test]
async fn a_will_is_judged_as_a_message() {
    let world = World::new().await;
    let device = world.device_with("one", &own_topics()).await;
    let mut driven = Driven::new(&world);
    let with = |topic| Connect { will: Some(will(topic, b"gone")), ..connect("one") };
    driven.connect_as(&device, &with("d/one/will"));
    let id = driven.broker.accept(&device.id, driven.now);
    driven.send(id, &Packet::Connect(with("d/two/will"))).assert_denied("iot:Publish");
    let kept = Connect {
        will: Some(emulator_mqtt::packet::Will { retain: true, ..will("d/one/will", b"gone") }),
        ..connect("one")
    };
    let id = driven.broker.accept(&device.id, driven.now);
    driven.send(id, &Packet::Connect(kept)).assert_denied("iot:RetainPublish");
}

#[tokio::test]
async fn a_deny_of_connect_attributes_refuses_wills_and_persistent_sessions() {
    let world = World::new().await;
    let mut driven = Driven::new(&world);
    for (name, attribute) in [("one", "LastWill"), ("two", "PersistentConnect")] {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "iot:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "iot:Connect", "Resource": "*",
             "Condition": {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": attribute}}},
        ]});
        let device = world.device_with(name, &policy).await;
        let with_will = Connect { will: Some(will("wills", b"gone")), ..connect(name) };
        let persistent = Connect { clean_session: false, ..connect(name) };
        let id = driven.connect(&device, name);
        let (refused, accepted) =
            if attribute == "LastWill" { (&with_will, &persistent) } else { (&persistent, &with_will) };
        let other = driven.broker.accept(&device.id, driven.now);
        driven.send(other, &Packet::Connect(refused.clone())).assert_denied("iot:Connect");
        // It took nothing over.
        assert_eq!(driven.send(id, &Packet::Pingreq).packets(), [Packet::Pingresp]);
        driven.connect_as(&device, accepted);
    }
}

#[tokio::test]
async fn whoever_is_not_authorized_takes_nothing_over() {
    let world = World::new().await;
    let (one, two) = (world.device_with("one", &own_topics()).await, world.device_with("two", &own_topics()).await);
    let mut driven = Driven::new(&world);
    let id = driven.connect(&one, "one");
    let intruder = driven.broker.accept(&two.id, driven.now);
    driven.send(intruder, &Packet::Connect(connect("one"))).assert_denied("iot:Connect");
    // Nor does the device itself with a will that it may not have.
    let second = driven.broker.accept(&one.id, driven.now);
    let refused = Connect { will: Some(will("d/two/will", b"")), ..connect("one") };
    driven.send(second, &Packet::Connect(refused)).assert_denied("iot:Publish");
    assert_eq!(driven.send(id, &Packet::Pingreq).packets(), [Packet::Pingresp]);
}

#[tokio::test]
async fn a_certificate_that_is_not_active_ends_every_session_of_it() {
    let world = World::new().await;
    let (device, other) = (world.device("one").await, world.device("other").await);
    let mut driven = Driven::new(&world);
    let listener = driven.connect(&other, "listener");
    driven.subscribe(listener, "wills");
    let with_will = Connect { will: Some(will("wills", b"gone")), ..connect("one") };
    let (id, waiting) = (driven.connect_as(&device, &with_will), driven.broker.accept(&device.id, driven.now));
    world.deactivate(&device).await;
    driven.broker.registry_changed(driven.now);
    driven.output(id).assert_closed(&Closure::Inactive);
    driven.output(waiting).assert_closed(&Closure::Inactive);
    // The will is not authorized any more.
    assert_eq!(driven.output(listener).messages(), [""; 0]);
    // A connection whose handshake was before the deactivation.
    let id = driven.broker.accept(&device.id, driven.now);
    driven.send(id, &Packet::Connect(connect("one"))).assert_closed(&Closure::Inactive);
}

/// Between the change and the broker's hearing of it nothing is remembered.
#[tokio::test]
async fn every_packet_is_judged_by_the_registry_as_it_is() {
    let world = World::new().await;
    let (device, listener) = (world.device("one").await, world.device("listener").await);
    let mut driven = Driven::new(&world);
    let (id, hears) = (driven.connect(&device, "one"), driven.connect(&listener, "listener"));
    driven.subscribe(hears, "news");
    driven.publish(id, "news", b"heard");
    assert_eq!(driven.output(hears).messages(), ["heard"]);
    world.detach_policy(&listener).await;
    driven.publish(id, "news", b"not heard");
    assert_eq!(driven.output(hears).messages(), [""; 0]);
    world.deactivate(&device).await;
    driven.send(id, &publish("news", b"x", Some(1))).assert_denied("iot:Publish");
}

#[tokio::test]
async fn an_unknown_certificate_may_nothing() {
    let world = World::new().await;
    let mut driven = Driven::new(&world);
    let id = driven.broker.accept(&"0".repeat(64), driven.now);
    driven.send(id, &Packet::Connect(connect("one"))).assert_closed(&Closure::Inactive);
}
