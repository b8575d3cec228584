//! Malformed packets are refused.

use emulator_mqtt::Closure;
use emulator_mqtt::packet::{MAX_REMAINING_LENGTH, Packet, PacketError};
use emulator_mqtt::topic::TopicError;

use super::driven::Driven;
use super::packets::vectors;
use super::world::World;

/// CONNECT with these flags and bytes behind the keep-alive.
fn connect(flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(10 + payload.len()).unwrap();
    [&[0x10, length], &b"\x00\x04MQTT\x04"[..], &[flags, 0, 60], payload].concat()
}

/// Malformed packets with the rule that each breaks.
fn refused() -> Vec<(Vec<u8>, PacketError)> {
    let mut all: Vec<(Vec<u8>, PacketError)> = [
        // 2.2.1: types that are reserved, and those of QoS 2.
        (&b"\x00\x00"[..], PacketError::PacketType(0)),
        (b"\xf0\x00", PacketError::PacketType(15)),
        (b"\x50\x02\x00\x01", PacketError::QoS2Packet(5)),
        (b"\x62\x02\x00\x01", PacketError::QoS2Packet(6)),
        (b"\x70\x02\x00\x01", PacketError::QoS2Packet(7)),
        // 2.2.3.
        (b"\xc0\xff\xff\xff\xff\x7f", PacketError::LengthEncoding),
        (b"\x30\x80\x80\x80\x80", PacketError::LengthEncoding),
        // MQTT-3.3.1-4, MQTT-3.3.1-2.
        (b"\x36\x06\x00\x01a\x00\x01x", PacketError::QoS(3)),
        (b"\x38\x03\x00\x01a", PacketError::Duplicate),
        // MQTT-4.7.3-1, MQTT-3.3.2-2, MQTT-1.5.3-1, MQTT-4.7.3-2.
        (b"\x30\x02\x00\x00", PacketError::Topic(TopicError::Empty)),
        (b"\x30\x05\x00\x03a/+", PacketError::Topic(TopicError::WildcardInName)),
        (b"\x30\x03\x00\x01#", PacketError::Topic(TopicError::WildcardInName)),
        (b"\x30\x04\x00\x02a\x00", PacketError::Nul),
        (b"\x30\x03\x00\x01\xff", PacketError::Utf8),
        // A surrogate, and an overlong zero.
        (b"\x30\x05\x00\x03\xed\xa0\x80", PacketError::Utf8),
        (b"\x30\x04\x00\x02\xc0\x80", PacketError::Utf8),
        // MQTT-2.3.1-1.
        (b"\x32\x05\x00\x01a\x00\x00", PacketError::PacketId),
        (b"\x40\x02\x00\x00", PacketError::PacketId),
        (b"\x82\x06\x00\x00\x00\x01a\x00", PacketError::PacketId),
        (b"\xa2\x05\x00\x00\x00\x01a", PacketError::PacketId),
        (b"\xb0\x02\x00\x00", PacketError::PacketId),
        // MQTT-3.8.3-3, MQTT-3.10.3-2, MQTT-3-8.3-4.
        (b"\x82\x02\x00\x01", PacketError::NoFilter),
        (b"\xa2\x02\x00\x01", PacketError::NoFilter),
        (b"\x82\x06\x00\x01\x00\x01a\x03", PacketError::QoS(3)),
        (b"\x82\x06\x00\x01\x00\x01a\x04", PacketError::QoS(4)),
        (b"\x82\x05\x00\x01\x00\x01a", PacketError::Short),
        // MQTT-4.7.1-2, MQTT-4.7.1-3.
        (b"\x82\x07\x00\x01\x00\x02a#\x00", PacketError::Topic(TopicError::MultiLevelWildcard)),
        (b"\x82\x08\x00\x01\x00\x03#/a\x00", PacketError::Topic(TopicError::MultiLevelWildcard)),
        (b"\x82\x07\x00\x01\x00\x02a+\x00", PacketError::Topic(TopicError::SingleLevelWildcard)),
        (b"\x82\x05\x00\x01\x00\x00\x00", PacketError::Topic(TopicError::Empty)),
        // 3.2.2, 3.9.3.
        (b"\x20\x02\x02\x00", PacketError::Acknowledgement(2)),
        (b"\x20\x02\x01\x05", PacketError::Acknowledgement(1)),
        (b"\x20\x02\x00\x06", PacketError::Acknowledgement(6)),
        (b"\x90\x03\x00\x01\x03", PacketError::Acknowledgement(3)),
        (b"\x90\x02\x00\x01", PacketError::NoFilter),
        // Bytes behind the last field.
        (b"\xc0\x01\x00", PacketError::Trailing(1)),
        (b"\x40\x03\x00\x01\x00", PacketError::Trailing(1)),
        // 3.1.2.1, 3.1.2.2.
        (b"\x10\x0c\x00\x04MQTX\x04\x02\x00\x3c\x00\x00", PacketError::ProtocolName),
        (b"\x10\x0c\x00\x04mqtt\x04\x02\x00\x3c\x00\x00", PacketError::ProtocolName),
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00", PacketError::ProtocolLevel(6)),
    ]
    .map(|(bytes, error)| (bytes.to_vec(), error))
    .to_vec();
    // MQTT-3.1.2-3, -11, -13, -14, -15, -22: the flags that CONNECT may not have.
    for flags in [0b11, 0b1010, 0b1_0010, 0b10_0010, 0b1_1110, 0b100_0010] {
        all.push((connect(flags, b"\x00\x01x\x00\x01t\x00\x01p\x00\x01q"), PacketError::ConnectFlags(flags)));
    }
    all.extend([
        (connect(0b10, b"\x00\x01x\x00"), PacketError::Trailing(1)),
        (connect(0b10, b"\x00\x02x"), PacketError::Short),
        (connect(0b110, b"\x00\x01x"), PacketError::Short),
        (connect(0b110, b"\x00\x01x\x00\x02t#\x00\x00"), PacketError::Topic(TopicError::WildcardInName)),
        (connect(0b1000_0010, b"\x00\x01x"), PacketError::Short),
        (connect(0b1000_0010, b"\x00\x01x\x00\x01\x00"), PacketError::Nul),
        (connect(0b10, b"\x00\x01\x00"), PacketError::Nul),
    ]);
    all
}

