//! Packets are read and written.

use emulator_mqtt::packet::{
    Connack, Connect, ConnectRefusal, Delivery, MAX_REMAINING_LENGTH, Packet, PacketError, Password, Publish, QoS,
    Suback, Subscribe, Unsubscribe, Will,
};
use emulator_mqtt::topic::{TopicFilter, TopicName};
use proptest::prelude::*;

use super::driven::number;

fn topic(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap()
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap()
}

/// Packets with their bytes. Those with a source are the figures of MQTT 3.1.1; the others follow its tables.
pub fn vectors() -> Vec<(&'static [u8], Packet<'static>)> {
    let plain =
        Connect { client_id: "", clean_session: true, keep_alive: 60, will: None, user_name: None, password: None };
    let message = Publish { topic: topic("a/b"), payload: b"", retain: false, delivery: Delivery::AtMostOnce };
    let (at_least_once, exactly_once) =
        (Delivery::AtLeastOnce { id: number(10), dup: true }, Delivery::ExactlyOnce { id: number(10), dup: false });
    vec![
        // Figure 3.6, all flags but the reserved one and Will Retain; keep alive 10; the payload in the order of 3.1.3.
        (
            b"\x10\x22\x00\x04MQTT\x04\xce\x00\x0a\x00\x02id\x00\x03w/t\x00\x02\xff\x00\x00\x04user\x00\x03\x00pw",
            Packet::Connect(Connect {
                client_id: "id",
                keep_alive: 10,
                will: Some(Will { topic: topic("w/t"), payload: b"\xff\x00", qos: QoS::AtLeastOnce, retain: false }),
                user_name: Some("user"),
                password: Some(Password(b"\x00pw")),
                ..plain.clone()
            }),
        ),
        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", Packet::Connect(plain.clone())),
        (
            b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x00\x00\x01x",
            Packet::Connect(Connect { client_id: "x", clean_session: false, keep_alive: 0, ..plain }),
        ),
        (b"\x20\x02\x01\x00", Packet::Connack(Connack::Accepted { session_present: true })),
        (b"\x20\x02\x00\x00", Packet::Connack(Connack::Accepted { session_present: false })),
        (b"\x20\x02\x00\x05", Packet::Connack(Connack::Refused(ConnectRefusal::NotAuthorized))),
        // Figure 3.11, of QoS 1 in table 3.4.
        (b"\x3a\x07\x00\x03a/b\x00\x0a", Packet::Publish(Publish { delivery: at_least_once, ..message.clone() })),
        (b"\x31\x06\x00\x03a/bx", Packet::Publish(Publish { payload: b"x", retain: true, ..message.clone() })),
        (b"\x34\x07\x00\x03a/b\x00\x0a", Packet::Publish(Publish { delivery: exactly_once, ..message })),
        (b"\x40\x02\x12\x34", Packet::Puback(number(0x1234))),
        // Figure 3.23.
        (
            b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02",
            Packet::Subscribe(Subscribe {
                id: number(10),
                filters: vec![(filter("a/b"), QoS::AtLeastOnce), (filter("c/d"), QoS::ExactlyOnce)],
            }),
        ),
        // Figure 3.26.
        (
            b"\x90\x05\x00\x0a\x00\x02\x80",
            Packet::Suback(Suback {
                id: number(10),
                granted: vec![Some(QoS::AtMostOnce), Some(QoS::ExactlyOnce), None],
            }),
        ),
        // Figure 3.30.
        (
            b"\xa2\x0c\x00\x0a\x00\x03a/b\x00\x03c/d",
            Packet::Unsubscribe(Unsubscribe { id: number(10), filters: vec![filter("a/b"), filter("c/d")] }),
        ),
        (b"\xb0\x02\x00\x0a", Packet::Unsuback(number(10))),
        (b"\xc0\x00", Packet::Pingreq),
        (b"\xd0\x00", Packet::Pingresp),
        (b"\xe0\x00", Packet::Disconnect),
    ]
}

fn decode(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, PacketError> {
    Packet::decode(bytes, MAX_REMAINING_LENGTH)
}

fn encode(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_packet_is_read_and_written_as_in_the_standard() {
    for (bytes, packet) in vectors() {
        assert_eq!(decode(bytes), Ok(Some((packet.clone(), bytes.len()))));
        assert_eq!(encode(&packet), bytes, "{packet:?}");
    }
}

#[test]
fn a_truncated_packet_waits_for_the_rest() {
    for (bytes, packet) in vectors() {
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Ok(None), "{packet:?}");
        }
    }
}

