//! Random sequences of everything that may happen.

use std::time::Duration;

use emulator_mqtt::packet::{Connect, Packet, QoS, Will};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::driven::{Driven, acknowledgements, connect, publish, retain, subscribe, unsubscribe, will};
use super::world::World;

const TOPICS: [&str; 4] = ["a", "a/b", "$aws/a", "a/b/c"];
const FILTERS: [&str; 6] = ["#", "a/#", "+/b", "a", "$aws/#", "a/+/c"];
const CLIENTS: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Event {
    Accept,
    Connect { client: usize, topic: usize, retain: bool },
    Publish { topic: usize, length: usize, id: Option<u16> },
    Retain { topic: usize, length: usize },
    Subscribe { filter: usize, at_least_once: bool },
    Unsubscribe { filter: usize },
    Acknowledge,
    Bytes(Vec<u8>),
    Stall,
    Pass(u64),
    End,
}

fn event() -> impl Strategy<Value = Event> {
    let length = prop_oneof![0_usize..40, Just(60_000), Just(131_073)];
    prop_oneof![
        2 => Just(Event::Accept),
        4 => (0..CLIENTS.len(), 0..TOPICS.len(), any::<bool>())
            .prop_map(|(client, topic, retain)| Event::Connect { client, topic, retain }),
        6 => (0..TOPICS.len(), length.clone(), proptest::option::of(1_u16..9))
            .prop_map(|(topic, length, id)| Event::Publish { topic, length, id }),
        2 => (0..TOPICS.len(), length).prop_map(|(topic, length)| Event::Retain { topic, length }),
        5 => (0..FILTERS.len(), any::<bool>())
            .prop_map(|(filter, at_least_once)| Event::Subscribe { filter, at_least_once }),
        2 => (0..FILTERS.len()).prop_map(|filter| Event::Unsubscribe { filter }),
        3 => Just(Event::Acknowledge),
        1 => proptest::collection::vec(any::<u8>(), 1..8).prop_map(Event::Bytes),
        1 => Just(Event::Stall),
        2 => (0_u64..40).prop_map(Event::Pass),
        1 => Just(Event::End),
    ]
}

/// Plays events, each on one of four connections, and ends all connections.
fn play(world: &World, certificate: &str, events: &[(usize, Event)]) {
    let mut driven = Driven::new(world);
    let mut connections = vec![driven.broker.accept(certificate, driven.now); 4];
    for (at, event) in events {
        let id = connections[*at];
        let payload = |length| vec![b'x'; length];
        match event {
            Event::Accept => connections[*at] = driven.broker.accept(certificate, driven.now),
            Event::Connect { client, topic, retain } => {
                let will = Will { retain: *retain, ..will(TOPICS[*topic], b"will") };
                driven.send(id, &Packet::Connect(Connect { will: Some(will), ..connect(CLIENTS[*client]) }));
            }
            Event::Publish { topic, length, id: number } => {
                driven.send(id, &publish(TOPICS[*topic], &payload(*length), *number));
            }
            Event::Retain { topic, length } => drop(driven.send(id, &retain(TOPICS[*topic], &payload(*length)))),
            Event::Subscribe { filter, at_least_once } => {
                let qos = if *at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                driven.send(id, &subscribe(&[(FILTERS[*filter], qos)]));
            }
            Event::Unsubscribe { filter } => drop(driven.send(id, &unsubscribe(&[FILTERS[*filter]]))),
            Event::Acknowledge => {
                let output = driven.output(id);
                driven.broker.receive(id, &acknowledgements(&output), driven.now);
            }
            Event::Bytes(bytes) => drop(driven.send_bytes(id, bytes)),
            Event::Stall => drop(driven.transmit(id)),
            Event::Pass(seconds) => driven.pass(Duration::from_secs(*seconds)),
            Event::End => driven.broker.end(id, driven.now),
        }
        while let Some(ready) = driven.broker.poll_ready() {
            // Everything that is sent is a packet.
            driven.output(ready).packets();
        }
    }
    // Without a packet every session ends by itself, and leaves nothing to wait for.
    driven.pass(Duration::from_secs(4_000));
    assert_eq!(driven.broker.next_deadline(), None);
    for id in connections {
        assert!(driven.output(id).closure.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_the_broker_goes_on() {
    let world = World::new().await;
    let device = world.device("device").await;
    let events = proptest::collection::vec((0_usize..4, event()), 1..60);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(256) });
    runner
        .run(&events, |events| {
            play(&world, &device.id, &events);
            Ok(())
        })
        .unwrap();
}