#[test]
fn every_rule_of_the_standard_has_its_error() {
    for (bytes, error) in refused() {
        assert_eq!(Packet::decode(&bytes, MAX_REMAINING_LENGTH), Err(error), "{bytes:02x?}");
    }
}

/// MQTT-2.2.2-2: each bit of the flags that does not belong to the type.
#[test]
fn other_flags_are_refused() {
    for (bytes, packet) in vectors() {
        for bit in [1, 2, 4, 8] {
            let mut changed = bytes.to_vec();
            changed[0] ^= bit;
            let read = Packet::decode(&changed, MAX_REMAINING_LENGTH);
            let (packet_type, flags) = (changed[0] >> 4, changed[0] & 0x0f);
            match packet {
                Packet::Publish(_) => {}
                _ => assert_eq!(read, Err(PacketError::Flags { packet_type, flags }), "{packet:?}"),
            }
        }
    }
}

/// Whatever a client sends after its CONNECT, the broker goes on, and a malformed packet ends the session alone.
#[tokio::test]
async fn a_malformed_packet_ends_the_session() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let other = driven.connect(&device, "other");
    for (bytes, error) in refused() {
        let id = driven.connect(&device, "one");
        let output = driven.send_bytes(id, &bytes);
        match error {
            // Longer than any packet of AWS IoT Core may be.
            PacketError::TooLong { .. } => {}
            error => output.assert_closed(&Closure::Malformed(error)),
        }
        driven.broker.end(id, driven.now);
    }
    assert_eq!(driven.send(other, &Packet::Pingreq).packets(), [Packet::Pingresp]);
}

#[tokio::test]
async fn every_mutation_of_every_packet_leaves_the_broker_at_work() {
    let world = World::new().await;
    let device = world.device("one").await;
    let mut driven = Driven::new(&world);
    let other = driven.connect(&device, "other");
    for (bytes, _) in vectors() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut mutated = bytes.to_vec();
                mutated[at] ^= 1 << bit;
                let fresh = driven.broker.accept(&device.id, driven.now);
                driven.send_bytes(fresh, &mutated);
                driven.broker.end(fresh, driven.now);
                let connected = driven.connect(&device, "one");
                driven.send_bytes(connected, &mutated);
                driven.broker.end(connected, driven.now);
            }
        }
    }
    assert_eq!(driven.send(other, &Packet::Pingreq).packets(), [Packet::Pingresp]);
}
