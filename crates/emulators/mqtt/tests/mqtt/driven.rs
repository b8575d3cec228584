//! The broker without I/O, on a clock that the test drives.

use std::time::{Duration, Instant};

use emulator_mqtt::broker::{Broker, ConnectionId, Transmit};
use emulator_mqtt::packet::{
    Connack, Connect, Delivery, MAX_REMAINING_LENGTH, Packet, PacketId, Publish, QoS, Subscribe, Unsubscribe, Will,
};
use emulator_mqtt::topic::{TopicFilter, TopicName};
use emulator_mqtt::{Closure, Limits};

use super::world::{Device, World};

pub struct Driven {
    pub broker: Broker,
    pub now: Instant,
}

/// Bytes for a client, and the end of its connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    pub bytes: Vec<u8>,
    pub closure: Option<Closure>,
}

impl Driven {
    pub fn new(world: &World) -> Self {
        Self::with_limits(world, Limits::default())
    }

    pub fn with_limits(world: &World, limits: Limits) -> Self {
        Self { broker: Broker::new(world.registry.clone(), limits), now: Instant::now() }
    }

    /// Begins a session.
    pub fn connect(&mut self, device: &Device, client_id: &str) -> ConnectionId {
        self.connect_as(device, &connect(client_id))
    }

    pub fn connect_as(&mut self, device: &Device, connect: &Connect<'_>) -> ConnectionId {
        let id = self.broker.accept(&device.id, self.now);
        let output = self.send(id, &Packet::Connect(connect.clone()));
        assert_eq!(output.packets(), [Packet::Connack(Connack::Accepted { session_present: false })]);
        assert_eq!(output.closure, None);
        id
    }

    /// Sends a packet and returns what comes back at once.
    pub fn send(&mut self, id: ConnectionId, packet: &Packet<'_>) -> Output {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).unwrap();
        self.send_bytes(id, &bytes)
    }

    pub fn send_bytes(&mut self, id: ConnectionId, bytes: &[u8]) -> Output {
        self.broker.receive(id, bytes, self.now);
        self.output(id)
    }

    /// Everything for a client, which reads at once.
    pub fn output(&mut self, id: ConnectionId) -> Output {
        let mut bytes = Vec::new();
        loop {
            let transmit = self.broker.transmit(id, self.now);
            bytes.extend_from_slice(&transmit.bytes);
            if transmit.closure.is_some() || transmit.bytes.is_empty() {
                return Output { bytes, closure: transmit.closure };
            }
            self.broker.written(id, self.now);
        }
    }

    /// The bytes to write next; they are not written.
    pub fn transmit(&mut self, id: ConnectionId) -> Transmit {
        self.broker.transmit(id, self.now)
    }

    /// Lets time pass, and the deadlines in it.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.broker.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.broker.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Subscribes with QoS 1.
    pub fn subscribe(&mut self, id: ConnectionId, filter: &str) -> Output {
        self.send(id, &subscribe(&[(filter, QoS::AtLeastOnce)]))
    }

    /// Publishes with QoS 1; asserts PUBACK.
    pub fn publish(&mut self, id: ConnectionId, topic: &str, payload: &[u8]) {
        let output = self.send(id, &publish(topic, payload, Some(7)));
        assert_eq!(output.packets().last(), Some(&Packet::Puback(number(7))), "{:?}", output.closure);
    }
}

impl Output {
    pub fn packets(&self) -> Vec<Packet<'_>> {
        let (mut rest, mut packets) = (self.bytes.as_slice(), Vec::new());
        while let Some((packet, length)) = Packet::decode(rest, MAX_REMAINING_LENGTH).unwrap() {
            packets.push(packet);
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        packets
    }

    /// The texts of the messages.
    pub fn messages(&self) -> Vec<String> {
        let text = |packet| match packet {
            Packet::Publish(publish) => Some(String::from_utf8(publish.payload.to_vec()).unwrap()),
            _ => None,
        };
        self.packets().into_iter().filter_map(text).collect()
    }

    /// Asserts that the connection is closed without a packet.
    pub fn assert_closed(&self, closure: &Closure) {
        assert_eq!((self.bytes.as_slice(), self.closure.as_ref()), (&[][..], Some(closure)));
    }

    /// Asserts that the connection is closed without a packet, since the policies do not allow the action.
    pub fn assert_denied(&self, action: &str) {
        match &self.closure {
            Some(Closure::Denied { action: denied, .. }) => assert_eq!(*denied, action),
            other => panic!("{other:?}"),
        }
        assert!(self.bytes.is_empty());
    }
}

pub fn number(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub fn connect(client_id: &str) -> Connect<'_> {
    Connect { client_id, clean_session: true, keep_alive: 60, will: None, user_name: None, password: None }
}

pub fn will<'a>(topic: &'a str, payload: &'a [u8]) -> Will<'a> {
    Will { topic: TopicName::new(topic).unwrap(), payload, qos: QoS::AtMostOnce, retain: false }
}

/// PUBLISH of QoS 1 with this number, else of QoS 0.
pub fn publish<'a>(topic: &'a str, payload: &'a [u8], id: Option<u16>) -> Packet<'a> {
    let delivery = id.map_or(Delivery::AtMostOnce, |id| Delivery::AtLeastOnce { id: number(id), dup: false });
    Packet::Publish(Publish { topic: TopicName::new(topic).unwrap(), payload, retain: false, delivery })
}

/// Like [`publish`] with QoS 1, but to be retained.
pub fn retain<'a>(topic: &'a str, payload: &'a [u8]) -> Packet<'a> {
    match publish(topic, payload, Some(9)) {
        Packet::Publish(publish) => Packet::Publish(Publish { retain: true, ..publish }),
        _ => unreachable!(),
    }
}

pub fn subscribe<'a>(filters: &[(&'a str, QoS)]) -> Packet<'a> {
    let filters = filters.iter().map(|(filter, qos)| (TopicFilter::new(filter).unwrap(), *qos)).collect();
    Packet::Subscribe(Subscribe { id: number(1), filters })
}

pub fn unsubscribe<'a>(filters: &[&'a str]) -> Packet<'a> {
    let filters = filters.iter().map(|filter| TopicFilter::new(filter).unwrap()).collect();
    Packet::Unsubscribe(Unsubscribe { id: number(2), filters })
}

/// Acknowledges every message of QoS 1.
pub fn acknowledgements(output: &Output) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in output.packets() {
        if let Packet::Publish(Publish { delivery: Delivery::AtLeastOnce { id, .. }, .. }) = packet {
            Packet::Puback(id).encode(&mut bytes).unwrap();
        }
    }
    bytes
}