/// A remaining length that is one too small or too large is noticed, but where the last field is all the rest: the
/// payload of PUBLISH, and the codes of SUBACK.
#[test]
fn a_packet_of_another_length_is_refused() {
    for (bytes, packet) in vectors() {
        let takes_the_rest = matches!(packet, Packet::Publish(_) | Packet::Suback(_));
        let mut longer = [bytes, b"\x00"].concat();
        longer[1] += 1;
        assert_eq!(decode(&longer).is_ok(), takes_the_rest, "{packet:?}");
        if bytes[1] > 0 && !takes_the_rest {
            let mut shorter = bytes[..bytes.len() - 1].to_vec();
            shorter[1] -= 1;
            assert!(decode(&shorter).is_err(), "{packet:?}");
        }
    }
}

/// Asserts that what was read is written alike, in no more bytes: a length may have more of them than it needs.
fn assert_survives(packet: &Packet<'_>, length: usize) {
    let written = encode(packet);
    assert!(written.len() <= length);
    assert_eq!(decode(&written), Ok(Some((packet.clone(), written.len()))));
}

#[test]
fn a_packet_is_followed_by_the_next() {
    let all = vectors();
    let stream: Vec<u8> = all.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    let mut rest = stream.as_slice();
    for (_, packet) in &all {
        let (read, length) = decode(rest).unwrap().unwrap();
        assert_eq!(&read, packet);
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

/// Every change of one byte is read as something that is written alike, or refused; nothing panics.
#[test]
fn a_mutated_packet_is_refused_or_another_packet() {
    for (bytes, _) in vectors() {
        for at in 0..bytes.len() {
            for value in u8::MIN..=u8::MAX {
                let mut mutated = bytes.to_vec();
                mutated[at] = value;
                if let Ok(Some((packet, length))) = decode(&mutated) {
                    assert_survives(&packet, length);
                }
            }
        }
    }
}

/// The figures of table 2.4.
#[test]
fn the_remaining_length_has_up_to_four_bytes() {
    for (length, header) in [
        (127, &[0x7f][..]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
    ] {
        let payload = vec![b'x'; length - 3];
        let delivery = Delivery::AtMostOnce;
        let packet = Packet::Publish(Publish { topic: topic("t"), payload: &payload, retain: false, delivery });
        let bytes = encode(&packet);
        assert_eq!(bytes[1..=header.len()], *header);
        assert_eq!(decode(&bytes), Ok(Some((packet, bytes.len()))));
    }
}

#[test]
fn a_packet_over_the_limit_is_refused_by_its_header() {
    assert_eq!(Packet::decode(b"\x30\x80\x01", 127), Err(PacketError::TooLong { length: 128, limit: 127 }));
    assert_eq!(Packet::decode(b"\x30\x80\x01", 128), Ok(None));
    assert_eq!(decode(b"\x30\xff\xff\xff\x7f"), Ok(None));
}

#[test]
fn what_the_format_cannot_tell_is_not_written() {
    let long = "x".repeat(65_536);
    let connect =
        Connect { client_id: "x", clean_session: true, keep_alive: 0, will: None, user_name: None, password: None };
    let too_long = PacketError::TooLong { length: 65_536, limit: 65_535 };
    for (packet, error) in [
        (Packet::Connect(Connect { client_id: &long, ..connect.clone() }), too_long),
        (Packet::Connect(Connect { client_id: "a\0b", ..connect.clone() }), PacketError::Nul),
        (
            Packet::Connect(Connect { password: Some(Password(b"x")), ..connect }),
            PacketError::ConnectFlags(0b0100_0000),
        ),
        (Packet::Subscribe(Subscribe { id: number(1), filters: Vec::new() }), PacketError::NoFilter),
        (Packet::Unsubscribe(Unsubscribe { id: number(1), filters: Vec::new() }), PacketError::NoFilter),
        (Packet::Suback(Suback { id: number(1), granted: Vec::new() }), PacketError::NoFilter),
    ] {
        let mut bytes = b"before".to_vec();
        assert_eq!(packet.encode(&mut bytes), Err(error));
        assert_eq!(bytes, b"before");
    }
}

#[test]
fn a_password_is_not_shown() {
    assert_eq!(format!("{:?}", Password(b"secret")), "Password(..)");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(Some((packet, length))) = decode(&bytes) {
            assert_survives(&packet, length);
        }
    }

    #[test]
    fn a_message_survives(
        text in "[a-z/äß]{1,40}",
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        id in 1_u16..,
        flags in any::<(bool, bool, bool)>(),
    ) {
        let (retain, dup, at_least_once) = flags;
        let delivery =
            if at_least_once { Delivery::AtLeastOnce { id: number(id), dup } } else { Delivery::AtMostOnce };
        let packet = Packet::Publish(Publish { topic: topic(&text), payload: &payload, retain, delivery });
        let bytes = encode(&packet);
        prop_assert_eq!(decode(&bytes), Ok(Some((packet, bytes.len()))));
    }
}
